"""MER2024 (Lian et al. 2024): single persons in films and series, with their emotion."""

from collections.abc import Iterator
from pathlib import Path

from crabplus.datasets.base import Dataset, DatasetError, read_table
from crabplus.schema import LabelAnswer, Media, Sample

EMOTIONS = ("neutral", "angry", "happy", "sad", "worried", "surprise")
"""In the order of their official numbers."""


class Mer2024(Dataset):
    """Rows of ``label-disdim.csv``: a clip in ``name``, its emotion in ``discrete``; other columns go into ``meta``.

    The labelled set alone: labels of the challenge's tests were not released, and official code fills them with
    ``neutral``. Not established: the number of clips, the form of their names, the name of the column for valence. Any
    ending of the videos is taken, as official code does, ``.mp4`` where there is no file.
    """

    key = "mer24"
    name = "MER2024"
    homepage = "https://github.com/zeroQiaoba/MERTools"
    paper = "https://arxiv.org/abs/2404.17113"
    licence = "signed agreement, for academic research"
    splits = {"train": None}
    needs = "label-disdim.csv and video-labeled/<name>.mp4"

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each clip."""
        path, found, more = self.find(root, "label-disdim.csv"), self.clips(root, "video-labeled"), {}

        def rows() -> Iterator[tuple[int, str, str]]:
            for line, row in read_table(path, "name", "discrete"):
                name, emotion = row.pop("name"), row.pop("discrete")
                if not name or emotion not in EMOTIONS:
                    raise DatasetError(f"{path}, line {line}: a name and one of {', '.join(EMOTIONS)} wanted, "
                                       f"got {name!r} and {emotion!r}")  # fmt: skip
                more[name] = row
                yield line, name, emotion

        for _, name, emotion in self.once(path, rows()):
            clip = Media("clip", "video", found.get(name, f"video-labeled/{name}.mp4"))
            yield self.sample(
                name, split, media=(clip,), options=EMOTIONS, answer=LabelAnswer(emotion), meta=dict(more[name])
            )

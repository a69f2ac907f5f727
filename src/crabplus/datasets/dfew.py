"""DFEW (Jiang et al. 2020): persons in films, with one of seven emotions."""

from collections.abc import Iterator
from pathlib import Path

from crabplus.datasets.base import FOLDER, Dataset, DatasetError, read_table
from crabplus.schema import LabelAnswer, Media, Sample

EMOTIONS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
"""The labels 1 to 7, in words of the authors in lower case."""
LAST = 16372
"""The highest number of a clip."""
SIZES = {"1": (9356, 2341), "2": (9356, 2341), "3": (9357, 2340), "4": (9358, 2339), "5": (9361, 2336)}
"""Train and test of each fold."""


class Dfew(Dataset):
    """Rows of ``video_name,label``, a number of a clip and one of 1 to 7, for each part of the five folds.

    Numbers are padded to five digits, in ids and in the names of files. The frames that are shipped have no sound, so
    samples show the originals; how those lie in ``Clip/original`` is not established: each is looked for by its number
    in the folder and below, and where there is none ``<five digits>.mp4`` stands. Options: ``fold``; ``folder`` of the
    originals. ``annotation.xlsx`` is not read: it marks by 0 the clips that no list has.
    """

    key = "dfew"
    name = "DFEW"
    homepage = "https://dfew-dataset.github.io/"
    paper = "https://arxiv.org/abs/2008.05924"
    licence = "on application"
    options = {"fold": tuple(SIZES), "folder": ("Clip/original", FOLDER)}
    needs = "EmoLabel_DataSplit/train(single-labeled)/set_<fold>.csv, the same for test, and Clip/original"

    def __init__(self, **chosen: str) -> None:
        super().__init__(**chosen)
        self.splits = dict(zip(("train", "test"), SIZES[self.chosen["fold"]], strict=True))

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each clip."""
        fold, folder = self.chosen["fold"], self.chosen["folder"]
        path = self.find(
            root, f"EmoLabel_DataSplit/{split}(single-labeled)/set_{fold}.csv", f"label/single_{split}set_{fold}.csv"
        )
        found = self.clips(root, folder)
        for _, name, emotion in self.once(path, _rows(path)):
            video = found.get(name) or found.get(str(int(name))) or f"{folder}/{name}.mp4"
            yield self.sample(
                name, split, media=(Media("clip", "video", video),), options=EMOTIONS, answer=LabelAnswer(emotion),
                meta={"fold": int(fold)},
            )  # fmt: skip


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    for line, row in read_table(path, "video_name", "label"):
        name, label = row["video_name"], row["label"]
        if not (name.isdecimal() and 1 <= int(name) <= LAST):
            raise DatasetError(f"{path}, line {line}: a clip from 1 to {LAST} wanted, got {name!r}")
        if label not in tuple("1234567"):
            raise DatasetError(f"{path}, line {line}: a label from 1 to 7 wanted, got {label!r}")
        yield line, f"{int(name):05d}", EMOTIONS[int(label) - 1]

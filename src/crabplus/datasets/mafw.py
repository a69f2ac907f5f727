"""MAFW (Liu et al. 2022): persons in films, series and short videos, with one of eleven emotions."""

import re
from collections.abc import Iterator
from pathlib import Path

from crabplus.datasets.base import FOLDER, Dataset, DatasetError, read_rows
from crabplus.schema import LabelAnswer, Media, Sample

EMOTIONS = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety", "helplessness",
    "disappointment",
)  # fmt: skip
SIZES = {
    "by list": {"1": (7333, 1839), "2": (7335, 1837), "3": (7339, 1833), "4": (7340, 1832), "5": (7341, 1831)},
    "probed": {"1": (7320, 1836), "2": (7323, 1833), "3": (7329, 1827), "4": (7327, 1829), "5": (7325, 1831)},
}
"""Train and test of each fold; probed: as HiCMAE counts the clips in which ffmpeg finds sound."""


class Mafw(Dataset):
    """Rows of ``<five digits>.mp4 <emotion>``, one file for each part of the five folds of the single-label set.

    Options: ``fold``; ``sound``: all rows, or those alone whose clip has a sound track (``probed``; slow, and needs the
    clips): 21 of 10,045 have none; ``folder`` of the clips. Not established: the columns of the spreadsheets and the
    names of the 32 compound classes, so neither is read, nor are the lists with captions.
    """

    key = "mafw"
    name = "MAFW"
    homepage = "https://github.com/MAFW-database/MAFW"
    paper = "https://arxiv.org/abs/2208.00847"
    licence = "signed form, for non-commercial research"
    options = {"fold": tuple("12345"), "sound": tuple(SIZES), "folder": ("clips", FOLDER)}
    needs = "'Train & Test Set'/single/no_caption/set_<fold>/train.txt and test.txt, and clips/<five digits>.mp4"

    def __init__(self, **chosen: str) -> None:
        super().__init__(**chosen)
        self.splits = dict(zip(("train", "test"), SIZES[self.chosen["sound"]][self.chosen["fold"]], strict=True))

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each clip."""
        samples = self._samples(root, split)
        return self.heard(root, samples) if self.chosen["sound"] == "probed" else samples

    def _samples(self, root: Path, split: str) -> Iterator[Sample]:
        fold, folder = self.chosen["fold"], self.chosen["folder"]
        path = self.find(root, f"Train & Test Set/single/no_caption/set_{fold}/{split}.txt")
        for _, clip, emotion in self.once(path, _rows(path)):
            yield self.sample(
                Path(clip).stem, split, media=(Media("clip", "video", f"{folder}/{clip}"),), options=EMOTIONS,
                answer=LabelAnswer(emotion), meta={"fold": int(fold)},
            )  # fmt: skip


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    for line, (clip, emotion) in read_rows(path, " ", fields=2, quoted=False):
        if not re.fullmatch(r"\d{5}\.mp4", clip):
            raise DatasetError(f"{path}, line {line}: five digits and .mp4 wanted, got {clip!r}")
        if emotion not in EMOTIONS:
            raise DatasetError(f"{path}, line {line}: {emotion!r} is none of {', '.join(EMOTIONS)}")
        yield line, clip, emotion

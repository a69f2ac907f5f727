"""UCF-101 (Soomro et al. 2012), the 51 classes whose clips have sound: one action a clip."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from crabplus.datasets.base import Dataset, DatasetError, read_rows
from crabplus.schema import LabelAnswer, Media, Sample

CLASSES = (
    "ApplyEyeMakeup", "ApplyLipstick", "Archery", "BabyCrawling", "BalanceBeam", "BandMarching", "BasketballDunk",
    "BlowDryHair", "BlowingCandles", "BodyWeightSquats", "Bowling", "BoxingPunchingBag", "BoxingSpeedBag",
    "BrushingTeeth", "CliffDiving", "CricketBowling", "CricketShot", "CuttingInKitchen", "FieldHockeyPenalty",
    "FloorGymnastics", "FrisbeeCatch", "FrontCrawl", "Haircut", "HammerThrow", "Hammering", "HandstandPushups",
    "HandstandWalking", "HeadMassage", "IceDancing", "Knitting", "LongJump", "MoppingFloor", "ParallelBars",
    "PlayingCello", "PlayingDaf", "PlayingDhol", "PlayingFlute", "PlayingSitar", "Rafting", "ShavingBeard", "Shotput",
    "SkyDiving", "SoccerPenalty", "StillRings", "SumoWrestling", "Surfing", "TableTennisShot", "Typing", "UnevenBars",
    "WallPushups", "WritingOnBoard",
)  # fmt: skip
LABELS = {name.lower(): re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower() for name in CLASSES}
"""Label of each class, by its name in lower case."""
SIZES = {
    "1": {"train": 4893, "test": 1944}, "2": {"train": 4926, "test": 1911}, "3": {"train": 4941, "test": 1896},
}  # fmt: skip
"""Of 6,837 clips; counted by the rule that groups 1-7, 8-14 and 15-21 are the tests, not in the list files."""
ROW = re.compile(r"(\w+)/(v_(\w+)_g(\d\d)_c\d\d)\.avi(?: (\d+))?")


class Ucf101(Dataset):
    """Rows of ``<Class>/v_<Class>_g<group>_c<clip>.avi``, with the number of the class behind in train lists.

    Labels are the class names in lower-case words; the name itself is ``class`` in ``meta``. Test lists give no
    number, so the class is that of the folder; the pushups are ``HandstandPushups`` there and ``HandStandPushups`` in
    file names, so classes are looked up whatever their case. Options: ``fold``, the official split 1, 2 or 3;
    ``sound``: all clips of the 51 classes, or those alone in which a sound track is found (``probed``; slow, and needs
    the videos). Not established: a licence, and whether upstream means this subset.
    """

    key = "ucf"
    name = "UCF-101"
    homepage = "https://www.crcv.ucf.edu/data/UCF101.php"
    paper = "https://arxiv.org/abs/1212.0402"
    options = {"fold": ("1", "2", "3"), "sound": ("by class", "probed")}
    needs = "ucfTrainTestlist/ with classInd.txt and the lists, and UCF-101/<Class>/*.avi"

    def __init__(self, **chosen: str) -> None:
        super().__init__(**chosen)
        self.splits = SIZES[self.chosen["fold"]]

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each row of the 51 classes."""
        samples = self._samples(root, split)
        return self.heard(root, samples) if self.chosen["sound"] == "probed" else samples

    def _samples(self, root: Path, split: str) -> Iterator[Sample]:
        path = self.find(root, f"ucfTrainTestlist/{split}list0{self.chosen['fold']}.txt")
        numbers = read_classes(self.find(root, "ucfTrainTestlist/classInd.txt"))
        for _, video, name in self.once(path, self._rows(path, numbers)):
            stem = Path(video).stem
            yield self.sample(
                stem, split, media=(Media("clip", "video", f"UCF-101/{video}"),), options=tuple(LABELS.values()),
                answer=LabelAnswer(LABELS[name.lower()]),
                meta={"fold": int(self.chosen["fold"]), "class": name, "group": int(stem.split("_g")[-1][:2])},
            )  # fmt: skip

    def _rows(self, path: Path, numbers: Mapping[str, str]) -> Iterator[tuple[int, str, str]]:
        silent = 0
        for line, row in read_rows(path, " ", quoted=False):
            match = ROW.fullmatch(" ".join(row).strip())
            if not match or match[1].lower() != match[3].lower() or (path.name.startswith("train") and not match[5]):
                raise DatasetError(f"{path}, line {line}: <Class>/v_<Class>_g01_c01.avi <number> wanted, got {row}")
            name, number = match[1], numbers.get(match[1].lower())
            if number is None or match[5] not in (None, number):
                raise DatasetError(f"{path}, line {line}: {name} has number {number} in classInd.txt, not {match[5]}")
            silent += name.lower() not in LABELS
            if name.lower() in LABELS:
                yield line, f"{name}/{match[2]}.avi", name
        self.note(silent, "rows of classes without sound: left out")


def read_classes(path: Path) -> dict[str, str]:
    """Number of each class, by its name in lower case.

    Raises:
        DatasetError: a row that is no number and name.
    """
    numbers = {}
    for line, (number, name) in read_rows(path, " ", fields=2, quoted=False):
        if not number.isdecimal():
            raise DatasetError(f"{path}, line {line}: a number wanted, got {number!r}")
        numbers[name.lower()] = number
    return numbers

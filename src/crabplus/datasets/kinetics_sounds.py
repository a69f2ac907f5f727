"""Kinetics-Sounds (Arandjelovic and Zisserman 2017): the classes of Kinetics that are both seen and heard."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from crabplus.datasets.base import FOLDER, Dataset, DatasetError, read_rows, read_table
from crabplus.schema import LabelAnswer, Media, Sample

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
FILES = {"train": ("train.csv",), "val": ("validate.csv", "val.csv")}
WORDS = {"train": "train", "val": "val", "validate": "val", "test": "test"}
"""What the column ``split`` says, which differs between releases."""
LISTS = {"train": "my_train.txt", "test": "my_test.txt"}
ROW = re.compile(r"(.{11})_(?:(\d{6}_\d{6})|(\d+)),10,([12]?\d|30)")

COMMON = (
    "blowing nose", "blowing out candles", "bowling", "chopping wood", "dribbling basketball", "laughing",
    "mowing lawn", "playing accordion", "playing bagpipes", "playing bass guitar", "playing clarinet", "playing drums",
    "playing guitar", "playing harmonica", "playing keyboard", "playing organ", "playing piano", "playing saxophone",
    "playing trombone", "playing trumpet", "playing violin", "playing xylophone", "ripping paper", "shoveling snow",
    "shuffling cards", "singing", "stomping grapes", "tap dancing", "tapping guitar", "tapping pen", "tickling",
)  # fmt: skip
CLASSES = {
    "31": COMMON,
    "32": (*COMMON, "strumming guitar"),
    "34": (
        "blowing nose", "bowling", "chopping wood", "ripping paper", "shuffling cards", "singing", "tapping pen",
        "typing", "blowing out", "dribbling ball", "laughing", "mowing the lawn by pushing lawnmower",
        "shoveling snow", "stomping", "tap dancing", "tapping guitar", "tickling", "fingerpicking", "patting",
        "playing accordion", "playing bagpipes", "playing bass guitar", "playing clarinet", "playing drums",
        "playing guitar", "playing harmonica", "playing keyboard", "playing organ", "playing piano",
        "playing saxophone", "playing trombone", "playing trumpet", "playing violin", "playing xylophone",
    ),
}  # fmt: skip
"""31 and 32 names of Kinetics-400, and the 34 in their first wording."""


class Clip(NamedTuple):
    """A row of a Kinetics file: seconds of a YouTube video, and its class."""

    video: str
    start: int
    end: int
    label: str

    @property
    def stem(self) -> str:
        """Name of the clip's file, without ending."""
        return f"{self.video}_{self.start:06d}_{self.end:06d}"


class Row(NamedTuple):
    """A row of an OGM-GE list: ``<start>_<end>`` of a video in train, in test the start alone, and the class number."""

    video: str
    span: str
    start: str
    number: str


class KineticsSounds(Dataset):
    """Clips of the Kinetics files ``label,youtube_id,time_start,time_end,split`` whose label is among the classes.

    Options: ``classes`` by their number; ``lists``: the Kinetics files, or the lists of OGM-GE with 31 numbered
    classes; ``folder`` of the clips, searched to its depth. No list is official, and because of dead links no two
    copies of the videos are the same: a result is worth as much as the number of clips beside it.

    The names of OGM-GE's numbers are not established: each is what the Kinetics files call most of its videos. Its
    test ids are a video and a number that looks like a start: the one clip of that video, or the one that starts there.
    Results are on ``val``, or on OGM-GE's ``test``; ``test.csv`` may lack labels and is not read. Not established
    either: the folders of the clips, and the 33 classes that some use.
    """

    key = "ks"
    name = "Kinetics-Sounds"
    homepage = "https://github.com/GeWu-Lab/OGM-GE_CVPR2022"
    paper = "https://arxiv.org/abs/1705.08168"
    options = {"classes": tuple(CLASSES), "lists": ("kinetics", "ogm-ge"), "folder": ("video", FOLDER)}
    needs = "train.csv, validate.csv (or val.csv) of Kinetics and its clips, for OGM-GE my_train.txt, my_test.txt too"

    def __init__(self, **chosen: str) -> None:
        super().__init__(**chosen)
        self.classes = CLASSES[self.chosen["classes"]]
        self.splits = dict.fromkeys(FILES) if self.chosen["lists"] == "kinetics" else {"train": 14799, "test": 2597}

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each clip of the classes; its id is the name of its file, whatever the list."""
        if self.chosen["lists"] == "ogm-ge":
            path = self.find(root, LISTS[split], f"data/KineticSound/{LISTS[split]}")
            rows = self._listed(path, self._known(root))
        else:
            path = self.find(root, *FILES[split])
            rows = self._rows(path, split)
        folder, met = self.chosen["folder"], set()
        found = self.clips(root, folder)
        for _, stem, label in self.once(path, self._of_classes(rows)):
            met.add(label)
            clip = Media("clip", "video", found.get(stem, f"{folder}/{stem}.mp4"))
            yield self.sample(stem, split, media=(clip,), options=self.classes, answer=LabelAnswer(label))
        bare = [label for label in self.classes if label not in met]
        self.note(len(bare), f"classes without a clip: {', '.join(bare)}")

    def _of_classes(self, rows: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
        other = unlabelled = 0
        for line, stem, label in rows:
            unlabelled += not label
            other += bool(label) and label not in self.classes
            if label in self.classes:
                yield line, stem, label
        self.note(other, "rows of other classes: left out")
        self.note(unlabelled, "rows without a label: left out")

    def _rows(self, path: Path, split: str) -> Iterator[tuple[int, str, str]]:
        elsewhere = 0
        for line, clip, word in read_clips(path):
            elsewhere += word != split
            if word == split:
                yield line, clip.stem, clip.label
        self.note(elsewhere, "rows of another split: left out")

    def _known(self, root: Path) -> dict[str, set[Clip]]:
        """Clips of each video, out of the Kinetics files for train and val that are there."""
        self.find(root, *FILES["train"], *FILES["val"])
        known: dict[str, set[Clip]] = defaultdict(set)
        for path in (root / name for names in FILES.values() for name in names):
            for _, clip, _ in read_clips(path) if path.is_file() else ():
                known[clip.video].add(clip)
        return known

    def _listed(self, path: Path, known: Mapping[str, set[Clip]]) -> Iterator[tuple[int, str, str]]:
        """Rows of ``id,10,class number``; the ids of train are names of files."""
        rows = list(read_list(path))
        names, unknown, contrary = name_classes(path, rows, known), 0, 0
        for line, row in rows:
            clips, label = meant(row, known), names[row.number]
            contrary += bool(clips) and label not in {clip.label for clip in clips}
            if row.span or len(clips) == 1:
                yield line, f"{row.video}_{row.span}" if row.span else clips[0].stem, label
            else:
                unknown += 1
        self.note(contrary, "rows whose class number and Kinetics label differ: labelled by their number")
        self.note(unknown, "rows whose clip the Kinetics files do not tell: left out")


def read_clips(path: Path) -> Iterator[tuple[int, Clip, str]]:
    """Line, clip and split of each row of a Kinetics file; the label of a test clip may be empty.

    Raises:
        DatasetError: a missing column, times that are no whole seconds in order, an unknown split.
    """
    for line, row in read_table(path, *COLUMNS):
        label, video, start, end, split = (row[column] for column in COLUMNS)
        if not (start.isdecimal() and end.isdecimal() and int(start) < int(end)):
            raise DatasetError(f"{path}, line {line}: two whole seconds wanted, got {start!r} and {end!r}")
        if split not in WORDS or not video:
            raise DatasetError(f"{path}, line {line}: a video of {', '.join(WORDS)} wanted, got {video!r} of {split!r}")
        yield line, Clip(video, int(start), int(end), label), WORDS[split]


def read_list(path: Path) -> Iterator[tuple[int, Row]]:
    """Line and content of each row of an OGM-GE list.

    Raises:
        DatasetError: a row of another form.
    """
    for line, row in read_rows(path, fields=3):
        if not (match := ROW.fullmatch(",".join(row))):
            raise DatasetError(f"{path}, line {line}: video_start or video_start_end, 10, class wanted, got {row}")
        yield line, Row(*match.groups(default=""))


def meant(row: Row, known: Mapping[str, set[Clip]]) -> list[Clip]:
    """The clips that a row can mean: those of its times, where there are none all clips of its video."""
    clips = known.get(row.video, set())
    same = [c for c in clips if (c.stem == f"{row.video}_{row.span}" if row.span else str(c.start) == row.start)]
    return same or list(clips)


def name_classes(path: Path, rows: Iterable[tuple[int, Row]], known: Mapping[str, set[Clip]]) -> dict[str, str]:
    """Name of each class number: the label of most of its videos.

    Raises:
        DatasetError: no name, or two names, for a number; two numbers of one name.
    """
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for _, row in rows:
        votes[row.number].update(clip.label for clip in meant(row, known))
    best = {number: labels.most_common(2) for number, labels in votes.items()}
    for number, names in best.items():
        if not names or len({count for _, count in names}) < len(names):
            called = " and ".join(name for name, _ in names) or "nothing"
            raise DatasetError(f"{path}: class {number} has no name: the Kinetics files call its videos {called}")
    if twice := [name for name, n in Counter(names[0][0] for names in best.values()).items() if n > 1]:
        raise DatasetError(f"{path}: the Kinetics files give several class numbers the name {', '.join(twice)}")
    return {number: names[0][0] for number, names in best.items()}

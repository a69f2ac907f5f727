"""LLP (Tian et al. 2020): what is heard and what is seen in ten-second clips, each with its times."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from crabplus.datasets.base import Dataset, DatasetError, read_table
from crabplus.schema import Event, EventsAnswer, Media, Sample

FILES = {"train": "AVVP_train.csv", "val": "AVVP_val_pd.csv", "test": "AVVP_test_pd.csv"}
CLASSES = (
    "Speech", "Car", "Cheering", "Dog", "Cat", "Frying_(food)", "Basketball_bounce", "Fire_alarm", "Chainsaw", "Cello",
    "Banjo", "Singing", "Chicken_rooster", "Violin_fiddle", "Vacuum_cleaner", "Baby_laughter", "Accordion",
    "Lawn_mower", "Motorcycle", "Helicopter", "Acoustic_guitar", "Telephone_bell_ringing", "Baby_cry_infant_cry",
    "Blender", "Clapping",
)  # fmt: skip
"""In the order of the metric."""
Times = Mapping[tuple[str, str], list[tuple[int, int]]]
"""Intervals of each clip and class."""


class Llp(Dataset):
    """Tables with tabs between their cells, in spite of ``.csv``; clips are named ``<id>_<start>_<end>``.

    Which classes a clip has stands in ``meta["labels"]``; when each is heard and seen is published for ``val`` and
    ``test`` alone, as whole seconds [onset, offset). Intervals of one class that overlap or touch are one event, as
    they are to the metric.
    """

    key = "avvp"
    name = "LLP"
    homepage = "https://github.com/YapengTian/AVVP-ECCV20"
    paper = "https://arxiv.org/abs/2007.10558"
    licence = "GPL-3.0 according to the README of its repository"
    splits = {"train": 10000, "val": 649, "test": 1200}
    untold = ("train",)
    needs = "AVVP_train.csv and the other tables, and video/<video id>.mp4"

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each clip of the split."""
        path = self._table(root, FILES[split])
        clips = dict[str, tuple[str, ...]]()
        for line, row in read_table(path, "filename", "event_labels", delimiter="\t"):
            if row["filename"] in clips:
                raise DatasetError(f"{path}, line {line}: clip {row['filename']!r} stands twice")
            clips[row["filename"]] = tuple(dict.fromkeys(row["event_labels"].split(",")))
        heard, seen = (self._times(root, sense, clips) if split != "train" else {} for sense in ("audio", "visual"))
        for clip, labels in clips.items():
            answer = (
                None
                if split == "train"
                else EventsAnswer((*_events(clip, heard, "audio"), *_events(clip, seen, "visual")))
            )
            media = Media("clip", "video", self.place(root, f"{clip[:11]}.mp4", "video", "videos", "llp_videos"))
            yield self.sample(
                clip, split, media=(media,), options=CLASSES, answer=answer, meta={"labels": list(labels)}
            )  # fmt: skip

    def _table(self, root: Path, name: str) -> Path:
        return self.find(root, name, f"data/{name}")

    def _times(self, root: Path, sense: str, clips: Iterable[str]) -> Times:
        """Intervals in which a sense meets a class; rows of clips of no split are told."""
        path, times = (
            self._table(root, f"AVVP_eval_{sense}.csv"),
            defaultdict[tuple[str, str], list[tuple[int, int]]](list),
        )
        known, elsewhere, empty = set(clips), set[str](), 0
        listed = self._listed(root)
        for line, row in read_table(path, "filename", "onset", "offset", "event_labels", delimiter="\t"):
            if row["event_labels"] not in CLASSES:
                raise DatasetError(f"{path}, line {line}: {row['event_labels']!r} is none of the 25 classes")
            if row["filename"] not in listed:
                elsewhere.add(row["filename"])
            onset, offset = _second(row["onset"], path, line), _second(row["offset"], path, line)
            if row["filename"] in known:
                empty += onset >= offset
                times[row["filename"], row["event_labels"]] += [(onset, offset)] if onset < offset else []
        self.note(len(elsewhere), f"names in {path.name} that are no clip of val or test: left out")
        self.note(empty, f"rows of {path.name} with an interval of no length: no event")
        return times

    def _listed(self, root: Path) -> set[str]:
        """The clips of val and test."""
        tables = [self._table(root, FILES[split]) for split in ("val", "test")]
        return {row["filename"] for path in tables for _, row in read_table(path, "filename", delimiter="\t")}


def _second(text: str, path: Path, line: int) -> int:
    if not text.isdecimal() or int(text) > 10:
        raise DatasetError(f"{path}, line {line}: whole seconds 0 to 10 wanted, got {text!r}")
    return int(text)


def _events(clip: str, times: Times, modality: Literal["audio", "visual"]) -> Iterator[Event]:
    for label in CLASSES:
        yield from (Event(label, start, end, modality) for start, end in _merged(times.get((clip, label), [])))


def _merged(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals in order, those that overlap or touch made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged

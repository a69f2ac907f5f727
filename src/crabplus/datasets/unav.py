"""UnAV-100 (Geng et al. 2023): untrimmed videos with all their audio-visual events."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crabplus.datasets.base import Dataset, DatasetError, read_json
from crabplus.schema import Event, EventsAnswer, Media, Sample

FILE = "unav100_annotations.json"
SUBSETS = {"train": "train", "val": "validation", "test": "test"}


class Unav(Dataset):
    """One JSON with all videos; times in seconds of the cut clip, events of different classes may overlap.

    An annotation that repeats an earlier one of the same video (times within a thousandth, same class) is left out, as
    the official metric does. The hundred classes are read from the file, in the order of their official numbers.
    """

    key = "unav"
    name = "UnAV-100"
    homepage = "https://github.com/ttgeng233/UnAV"
    paper = "https://arxiv.org/abs/2303.12930"
    licence = "not stated for the data; MIT for the code"
    splits = {"train": None, "val": None, "test": 2167}
    needs = f"{FILE} and raw_videos/<video id>.mp4"

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each video of the split."""
        path = self.find(root, FILE, f"annotations/{FILE}", f"data/unav100/annotations/{FILE}")
        videos = read_json(path, dict).get("database")
        if not isinstance(videos, dict):
            raise DatasetError(f"{path}: an object under 'database' wanted")
        classes = _classes(videos, path)
        doubled = 0
        for video, entry in videos.items():
            if str(entry["subset"]).lower() != SUBSETS[split]:
                continue
            events = [_event(item, video, path) for item in entry["annotations"]]
            kept = _unlike(events)
            doubled += len(events) - len(kept)
            duration = float(entry["duration"])
            folder = self.place(root, f"{video}.mp4", "raw_videos", "data/unav100/raw_videos")
            yield self.sample(
                video, split, media=(Media("clip", "video", folder, duration=duration),), options=classes,
                answer=EventsAnswer(tuple(kept)),
            )  # fmt: skip
        self.note(doubled, "annotations that repeat an earlier one: left out")


def _classes(videos: dict[str, Any], path: Path) -> tuple[str, ...]:
    numbers: dict[int, str] = {}
    for video, entry in videos.items():
        if not isinstance(entry, dict) or {"subset", "duration", "annotations"} - set(entry):
            raise DatasetError(f"{path}: video {video!r}: subset, duration and annotations wanted, got {entry!r:.80}")
        for item in entry["annotations"]:
            if {"segment", "label", "label_id"} - set(item):
                raise DatasetError(f"{path}: video {video!r}: segment, label and label_id wanted, got {item!r:.80}")
            if numbers.setdefault(int(item["label_id"]), str(item["label"])) != item["label"]:
                raise DatasetError(f"{path}: video {video!r}: class {item['label_id']} has two names")
    return tuple(numbers[number] for number in sorted(numbers))


def _event(item: dict[str, Any], video: str, path: Path) -> Event:
    try:
        start, end = (float(second) for second in item["segment"])
        return Event(str(item["label"]), start, end)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: video {video!r}: segment {item['segment']!r}: start and end wanted") from error


def _unlike(events: list[Event]) -> list[Event]:
    kept: list[Event] = []
    for event in events:
        if not any(
            event.label == other.label and abs(event.start - other.start) <= 1e-3 and abs(event.end - other.end) <= 1e-3
            for other in kept
        ):
            kept.append(event)
    return kept

"""AVE (Tian et al. 2018): ten-second clips with one event that is both heard and seen."""

from collections.abc import Iterator
from pathlib import Path

from crabplus.datasets.base import Dataset, DatasetError, read_rows
from crabplus.schema import Event, EventsAnswer, Media, Sample

HEADER = ("Category", "VideoID", "Quality", "StartTime", "EndTime")
SECONDS = 10
FILES = {"train": "trainSet.txt", "val": "valSet.txt", "test": "testSet.txt"}
CLASSES = (
    "Church bell", "Male speech, man speaking", "Bark", "Fixed-wing aircraft, airplane", "Race car, auto racing",
    "Female speech, woman speaking", "Helicopter", "Violin, fiddle", "Flute", "Ukulele", "Frying (food)", "Truck",
    "Shofar", "Motorcycle", "Acoustic guitar", "Train horn", "Clock", "Banjo", "Goat", "Baby cry, infant cry", "Bus",
    "Chainsaw", "Cat", "Horse", "Toilet flush", "Rodents, rats, mice", "Accordion", "Mandolin",
)  # fmt: skip
"""In the order of their official numbers; 28 is background."""


class Ave(Dataset):
    """Rows of ``Category&VideoID&Quality&StartTime&EndTime``, one event each, whole seconds [start, end).

    A video may stand in several rows with different events: each row is a sample of its own, the second of a video
    named ``<id>-2``. An event that ends where it starts is none.
    """

    key = "ave"
    name = "AVE"
    homepage = "https://github.com/YapengTian/AVE-ECCV18"
    paper = "https://arxiv.org/abs/1803.08842"
    splits = {"train": 3339, "val": 402, "test": 402}
    needs = "trainSet.txt, valSet.txt, testSet.txt and AVE/<video id>.mp4"

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each row."""
        path, empty = self.find(root, FILES[split], f"data/{FILES[split]}"), 0
        for line, (label, video, _, start, end) in read_rows(path, "&", HEADER, 5, quoted=False):
            if label not in CLASSES:
                raise DatasetError(f"{path}, line {line}: {label!r} is none of the 28 classes")
            empty += start == end
            yield self.sample(
                self.distinct(video), split, media=(Media("clip", "video", f"AVE/{video}.mp4"),), options=CLASSES,
                answer=EventsAnswer(_events(label, start, end, path, line)),
            )  # fmt: skip
        self.note(empty, "rows with an event of no length: samples without an event")


def _events(label: str, start: str, end: str, path: Path, line: int) -> tuple[Event, ...]:
    try:
        first, last = float(start), float(end)
    except ValueError:
        raise DatasetError(f"{path}, line {line}: two times wanted, got {start!r} and {end!r}") from None
    if not 0 <= first <= last <= SECONDS:
        raise DatasetError(f"{path}, line {line}: times in order from 0 to {SECONDS} wanted, got {start} and {end}")
    return (Event(label, first, last),) if first < last else ()

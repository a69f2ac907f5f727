"""What a data folder holds: for each key and split how many samples, labels, seconds, and how many have what."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crabplus.datasets.avuie import read
from crabplus.schema import (
    Answer,
    ChoiceAnswer,
    EventsAnswer,
    LabelAnswer,
    ObjectsAnswer,
    Sample,
    SchemaError,
    TextAnswer,
)
from crabplus.tasks import get_task


@dataclass
class Summary:
    """One split of one key.

    Attributes:
        samples: how many; answered, reasoned, sounding: of these, how many have a true answer, reasoning, sound.
        seconds: of the longest medium of each sample, summed up, where known; timed: for how many it is.
        labels: how often each label, answer word or event occurs, the most frequent first.
    """

    key: str
    family: str
    split: str
    samples: int = 0
    answered: int = 0
    reasoned: int = 0
    sounding: int = 0
    seconds: float = 0.0
    timed: int = 0
    labels: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def splits_of(root: Path) -> list[tuple[str, str]]:
    """Key and split of every index in a folder, in order."""
    found = {
        (path.parent.name, path.stem)
        for path in root.glob("*/*.json*")
        if path.suffix in (".json", ".jsonl") and "." not in path.stem
    }
    if not found:
        raise SchemaError(f"{root} holds no index: <key>/<split>.jsonl or <key>/<split>.json")
    return sorted(found)


def summarise(key: str, split: str, samples: Iterable[Sample]) -> Summary:
    """Count what the samples of a split hold."""
    made, labels = Summary(key, get_task(key).family, split), Counter[str]()
    for sample in samples:
        made.samples += 1
        made.answered += sample.answer is not None
        made.reasoned += bool(sample.reasoning)
        made.sounding += any(item.kind != "image" and item.sound != "none" for item in sample.media)
        lengths = [item.duration for item in sample.media if item.duration is not None]
        made.seconds += max(lengths, default=0.0)
        made.timed += bool(lengths)
        labels.update(said(sample.answer, sample))
    made.labels = dict(labels.most_common())
    return made


def summaries(root: Path) -> list[Summary]:
    """A summary of every index in a folder.

    Raises:
        SchemaError: a folder without an index, or a damaged one.
    """
    return [summarise(key, split, read(root, key, split)) for key, split in splits_of(root)]


def said(answer: Answer | None, sample: Sample) -> list[str]:
    """The labels in an answer; captions have none."""
    match answer:
        case LabelAnswer(label=label):
            return [label]
        case ChoiceAnswer(index=index):
            return [sample.options[index]] if len(sample.options) <= 2 else [f"option {index + 1}"]
        case TextAnswer(text=text):
            return [text] if sample.question else []
        case EventsAnswer(events=events):
            return [event.label for event in events] or ["nothing"]
        case ObjectsAnswer(objects=objects):
            return [thing.label for thing in objects] or ["nothing"]
    return []

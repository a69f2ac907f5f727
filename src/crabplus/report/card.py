"""One clip in a report: a sample beside what a model said, the answers in words, and whether they agree."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crabplus.schema import (
    Answer,
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Prediction,
    Reply,
    Sample,
    TextAnswer,
)

__all__ = ["CLOCK", "Card", "Verdict", "clock", "describe", "moment", "seconds", "stretch", "verdict"]

TO_THE_LETTER = 4
"""The most words of an answer that can only be right to the letter."""

Mark = Literal["right", "partly", "wrong", "open"]

CLOCK = 600.0
"""Seconds; beyond them a time is written as hours, minutes and seconds."""


@dataclass(frozen=True)
class Card:
    """A sample, what a model said about it, and where its media lie.

    Attributes:
        sample: with its true answer, if known.
        prediction: None where the model gave none.
        folder: the media paths of the sample are relative to it.
        credit: how much of the answer is right by the metric of the task, 0..1; None where that is not known, then
            only words are compared.
        asked: whether a model was asked at all; else the sample alone is shown.
    """

    sample: Sample
    prediction: Prediction | None
    folder: Path
    credit: float | None = None
    asked: bool = True

    @property
    def said(self) -> Answer | None:
        """The predicted answer, None where there is none or an error prevented it."""
        return None if self.prediction is None or self.prediction.error else self.prediction.answer

    def media(self, *kinds: str) -> list[Media]:
        """Media of the sample of these kinds, in order."""
        return [media for media in self.sample.media if media.kind in kinds]

    def path(self, media: Media) -> Path:
        """Where a file of the sample lies."""
        return Path(self.folder) / media.path


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, as a mark and in words."""

    mark: Mark
    words: str


def verdict(card: Card) -> Verdict:
    """Judge a card by its credit, or by comparing words where it has none."""
    if not card.asked:
        return Verdict("open", "")
    if card.prediction is None:
        return Verdict("wrong", "no prediction")
    if card.prediction.error:
        return Verdict("wrong", "failed")
    if card.prediction.answer is None:
        return Verdict("wrong", "unreadable")
    if card.credit is not None:
        return _graded(card.credit)
    if card.sample.answer is None or not isinstance(card.sample.answer, LabelAnswer | ChoiceAnswer | TextAnswer):
        return Verdict("open", "")
    true = _plain(describe(card.sample.answer, card.sample))
    right = true == _plain(describe(card.said, card.sample))
    if not right and isinstance(card.sample.answer, TextAnswer) and len(true.split()) > TO_THE_LETTER:
        return Verdict("open", "")  # the same may be said in other words
    return _graded(float(right))


def _graded(credit: float) -> Verdict:
    if credit >= 0.9995:
        return Verdict("right", "right")
    return Verdict("partly", f"{credit:.0%} right") if credit > 0 else Verdict("wrong", "wrong")


def _plain(words: str) -> str:
    return words.replace("_", " ").strip().rstrip(".").casefold()


def describe(answer: Answer | None, asked: Sample | Reply) -> str:
    """An answer in words; an option of a choice is written out."""
    match answer:
        case None:
            return "no answer"
        case LabelAnswer(label=label):
            return label
        case TextAnswer(text=text):
            return text
        case ChoiceAnswer(index=index):
            return asked.options[index] if index < len(asked.options) else f"option {index + 1}"
        case EventsAnswer(events=events):
            return "; ".join(map(_event, events)) or "nothing happens"
        case ObjectsAnswer(objects=objects, present=present):
            return ", ".join(map(_object, objects)) or ("nothing found" if present else "not in the picture")


def _event(event: Event) -> str:
    sense = "" if event.modality == "audio-visual" else f" ({event.modality})"
    return f"{event.label}{sense} {stretch(event.start, event.end)}"


def _object(thing: Object) -> str:
    return thing.label


def seconds(time: float) -> str:
    """A time without needless zeros: 3, 2.5, 0.25."""
    return f"{time:.2f}".rstrip("0").rstrip(".")


def clock(time: float) -> str:
    """A time as hours, minutes and seconds, with tenths where there are any: 0:10:05, 1:02:03.5."""
    tenths = round(10 * time)
    minutes, rest = divmod(tenths, 600)
    tail = f".{rest % 10}" if rest % 10 else ""
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 10:02}{tail}"


def moment(time: float, length: float) -> str:
    """A time as those of its file of ``length`` seconds are written: 2.5 s; beyond ten minutes 0:00:02.5."""
    return clock(time) if length > CLOCK else f"{seconds(time)} s"


def stretch(start: float, end: float) -> str:
    """From when to when, in one piece: 2 to 2.5 s; beyond ten minutes 0:09:58 to 0:10:05."""
    if end > CLOCK:
        return f"{clock(start)}\u00a0to\u00a0{clock(end)}"
    return f"{seconds(start)}\u00a0to\u00a0{seconds(end)}\u00a0s"

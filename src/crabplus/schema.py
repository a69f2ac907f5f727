"""The typed records that every step of crabplus reads and writes.

Times are seconds, half-open [start, end). Boxes are x1, y1, x2, y2 and points x, y, all normalised to 0..1 of the
picture. Every record is frozen, checks its fields when made, and travels as one line of JSON.
"""

import json
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

__all__ = [
    "Answer", "ChoiceAnswer", "Event", "EventsAnswer", "LabelAnswer", "Media", "Message", "Modality", "Object",
    "ObjectsAnswer", "Parsed", "Part", "PixelBox", "Prediction", "Reply", "Sample", "SchemaError", "Score",
    "TextAnswer", "Window", "from_json", "to_json",
]  # fmt: skip

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

T = TypeVar("T")
Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0)]
Box = tuple[Unit, Unit, Unit, Unit]
Point = tuple[Unit, Unit]
Modality = Literal["audio", "visual", "audio-visual"]
Name = Annotated[str, Field(min_length=1)]


class SchemaError(ValueError):
    """A record that breaks the schema; the message names the record, the field and the value."""


@dataclass(frozen=True, config=_STRICT)
class Media:
    """One file that a sample refers to.

    Attributes:
        role: what the file is to the task, such as ``clip``, ``frame``, ``sound``, ``first``, ``second``.
        kind: ``video``, ``audio`` or ``image``.
        path: file path; in a dataset folder it is relative to that folder.
        start, end: window in seconds that is meant; None for the whole file.
        sound: where the sound of a video comes from: its own ``track``, a separate audio ``file`` of the same sample,
            or ``none``. An audio file has ``track``, an image ``none``.
        duration: seconds; fps: frames per second; size: width and height in pixels; None where not probed.
    """

    role: Name
    kind: Literal["video", "audio", "image"]
    path: Name
    start: Seconds | None = None
    end: Seconds | None = None
    sound: Literal["track", "file", "none"] | None = None
    duration: Seconds | None = None
    fps: Annotated[float, Field(gt=0)] | None = None
    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None = None

    @model_validator(mode="after")
    def _check(self) -> "Media":
        if self.sound is None:
            object.__setattr__(self, "sound", "none" if self.kind == "image" else "track")
        elif self.kind == "image" and self.sound != "none":
            raise ValueError(f"sound: an image has none, not {self.sound!r}")
        elif self.kind == "audio" and self.sound != "track":
            raise ValueError(f"sound: an audio file is its own track, not {self.sound!r}")
        _check_order(self.start, self.end)
        return self


@dataclass(frozen=True, config=_STRICT)
class Event:
    """Something that happens during [start, end) seconds and is heard, seen, or both.

    ``confidence`` is how sure a model was of it, 0..1; None where that is not known.
    """

    label: Name
    start: Seconds
    end: Seconds
    modality: Modality = "audio-visual"
    confidence: Unit | None = None

    @model_validator(mode="after")
    def _check(self) -> "Event":
        _check_order(self.start, self.end)
        return self


@dataclass(frozen=True, config=_STRICT)
class Object:
    """A thing in a picture: normalised box (x1, y1, x2, y2) and points (x, y) inside it.

    ``confidence`` is as for :class:`Event`; ``time`` is the second of the picture, where that is one of a video.
    """

    label: Name
    box: Box | None = None
    points: tuple[Point, ...] = ()
    confidence: Unit | None = None
    time: Seconds | None = None

    @model_validator(mode="after")
    def _check(self) -> "Object":
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError(f"box: x1 < x2 and y1 < y2 wanted, got {self.box}")
        return self


@dataclass(frozen=True, config=_STRICT)
class LabelAnswer:
    """One label out of a vocabulary."""

    label: Name
    type: Literal["label"] = "label"


@dataclass(frozen=True, config=_STRICT)
class ChoiceAnswer:
    """The index, from 0, of one of the options of the sample."""

    index: Annotated[int, Field(ge=0)]
    type: Literal["choice"] = "choice"


@dataclass(frozen=True, config=_STRICT)
class TextAnswer:
    """Free text: a word that answers a question, or a caption."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, config=_STRICT)
class EventsAnswer:
    """Events with their times; an empty list says that nothing happens."""

    events: tuple[Event, ...] = ()
    type: Literal["events"] = "events"


@dataclass(frozen=True, config=_STRICT)
class ObjectsAnswer:
    """Things with their places; ``present`` is False where the referred thing is not in the picture."""

    objects: tuple[Object, ...] = ()
    present: bool = True
    type: Literal["objects"] = "objects"

    @model_validator(mode="after")
    def _check(self) -> "ObjectsAnswer":
        if self.objects and not self.present:
            raise ValueError("present: False goes with an empty list of objects")
        return self


Answer = Annotated[LabelAnswer | ChoiceAnswer | TextAnswer | EventsAnswer | ObjectsAnswer, Field(discriminator="type")]


@dataclass(frozen=True, config=_STRICT)
class Sample:
    """One question about media, with its true answer where that is known.

    ``meta`` holds what only one dataset knows (a question type, a fold), as plain JSON values.
    """

    id: Name
    dataset: Name
    task: Name
    split: Name
    media: tuple[Media, ...] = ()
    question: str | None = None
    options: tuple[str, ...] = ()
    answer: Answer | None = None
    reasoning: str | None = None
    meta: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "Sample":
        if isinstance(self.answer, ChoiceAnswer) and self.answer.index >= len(self.options):
            raise ValueError(f"answer.index: {self.answer.index} of {len(self.options)} options")
        return self


@dataclass(frozen=True, config=_STRICT)
class Part:
    """A piece of a message: text, or media shown as video, audio or image.

    ``frames`` is how many pictures are taken from a video.
    """

    kind: Literal["text", "video", "audio", "image"]
    text: str | None = None
    media: Media | None = None
    frames: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _check(self) -> "Part":
        if (self.kind == "text") != (self.text is not None) or (self.kind == "text") == (self.media is not None):
            raise ValueError(f"kind: {self.kind!r} goes with {'text' if self.kind == 'text' else 'media'} alone")
        return self


@dataclass(frozen=True, config=_STRICT)
class Message:
    """A turn of a conversation: who speaks, and the parts in order."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, config=_STRICT)
class Parsed:
    """What was read from generated text; ``reason`` says why ``answer`` is None."""

    answer: Answer | None = None
    reasoning: str | None = None
    reason: str | None = None


@dataclass(frozen=True, config=_STRICT)
class Prediction:
    """What a model said about one sample: the raw text, the answer read from it, or the error that prevented it.

    ``confidence`` is the geometric mean of the probabilities that the model gave to the tokens of the answer.
    """

    id: Name
    task: Name
    text: str | None = None
    answer: Answer | None = None
    reasoning: str | None = None
    reason: str | None = None
    error: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    confidence: Unit | None = None


@dataclass(frozen=True, config=_STRICT)
class Window:
    """What a model said about the seconds [start, end) of a file that is longer than it is shown at a time.

    Times of its answer are on the clock of the file. ``reason`` and ``error`` are as for :class:`Prediction`.
    """

    start: Seconds
    end: Seconds
    text: str | None = None
    answer: Answer | None = None
    reasoning: str | None = None
    reason: str | None = None
    error: str | None = None
    confidence: Unit | None = None


class PixelBox(NamedTuple):
    """A box in whole pixels of the original picture: corners (x1, y1) and (x2, y2), the latter just outside.

    ``time`` is the second of the picture in a video, None for a still.
    """

    label: str
    x1: int
    y1: int
    x2: int
    y2: int
    time: float | None
    confidence: float | None


@dataclass(frozen=True, config=_STRICT)
class Reply(Prediction):
    """What a model said about a file of a user: a prediction, with the file and, of a long one, its windows.

    Attributes:
        media: the files that were asked about, with duration, pictures per second and size as probed.
        question, options: as for :class:`Sample`.
        windows: what was said of each window, in order of time, where the answer was joined from several.
    """

    media: tuple[Media, ...] = ()
    question: str | None = None
    options: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()

    @property
    def pixel_boxes(self) -> list[PixelBox]:
        """Boxes of the answer in pixels of the original picture; none where the answer has none.

        Raises:
            ValueError: there are boxes, and no file of which the size is known.
        """
        things = self.answer.objects if isinstance(self.answer, ObjectsAnswer) else ()
        boxed = [thing for thing in things if thing.box]
        size = next((media.size for media in self.media if media.size), None)
        if boxed and size is None:
            raise ValueError(f"{self.id}: boxes in pixels need the size of the picture, and it is not known")
        return [_in_pixels(thing, size) for thing in boxed if size]


def _in_pixels(thing: Object, size: tuple[int, int]) -> PixelBox:
    (width, height), (x1, y1, x2, y2) = size, thing.box or (0.0, 0.0, 1.0, 1.0)
    left, top = min(round(x1 * width), width - 1), min(round(y1 * height), height - 1)
    right, bottom = max(round(x2 * width), left + 1), max(round(y2 * height), top + 1)
    return PixelBox(thing.label, left, top, right, bottom, thing.time, thing.confidence)


@dataclass(frozen=True, config=_STRICT)
class Score:
    """The score of one task key.

    Attributes:
        metric: name of the main metric; score: its value, 0..1.
        constant: score of the best constant answer on the same samples; n: number of samples.
        unparsable: answers that could not be read; missing: samples without a prediction (both count as wrong).
        ci95: bootstrap interval over samples, low and high; others: further numbers of the official metric.
        version: of prompt, target, parser and metric of the key; scores of two versions do not compare.
        partial: predictions and samples did not match, and were scored all the same.
        settings: how the predictions were made (model, revision, adapter, pack, decoding), as they say themselves; a
            list where they differ. notes: what else has to be known to read the numbers.
    """

    metric: str
    score: float
    constant: float
    n: int
    unparsable: int
    missing: int
    ci95: tuple[float, float]
    others: dict[str, float | None] = Field(default_factory=dict)
    version: int = 1
    partial: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _check_order(start: float | None, end: float | None) -> None:
    if start is not None and end is not None and end < start:
        raise ValueError(f"end: {end} lies before start {start}")


def to_json(record: Any) -> str:
    """The record as one line of JSON, without fields that are None."""
    return TypeAdapter(type(record)).dump_json(record, exclude_none=True).decode()


def from_json(text: str | bytes | dict[str, Any], kind: type[T] = Sample) -> T:  # type: ignore[assignment]
    """The inverse of :func:`to_json`; a dict that JSON gave is taken too. A reply is read where predictions are.

    Raises:
        SchemaError: text that is no JSON, or a record that breaks the schema; names record, field and value.
    """
    try:
        data = text if isinstance(text, dict) else json.loads(text)
    except json.JSONDecodeError as error:
        where = f", at {error.doc[error.pos : error.pos + 20]!r}" if error.doc[error.pos :] else ", it ends too soon"
        raise SchemaError(f"{kind.__name__}: not JSON: {error.msg}{where}") from error
    wanted: Any = Reply if kind is Prediction and isinstance(data, dict) and "media" in data else kind
    try:
        found: T = TypeAdapter(wanted).validate_python(data)
        return found
    except ValidationError as error:
        name = f" {data['id']!r}" if isinstance(data, dict) and "id" in data else ""
        raise SchemaError(f"{kind.__name__}{name}: " + "; ".join(map(_problem, error.errors()))) from error


def _problem(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "record"
    return f"{field}: {error['msg']}, got {error['input']!r:.80}"

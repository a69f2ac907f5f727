"""What the published files of all keys have in common: records with their fields, and the media that they name."""

import math
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from crabplus.schema import (
    Answer,
    ChoiceAnswer,
    EventsAnswer,
    LabelAnswer,
    Media,
    ObjectsAnswer,
    Parsed,
    Sample,
    SchemaError,
    TextAnswer,
)
from crabplus.tasks import default_pack, get_task

Record = dict[str, Any]
A = TypeVar("A", ChoiceAnswer, EventsAnswer, LabelAnswer, ObjectsAnswer, TextAnswer)


@dataclass(frozen=True)
class Fields:
    """One record of the file of a key and split; every error names the field."""

    values: Mapping[str, Any]
    key: str
    split: str

    def text(self, name: str) -> str:
        """A text that is not empty, or a number as text."""
        value = self.values[name]
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
            raise SchemaError(f"{name}: text wanted, got {value!r:.80}")
        return str(value).strip()

    def number(self, name: str) -> float:
        """A number, or a text that is one."""
        try:
            value = float(self.text(name))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise SchemaError(f"{name}: a number wanted, got {self.values[name]!r:.80}")
        return value

    def path(self, name: str, folder: str = "") -> str:
        """A media file, from a path below a folder of the key to one below the data folder."""
        return posixpath.normpath(posixpath.join(self.key, folder, self.text(name)))

    def said(self, name: str) -> Parsed:
        """What a target text says; no answer in it is an error."""
        found = get_task(self.key).read(self.text(name), None, default_pack())
        if found.answer is None:
            raise SchemaError(f"{name}: {found.reason}, in {self.values[name]!r:.120}")
        return found

    def sample(self, name: str, media: tuple[Media, ...], answer: Answer | None, *used: str, **more: Any) -> Record:
        """Fields of a :class:`Sample`; what is not ``used`` otherwise is kept in ``meta``."""
        known = ("video_path", "audio_path", "image_path", "visual_path", *used)
        meta = {field: value for field, value in self.values.items() if field not in known}
        return {"id": name, "media": media, "answer": answer, "meta": meta, **more}


@dataclass(frozen=True)
class Layout:
    """Fields of the training and of the test file, how a record becomes fields of a sample, and a sample a record.

    ``test`` is None where no test file is published; ``optional`` fields may be there. ``target`` names the field of
    the training file that holds the target text, ``label`` that of the one label that is the answer. Records are
    written from what the sample says and, where it does not say a thing, from its ``meta``.
    """

    train: tuple[str, ...]
    test: tuple[str, ...] | None
    target: str
    read: Callable[[Fields], dict[str, Any]]
    write: Callable[[Sample], Record]
    optional: tuple[str, ...] = ()
    label: str | None = None

    def names(self, split: str) -> tuple[str, ...]:
        """Fields of a split."""
        return (*self.train, self.target) if split == "train" else self.test or ()


def clip(fields: Fields) -> tuple[Media, ...]:
    """A film and the file of its sound; where both are one file, the film with its own track."""
    film, sound = fields.path("video_path", "video"), fields.path("audio_path", "audio")
    if film == sound:
        return (Media("clip", "video", film, sound="track"),)
    return Media("clip", "video", film, sound="file"), Media("sound", "audio", sound)


def clip_paths(sample: Sample) -> Record:
    """The inverse of :func:`clip`."""
    film = one(sample, "video")
    sound = next((item for item in sample.media if item.kind == "audio"), film)
    return {"video_path": below(film, sample, "video"), "audio_path": below(sound, sample, "audio")}


def picture(fields: Fields, second: int | None) -> tuple[Media, ...]:
    """A picture, and the second of the sound in which it was taken; None for the whole sound."""
    image = fields.path("image_path" if fields.split == "train" else "visual_path")
    end = None if second is None else second + 1
    return Media("frame", "image", image), Media("sound", "audio", fields.path("audio_path"), second, end)


def picture_paths(sample: Sample) -> Record:
    """The inverse of :func:`picture`, with both names of the picture, and ``second``."""
    image, sound = one(sample, "image"), one(sample, "audio")
    paths = dict.fromkeys(("image_path", "visual_path"), below(image, sample))
    return {**paths, "audio_path": below(sound, sample), "second": int(sound.start or 0)}


def one(sample: Sample, kind: str) -> Media:
    """The one file of a kind."""
    found = [item for item in sample.media if item.kind == kind]
    if len(found) != 1:
        raise SchemaError(f"media: one {kind} file wanted, got {len(found)}")
    return found[0]


def below(item: Media, sample: Sample, folder: str = "") -> str:
    """The path of a file from a folder of the key, as a record names it."""
    return posixpath.relpath(item.path, posixpath.join(sample.task, folder))


def true(sample: Sample, kind: type[A]) -> A:
    """The true answer of a sample, which has to be of a kind."""
    if not isinstance(sample.answer, kind):
        got = "none" if sample.answer is None else type(sample.answer).__name__
        raise SchemaError(f"answer: a true {kind.__name__} wanted, got {got}")
    return sample.answer


def stem(path: str) -> str:
    """The name of a file without folder and ending."""
    return posixpath.splitext(posixpath.basename(path))[0]

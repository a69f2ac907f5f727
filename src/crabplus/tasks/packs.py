"""Packs: the wording in which a model is asked, and the canvas on which it gives boxes; versioned YAML files."""

from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal
from zlib import crc32

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

Positive = Annotated[int, Field(gt=0)]
PLACES = ("question", "lowered", "options", "choices", "width", "height")
"""What may stand in braces in an instruction: ``lowered`` is the question in small letters; width and height are those
of the canvas."""


def _filled(text: str, places: tuple[str, ...]) -> str:
    """The text, if every brace in it names one of these places."""
    try:
        text.format(**dict.fromkeys(places, ""))
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"in braces may stand {', '.join(places)}: {type(error).__name__} {error}") from error
    return text


class Wording(BaseModel):
    """How one task key is asked: text before the media, paraphrases of the instruction, frames taken from a video."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lead: str = ""
    instructions: Annotated[tuple[str, ...], Field(min_length=1)]
    frames: Positive | None = None

    @field_validator("instructions")
    @classmethod
    def _instructions(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_filled(text, PLACES) for text in texts)


class Pack(BaseModel):
    """Settings and wordings of all keys.

    Attributes:
        canvas: width and height, in units, on which boxes are written; size: pixels to which pictures are brought.
        frames: frames taken from a video where a key says nothing else; longest: seconds shown at a time.
        spaced: words and numbers in answers stand behind a space, as they do in sentences: a small model then has one
            token for each and not two.
        system: system prompt, may be empty; keys: wording of each key.
        direct: sentence that is added to the instruction where no reasoning is wanted; may be empty.
        choices: how the vocabulary of a sample is named, with ``{options}`` in it; it stands where an instruction says
            ``{choices}``, and nothing does where a sample has no vocabulary.
        vocabulary: sentence that is added where a user's own labels have to be kept to and the instruction does not
            name them, with ``{options}`` in it; may be empty.
        lettered: answers to choose from are given as ``(A) one; (B) two``; else as Python writes a list, which is how
            the published model was asked.
        media: ``whole``, or ``published`` for the rules by which the published model was shown media
            (:mod:`crabplus.data.published`).
        joins: by key, how one answer is asked for out of what was said of the windows of a long file, with ``{notes}``
            in it, and all that an instruction may have.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: Positive
    canvas: tuple[Positive, Positive]
    size: tuple[Positive, Positive]
    frames: Positive
    longest: Annotated[float, Field(gt=0)]
    max_new_tokens: Positive = 512
    spaced: bool = False
    system: str = ""
    choices: str = ""
    direct: str = ""
    vocabulary: str = ""
    lettered: bool = True
    media: Literal["whole", "published"] = "whole"
    joins: dict[str, str] = Field(default_factory=dict)
    keys: dict[str, Wording]

    @field_validator("choices", "vocabulary")
    @classmethod
    def _choices(cls, text: str) -> str:
        return _filled(text, ("options",))

    @field_validator("joins")
    @classmethod
    def _joins(cls, texts: dict[str, str]) -> dict[str, str]:
        return {key: _filled(text, (*PLACES, "notes")) for key, text in texts.items()}

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with anything in the pack."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def wording(self, key: str) -> Wording:
        """The wording of a key.

        Raises:
            KeyError: the pack has none.
        """
        if key not in self.keys:
            raise KeyError(f"pack {self.name!r} has no wording for key {key!r}; it has {', '.join(self.keys)}")
        return self.keys[key]

    def instruction(self, key: str, sample_id: str, draw: int | None = None) -> str:
        """One of the paraphrases, always the same for the same sample and draw."""
        texts = self.wording(key).instructions
        drawn = f"{key}/{sample_id}" if draw is None else f"{key}/{sample_id}/{draw}"
        return texts[crc32(drawn.encode()) % len(texts)]

    def frames_of(self, key: str) -> int:
        """How many frames of a video the key is shown."""
        return self.wording(key).frames or self.frames


def load_pack(path: str | Path) -> Pack:
    """Read a pack from a YAML file.

    Raises:
        ValueError: a field is missing, unknown or wrong; names file and field.
    """
    try:
        return Pack.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        wrong = (
            f"{'.'.join(map(str, e['loc'])) or 'pack'}: {e['msg']}, got {e['input']!r:.60}" for e in error.errors()
        )
        raise ValueError(f"{path}: not a pack: {'; '.join(wrong)}") from error


@cache
def default_pack() -> Pack:
    """The pack for 7 B models, in the published setting: 224 x 224 canvas, 10 frames."""
    with resources.as_file(resources.files("crabplus.assets") / "packs" / "omni.yaml") as path:
        return load_pack(path)

"""From a request to what the model is shown: a free chat, or a task of ours in the words of the pack."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crabplus import media
from crabplus.own import Asked, AskError, Named, key_of, sample_of, windows_of
from crabplus.schema import Media, Message, Part, Sample
from crabplus.serve.limits import Limits, Refused
from crabplus.serve.media import put_down
from crabplus.serve.request import ChatRequest, Item, Turn
from crabplus.tasks import Pack, get_task
from crabplus.windows import split

__all__ = ["Prompt", "in_request", "prompt_of"]

_FIELDS = {"image_url": "image", "video_url": "video", "audio_url": "audio", "input_audio": "audio"}


@dataclass(frozen=True)
class Prompt:
    """Turns for the encoder; with a ``sample`` where a task of ours was asked."""

    messages: tuple[Message, ...]
    sample: Sample | None = None


def prompt_of(request: ChatRequest, pack: Pack, folder: Path, limits: Limits) -> Prompt:
    """Read the media of a request and word it; ``folder`` is that of this request alone.

    Raises:
        Refused: media that cannot be read or are too many, a task that cannot be asked about them.
    """
    _count(request, limits)
    reader = _Reader(pack, folder, limits)
    try:
        if request.task is not None:
            return _of_task(request, pack, reader)
        turns = [Message(_role(turn), tuple(reader.parts(turn))) for turn in request.messages]
    except (AskError, media.MediaError) as error:
        raise Refused(400, in_request(str(error), folder)) from None
    if pack.system and turns[0].role != "system":
        turns.insert(0, Message("system", (Part(kind="text", text=pack.system),)))
    return Prompt(tuple(turns))


def _count(request: ChatRequest, limits: Limits) -> None:
    if len(request.messages) > limits.messages:
        raise Refused(400, f"messages: at most {limits.messages}, got {len(request.messages)}", param="messages")
    items = [item for turn in request.messages if not isinstance(turn.content, str) for item in turn.content]
    shown = sum(item.type != "text" for item in items)
    if shown > limits.media:
        raise Refused(400, f"messages: at most {limits.media} media, got {shown}", param="messages")
    letters = sum(len(item.text or "") for item in items)
    letters += sum(len(turn.content) for turn in request.messages if isinstance(turn.content, str))
    letters += sum(map(len, request.labels))
    if letters > limits.text:
        raise Refused(400, f"messages: at most {limits.text} letters of text, got {letters}", param="messages")
    if request.labels and request.task is None:
        raise Refused(400, "labels: they belong to a task, and none is named", param="labels")


def _role(turn: Turn) -> Any:
    return "system" if turn.role == "developer" else turn.role


class _Reader:
    """Puts the media of one request down, and looks at what they are."""

    def __init__(self, pack: Pack, folder: Path, limits: Limits) -> None:
        self.pack, self.folder, self.limits = pack, folder, limits
        self.number = 0

    def parts(self, turn: Turn) -> list[Part]:
        """The parts of a turn as the model takes them."""
        if isinstance(turn.content, str):
            return [Part(kind="text", text=turn.content)]
        return [self._part(item) for item in turn.content]

    def path(self, item: Item) -> tuple[str, Path]:
        """Kind and file of a medium."""
        kind = _FIELDS[item.type]
        given = getattr(item, item.type)
        address = f"data:audio/{given.format};base64,{given.data}" if item.type == "input_audio" else given.url
        self.number += 1
        return kind, put_down(address, kind, self.folder, self.number, self.limits)

    def _part(self, item: Item) -> Part:
        if item.type == "text":
            return Part(kind="text", text=item.text or "")
        kind, path = self.path(item)
        found = media.probe(path)
        wanted = {"image": found.kind == "image", "video": found.kind == "video", "audio": found.has_sound}[kind]
        if not wanted:
            raise Refused(400, f"messages: a part of type {item.type} holds {found.kind} media", param="messages")
        if kind == "image":
            return Part(kind="image", media=Media("frame", "image", str(path), size=found.size))
        longest = self.pack.longest
        if (found.duration or 0) > longest + 0.5:
            raise Refused(400, f"messages: {kind} of {found.duration:.1f} s; this model is shown at most {longest:g} s")
        if kind == "audio":
            return Part(kind="audio", media=Media("sound", "audio", str(path), duration=found.duration))
        shown = Media("clip", "video", str(path), sound="track" if found.has_sound else "none",
                      duration=found.duration, fps=found.fps, size=found.size)  # fmt: skip
        return Part(kind="video", media=shown, frames=self.pack.frames)


def _of_task(request: ChatRequest, pack: Pack, reader: _Reader) -> Prompt:
    """One question of a task of ours about the media of the only message."""
    if len(request.messages) != 1 or isinstance(request.messages[0].content, str):
        raise Refused(400, "messages: a task is asked in one message of media, with its question if it takes one")
    items = request.messages[0].content
    question = " ".join(item.text for item in items if item.type == "text" and item.text) or None
    files = [reader.path(item) for item in items if item.type != "text"]
    shown = [path for kind, path in files if kind != "audio"]
    heard = [path for kind, path in files if kind == "audio"]
    if not files:
        raise Refused(400, f"messages: {request.task} is asked about media, and there are none", param="messages")
    first, *others = shown or heard[:1]
    sounds = tuple(map(str, heard if shown else heard[1:]))
    try:
        key = key_of(str(request.task), pack, request.labels)
    except KeyError as error:
        raise Refused(400, str(error.args[0]), param="task") from None
    asked = Asked(key, question, tuple(request.labels), sounds)
    sample = sample_of(Named(first.name, str(first)), asked, [str(path) for path in others])
    windows: Sequence[tuple[float, float]] = windows_of(sample, asked, pack)
    if len(windows) > 1:
        raise Refused(400, f"messages: longer than the {pack.longest:g} s that this model is shown at a time; cut it")
    (sample,) = split(sample, windows)
    return Prompt(get_task(key).prompt(sample, pack), sample)


def in_request(text: str, folder: Path) -> str:
    """An error in the words of a request: media by their numbers, no folder of the server, no options of commands."""
    text = re.sub(re.escape(f"{folder}/") + r"(\d+)\.(\w+)", r"medium \1 (\2)", text).replace(str(folder), "")
    text = re.sub(r"its name ends in \.(\w+), but it holds ([^;]*); rename it", r"it is called \1, and holds \2", text)
    return re.sub(r" \(--[^)]*\)", "", text).replace(": name a ", ": send a ").replace(": name it", ": send it")

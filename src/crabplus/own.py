"""People's own media: which files are meant, which task a plain name is, what is shown of a file, and what is asked."""

import glob
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from crabplus import media as files
from crabplus.media.containers import SUFFIXES
from crabplus.media.records import Probe
from crabplus.schema import Media, Sample
from crabplus.tasks import TASKS, Pack, Task, get_task
from crabplus.windows import plan, span_of

__all__ = [
    "NAMES",
    "AskError",
    "Asked",
    "Named",
    "check_sounds",
    "files_of",
    "find_files",
    "key_of",
    "sample_of",
    "windows_of",
]

NAMES: dict[str, tuple[str, ...]] = {
    "events": ("unav", "ave", "avvp"), "boxes": ("arig", "s4", "ms3"), "masks": ("ms3", "s4", "arig"),
    "action": ("ks", "ucf"), "emotion": ("mer24", "meld", "dfew", "mafw", "cremad"),
    "question": ("avqa", "avqa_thu"), "caption": ("avcap",), "match": ("a2v", "v2a"),
}  # fmt: skip
"""Tasks by plain names: the keys that do it, the first of which a model has a wording is taken."""
MATCHING = ("a2v", "v2a")
CUTS_AT_A_TIME = 30.0  # seconds of a video that one call looks through for cuts

FilePath = str | os.PathLike[str]


class AskError(ValueError):
    """A question that cannot be put to a file; the message says why and what to do."""


@dataclass(frozen=True)
class Named:
    """A file, and the name that it has among those that are asked about, in characters that can be written."""

    name: str
    path: str


@dataclass(frozen=True)
class Asked:
    """What is asked of every file.

    Attributes:
        key: task key; question: for keys that take one.
        labels: a vocabulary of one's own, to which answers are then held; for ``avqa_thu`` the answers to choose from.
        sounds: files with the sound that goes with a picture or a silent video; of ``v2a``, two to choose from. A
            folder instead holds the sound of each file under the file's own name, with the ending of a sound.
        start, end: seconds of the file that are meant; None for its ends.
        window: seconds shown at a time; None for what the pack says. overlap: seconds that two windows have in common;
            None for a fifth of a window. cuts: whether windows end at hard cuts where they can.
    """

    key: str
    question: str | None = None
    labels: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None
    window: float | None = None
    overlap: float | None = None
    cuts: bool = True

    @property
    def closed(self) -> bool:
        """Whether answers are held to the labels."""
        return bool(self.labels)


def key_of(name: str, pack: Pack, labels: Sequence[str] = ()) -> str:
    """The task key that a plain name, or a key, means for a model with this pack.

    A question with ``labels`` is one that chooses among them.

    Raises:
        AskError: the model has no wording for it; KeyError: no such name or key, with the nearest.
    """
    worded = [key for key in NAMES.get(name, ()) if key in pack.keys]
    if worded:
        return "avqa_thu" if name == "question" and labels and "avqa_thu" in worded else worded[0]
    if name in NAMES:
        able = ", ".join(plain for plain, keys in NAMES.items() if any(key in pack.keys for key in keys))
        raise AskError(f"this model was not taught {name!r} (its pack {pack.name!r} has no wording); it knows {able}")
    task = _known(name)
    pack.wording(task.worded(pack.keys))
    return task.key


def _known(name: str) -> Task:
    import difflib

    try:
        return get_task(name)
    except KeyError:
        near = difflib.get_close_matches(name, [*NAMES, *TASKS], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"unknown task {name!r}; known: {', '.join(NAMES)}, or a task key{hint}") from None


def check_sounds(asked: Asked, count: int) -> None:
    """Raise an AskError where one sound file would be taken for many files."""
    if count > 1 and asked.sounds and asked.key not in MATCHING and not os.path.isdir(asked.sounds[0]):
        raise AskError(f"one sound for {count} files: name a folder in which each has its sound under its own name")


def find_files(paths: Iterable[FilePath]) -> list[Named]:
    """Files that are named by themselves, by their folder (with all below it) or by a pattern such as ``*.mp4``.

    In a folder only files with the ending of a medium are meant, in the order of their names. A name is that of the
    file, or its path below the folder; where two would be the same it is the whole path.

    Raises:
        AskError: nothing is there, a folder or a pattern has no media, or a file is named twice.
    """
    found = [replace(n, name=_writable(n.name)) for path in paths for n in _found(os.fspath(path))]
    if not found:
        raise AskError("no files are named")
    counts: dict[str, int] = {}
    for named in found:
        counts[named.name] = counts.get(named.name, 0) + 1
    named_apart = [n if counts[n.name] == 1 else replace(n, name=_writable(n.path)) for n in found]
    seen: set[str] = set()
    for named in named_apart:
        if named.name in seen:
            raise AskError(f"{named.path} is named twice")
        seen.add(named.name)
    return named_apart


def _writable(name: str) -> str:
    r"""The name with what is no character in it written as ``\\x..``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _found(path: str) -> list[Named]:
    if os.path.isdir(path):
        below = sorted(p for p in Path(path).rglob("*") if p.suffix.lower() in SUFFIXES and not p.is_dir())
        if not below:
            raise AskError(f"{path}: no media in this folder; they end in {', '.join(sorted(SUFFIXES))}")
        return [Named(p.relative_to(path).as_posix(), str(p)) for p in below]
    if os.path.lexists(path):
        return [Named(os.path.basename(path), path)]
    if glob.has_magic(path):
        matched = sorted(p for p in glob.glob(path, recursive=True) if Path(p).suffix.lower() in SUFFIXES)
        if matched:
            return [Named(os.path.basename(p), p) for p in matched]
        raise AskError(f"{path}: no media have such a name")
    raise AskError(f"{path}: no such file or folder")


def sample_of(named: Named, asked: Asked, others: Sequence[FilePath] = ()) -> Sample:
    """The question about one file, whatever its length, with what probing it says.

    Args:
        others: further videos, of which ``a2v`` chooses.

    Raises:
        AskError: the key needs what the file does not have. MediaError: unreadable file.
    """
    key = asked.key
    shown = _match(named, asked, others) if key in MATCHING else _media(named.path, asked)
    return Sample(
        id=named.name, dataset="own", task=key, split="own", media=shown, question=check_question(key, asked.question),
        options=("one", "two") if key in MATCHING else asked.labels,
        meta={"closed": True} if asked.closed and key != "avqa_thu" else {},
    )  # fmt: skip


def windows_of(sample: Sample, asked: Asked, pack: Pack) -> list[tuple[float, float]]:
    """The windows, in seconds, in which a model is shown a sample; none where it has no time or needs all at once.

    Raises:
        AskError: a length or an overlap that cannot be.
    """
    span = span_of(sample)
    if span is None or sample.task in MATCHING:
        return []
    low, high = span
    length = pack.longest if asked.window is None else asked.window
    if not 0 < length <= pack.longest:
        raise AskError(
            f"windows of {length:g} s: this model is shown more than 0 and at most {pack.longest:g} s at a time"
        )
    overlap = length / 5 if asked.overlap is None else asked.overlap
    try:
        found = plan(low, high, length, overlap)
        film = next((item for item in files_of(sample) if item.kind == "video"), None)
        if len(found) > 1 and asked.cuts and film:
            found = plan(low, high, length, overlap, _cuts(film.path, low, high))
    except ValueError as error:
        raise AskError(f"{sample.id}: {error}") from error
    return found


def _cuts(path: str, low: float, high: float) -> list[float]:
    """Hard cuts of a video; a stretch that cannot be read has none: its windows will say so."""
    found: list[float] = []
    begin = low
    while begin < high:
        with suppress(files.MediaError):
            found += files.cuts(path, begin, min(begin + CUTS_AT_A_TIME, high))
        begin += CUTS_AT_A_TIME
    return found


def files_of(sample: Sample) -> tuple[Media, ...]:
    """The files that a question is about, as the user knows them.

    A model may be shown one picture of a video and its sound apart; here that is one video.
    """
    first, *others = sample.media
    if first.kind != "image" or first.start is None:
        return sample.media
    apart = [item for item in others if item.path != first.path]
    return (replace(first, role="clip", kind="video", sound="file" if apart else "track"), *apart)


def check_question(key: str, question: str | None) -> str | None:
    """The question, if the key takes one and there is one, or takes none and there is none.

    Raises:
        AskError: else.
    """
    if get_task(key).takes_question and not question:
        raise AskError(f"{key} answers a question, and there is none: name it (--question ...)")
    if question and not get_task(key).takes_question:
        takers = ", ".join(name for name, made in TASKS.items() if made.takes_question)
        raise AskError(f"{key} takes no question; those that do: {takers}")
    return question


def _media(path: str, asked: Asked) -> tuple[Media, ...]:
    """What a task is shown of a file, whatever its length."""
    if path != _writable(path):
        raise AskError(f"{_writable(path)}: this name cannot be written down: rename the file")
    found, needs, key = files.probe(path), get_task(asked.key).needs, asked.key
    if len(asked.sounds) > 1:
        raise AskError(f"{key} takes one sound file, not {len(asked.sounds)}")
    sound = _sound_of(path, asked.sounds[0], found) if asked.sounds else None
    _check(path, key, found, needs, sound)
    if found.kind == "image":
        return (Media("frame", "image", path, size=found.size), *_sound(sound, asked.start, asked.end))
    low, high = _window(path, found.duration or 0.0, asked.start, asked.end)
    if found.kind == "audio":
        return (Media("sound", "audio", path, low, high, duration=found.duration),)
    tracks = _sound(sound, low, high)
    about: dict[str, Any] = {"duration": found.duration, "fps": found.fps, "size": found.size}
    if "picture" in needs:  # the middle picture of the window, and the sound of all of it
        own = Media("sound", "audio", path, low, high, duration=found.duration)
        return (Media("frame", "image", path, low, high, **about), *(tracks or (own,)))
    origin: Literal["file", "track", "none"] = "file" if tracks else "track" if found.has_sound else "none"
    return (Media("clip", "video", path, low, high, sound=origin, **about), *tracks)


def _sound_of(path: str, sound: str, found: Probe) -> str | None:
    """The sound file that goes with a file: the one that is named, or that of its name in a folder.

    A file that is not in the folder keeps its own sound, if it has one.
    """
    if not os.path.isdir(sound):
        return sound
    named = sorted(p for p in Path(sound).glob(f"{glob.escape(Path(path).stem)}.*") if p.suffix.lower() in SUFFIXES)
    other = [str(p) for p in named if p.resolve() != Path(path).resolve()]
    if not other and not found.has_sound:
        raise AskError(f"{path} has no sound, and {sound} holds none of that name")
    return other[0] if other else None


def _check(path: str, key: str, found: Probe, needs: frozenset[str], sound: str | None) -> None:
    if not (found.has_sound or sound) and "sound" in needs:
        raise AskError(f"{path} has no sound, and {key} asks for what is heard: name a sound file (--sound FILE)")
    if not found.has_pictures and needs & {"picture", "film"}:
        raise AskError(f"{path} has no pictures, and {key} asks for what is seen: name a video or a picture")
    if "film" in needs and found.kind == "image":
        raise AskError(f"{path} is a picture, and {key} asks when something happens: name a video")


def _sound(path: str | None, start: float | None, end: float | None) -> tuple[Media, ...]:
    """The record of a separate sound file, if there is one."""
    if path is None:
        return ()
    found = files.probe(path)
    if not found.has_sound:
        raise AskError(f"{path} has no sound in it")
    low, high = _window(path, found.duration or 0.0, start, end)
    return (Media("sound", "audio", path, low, high, duration=found.duration),)


def _window(path: str, duration: float, start: float | None, end: float | None) -> tuple[float, float]:
    """The seconds that are meant: by default all."""
    low, high = start or 0.0, duration if end is None else end
    if not 0 <= low < duration:
        raise AskError(f"{path} lasts {duration:.1f} s, and does not reach second {low:g} (--start): not in it")
    if not low < high:
        raise AskError(f"{path}: the part to ask about would end at second {high:g}, before it starts at {low:g}")
    return low, min(high, duration)


def _match(named: Named, asked: Asked, others: Sequence[FilePath]) -> tuple[Media, ...]:
    """A sound and two videos (``a2v``), or a video and two sounds (``v2a``)."""
    videos = [named.path, *(os.fspath(path) for path in others)]
    wanted = (2, 1) if asked.key == "a2v" else (1, 2)
    if (len(videos), len(asked.sounds)) != wanted:
        raise AskError("match takes two videos and one sound (--sound FILE), or one video and two sounds")
    whole = replace(asked, sounds=())
    shown = [replace(_pictures(path, whole), sound="none") for path in videos]
    heard = [_sound(path, None, None)[0] for path in asked.sounds]
    given, choices = (heard, shown) if asked.key == "a2v" else (shown, heard)
    roles = ("given", "first", "second")
    return tuple(replace(item, role=role) for item, role in zip([*given, *choices], roles, strict=True))


def _pictures(path: str, asked: Asked) -> Media:
    found = files.probe(path)
    if found.kind != "video":
        raise AskError(f"{path} is no video")
    low, high = _window(path, found.duration or 0.0, asked.start, asked.end)
    return Media("clip", "video", path, low, high, duration=found.duration, fps=found.fps, size=found.size)

"""crabplus in Python: load a model once, then ask it about media files."""

from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import torch

from crabplus import media as files
from crabplus.data import WithSource, pack_for
from crabplus.generate import check_adapter, load_adapter, predict
from crabplus.models import TINY, load_model, resolve
from crabplus.models.source import Files
from crabplus.schema import EventsAnswer, Media, Prediction, Sample
from crabplus.tasks import TASKS, Pack, get_task


class AskError(ValueError):
    """A question that cannot be put to a file; the message says why and what to do."""


class CrabPlus:
    """A model with its adapter and pack.

    Attributes:
        model: the loaded model family object; pack: wording and settings.
        origin: name and revision of model and adapter, as predictions record them.
    """

    def __init__(self, model: Any, pack: Pack, origin: dict[str, str] | None = None) -> None:
        self.model, self.pack, self.origin = model, pack, origin or {}
        self._lock = Lock()

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path = TINY, adapter: str | Path | None = None, *,
                        pack: str | Path | None = None, **settings: Any) -> "CrabPlus":  # fmt: skip
        """Load a model.

        Args:
            name_or_path: ``tiny`` for the shipped model, a folder, or a hub name.
            adapter: folder of an adapter; ``"none"`` for the bare base; None for the one beside the model, if any.
            pack: a pack file; None for the one that lies beside the model, else the default one.
            settings: ``dtype`` (default float32 for the shipped model, else as stored), ``device`` (default: an
                accelerator if there is one), ``attention``.
        """
        named = adapter_for(name_or_path, adapter)  # before the model is loaded, which may take minutes
        chosen = pack_for(name_or_path, pack)
        if str(name_or_path) == TINY:
            settings.setdefault("dtype", "float32")
        settings.setdefault("device", default_device())
        model = load_model(name_or_path, chosen.size, **settings)
        if str(named) != "none":
            load_adapter(model, named)
        return cls(model, chosen, origin_of(name_or_path, named))

    def ask(self, media: str | Path, *, task: str, question: str | None = None, sound: str | Path | None = None,
            start: float | None = None, end: float | None = None) -> Prediction:  # fmt: skip
        """Ask about one file.

        Args:
            media: video, audio or image file; task: a task key; question: for keys that take one.
            sound: file with the sound that goes with a picture or a silent video.
            start, end: window in seconds; needed where the file is longer than the model is shown at a time.

        Returns:
            The prediction; times of events are on the file's own clock.

        Raises:
            AskError: the key needs what the file does not have, or the file is too long. MediaError: unreadable file.
        """
        shown = media_for(task, media, sound, start, end, self.pack.longest)
        sample = Sample(
            id=Path(media).name,
            dataset="own",
            task=task,
            split="own",
            media=shown,
            question=check_question(task, question),
        )
        with self._lock:
            (made,) = predict(self.model, WithSource([sample], Files()), self.pack, 1, self.origin)
        if made.error:
            raise AskError(made.error)
        return _on_the_clock(made, shown[0])


def default_device() -> str:
    """The kind of accelerator that this machine has, such as ``cuda`` or ``mps``; ``cpu`` where there is none."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found else "cpu"


def adapter_for(name_or_path: str | Path, adapter: str | Path | None) -> str | Path:
    """The folder of the adapter that is meant; ``"none"`` for the bare base.

    Raises:
        ValueError: the folder holds no adapter.
    """
    if adapter is None:
        shipped = Path(resolve(name_or_path)) / "adapter"
        return shipped if shipped.is_dir() else "none"
    if str(adapter) != "none":
        check_adapter(adapter)
    return adapter


def origin_of(name_or_path: str | Path, adapter: str | Path) -> dict[str, str]:
    """Which model and adapter these are, without loading them: commit of the hub, hash of the config, of the weights.

    Args:
        name_or_path: as for :meth:`CrabPlus.from_pretrained`; adapter: what :func:`adapter_for` gave.
    """
    config = Path(resolve(name_or_path)) / "config.json"
    revision = f"config {_hash(config)}" if config.is_file() else str(_commit(str(name_or_path)))
    weights = Path(adapter) / "adapter_model.safetensors"
    named = f"{Path(adapter).name} {_hash(weights)}" if weights.is_file() else str(adapter)
    return {"model": str(name_or_path), "revision": revision, "adapter": named}


def _commit(name: str) -> str | None:
    from transformers import AutoConfig

    commit: str | None = AutoConfig.from_pretrained(name)._commit_hash
    return commit


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:12]


def media_for(task: str, path: str | Path, sound: str | Path | None, start: float | None, end: float | None,
              longest: float) -> tuple[Media, ...]:  # fmt: skip
    """The media that a task key is shown of a file; see :meth:`CrabPlus.ask`."""
    if task in ("a2v", "v2a", "avqa_thu"):
        raise AskError(f"{task} chooses among several files or answers, and one file is asked about here")
    needs, found, name = get_task(task).needs, files.probe(path), str(path)
    if not (found.has_sound or sound) and "sound" in needs:
        raise AskError(f"{path} has no sound, and {task} asks for what is heard: name a sound file (--sound FILE)")
    if not found.has_pictures and needs & {"picture", "film"}:
        raise AskError(f"{path} has no pictures, and {task} asks for what is seen: name a video or a picture")
    if "film" in needs and found.kind == "image":
        raise AskError(f"{path} is a picture, and {task} asks when something happens: name a video")
    if found.kind == "image":
        return (Media("frame", "image", name), *_sound(sound, (start, end), longest))
    low, high = _window(path, found.duration or 0.0, start, end, longest)
    if found.kind == "audio":
        return (Media("sound", "audio", name, low, high, duration=found.duration),)
    tracks = _sound(sound, (low, high), longest)
    if "picture" in needs:  # the middle picture of the window, and the sound of all of it
        return (Media("frame", "image", name, low, high), *(tracks or (Media("sound", "audio", name, low, high),)))
    origin: Literal["file", "track", "none"] = "file" if tracks else "track" if found.has_sound else "none"
    return (Media("clip", "video", name, low, high, sound=origin, duration=found.duration), *tracks)


def _sound(path: str | Path | None, window: tuple[float | None, float | None], longest: float) -> tuple[Media, ...]:
    """The record of a separate sound file, if there is one."""
    if path is None:
        return ()
    found = files.probe(path)
    if not found.has_sound:
        raise AskError(f"{path} has no sound in it")
    return (Media("sound", "audio", str(path), *_window(path, found.duration or 0.0, *window, longest)),)


def _window(path: str | Path, duration: float, start: float | None, end: float | None,
            longest: float) -> tuple[float, float]:  # fmt: skip
    """The seconds that are meant: by default all, if that is not too long."""
    low, high = start or 0.0, duration if end is None else end
    if not 0 <= low < high or low >= duration:
        raise AskError(f"{path} lasts {duration:.1f} s: the window {low:g} to {high:g} s is not in it")
    if high - low > longest + 0.5:
        raise AskError(
            f"{path}: {high - low:.1f} s are more than the {longest:g} s that the model is shown at a time; "
            f"name a window, such as --start {low:g} --end {low + longest:g}"
        )
    return low, min(high, duration, low + longest)


def check_question(task: str, question: str | None) -> str | None:
    """The question, if the key takes one and there is one, or takes none and there is none.

    Raises:
        AskError: else.
    """
    if get_task(task).takes_question and not question:
        raise AskError(f"{task} answers a question, and there is none: name it (--question ...)")
    if question and not get_task(task).takes_question:
        takers = ", ".join(key for key, made in TASKS.items() if made.takes_question)
        raise AskError(f"{task} takes no question; those that do: {takers}")
    return question


def _on_the_clock(made: Prediction, media: Media) -> Prediction:
    """Events on the file's own clock, cut off where the window ends; one that lies behind that end is none."""
    if not isinstance(made.answer, EventsAnswer):
        return made
    start, end = media.start or 0.0, media.end if media.end is not None else media.duration
    moved = [replace(e, start=e.start + start, end=e.end + start) for e in made.answer.events]
    kept = [replace(e, end=min(e.end, end)) if end is not None else e for e in moved if end is None or e.start < end]
    return replace(made, answer=EventsAnswer(tuple(kept)))

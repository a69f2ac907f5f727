"""crabplus in Python: load a model once, then ask it about media files."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from crabplus.answers import Plan, answer, plan_of, reply_to
from crabplus.data import WithSource
from crabplus.data.scan import Track, untracked
from crabplus.device import default_device
from crabplus.generate import load_adapter, predict, settings_of
from crabplus.ilora import Routing, record_routing
from crabplus.loading import adapter_for, base_for, origin_of
from crabplus.models import TINY, load_model
from crabplus.models.source import Files
from crabplus.own import Asked, AskError, Named, check_sounds, find_files, key_of, sample_of, windows_of
from crabplus.schema import ObjectsAnswer, Reply
from crabplus.segment import Mask, Segmenter, load_segmenter
from crabplus.segment.answers import segment_replies
from crabplus.tasks import Pack
from crabplus.wording import pack_for

__all__ = ["AskError", "CrabPlus"]

FilePath = str | os.PathLike[str]


class CrabPlus:
    """A model with its adapter and pack. Several threads may use one.

    Attributes:
        model: the loaded model family object; pack: wording and settings.
        origin: name and revision of model and adapter, as predictions record them.
    """

    def __init__(self, model: Any, pack: Pack, origin: dict[str, str] | None = None) -> None:
        self.model, self.pack, self.origin = model, pack, origin or {}
        self._lock = Lock()

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path | None = None, adapter: str | Path | None = None, *,
                        pack: str | Path | None = None, **settings: Any) -> "CrabPlus":  # fmt: skip
        """Load a model.

        Args:
            name_or_path: ``tiny`` for the shipped model, a folder, or a hub name; None for that on which the adapter
                was trained, and without one for the shipped model.
            adapter: folder of an adapter; ``"none"`` for the bare base; None for the one beside the model, if any.
            pack: a pack file; None for the one that lies beside the adapter or the model, else the default one.
            settings: ``dtype`` (default float32 for the shipped model, else as stored), ``device`` (default: an
                accelerator if there is one), ``attention``.
        """
        name_or_path = base_for(name_or_path, adapter)
        named = adapter_for(name_or_path, adapter)  # before the model is loaded, which may take minutes
        chosen = pack_for(name_or_path, pack, adapter)
        if name_or_path == TINY:
            settings.setdefault("dtype", "float32")
        settings.setdefault("device", default_device())
        model = load_model(name_or_path, chosen.size, **settings)
        if str(named) != "none":
            load_adapter(model, named)
        return cls(model, chosen, origin_of(name_or_path, named))

    def ask(
        self, media: FilePath | Sequence[FilePath], *, task: str, question: str | None = None,
        labels: Sequence[str] = (), sound: FilePath | Sequence[FilePath] | None = None, start: float | None = None,
        end: float | None = None, window: float | None = None, overlap: float | None = None, cuts: bool = True,
        batch_size: int = 8, track: Track = untracked,
    ) -> Reply:  # fmt: skip
        """Ask about one file of any length.

        Args:
            media: video, audio or image file; for ``match`` two videos and one sound, or one video and two sounds.
            task: ``events``, ``boxes``, ``masks``, ``action``, ``emotion``, ``question``, ``caption``, ``match``, or a
                task key.
            question: for tasks that take one; labels: the vocabulary that answers are held to, or, of a question, the
                answers to choose from.
            sound: file with the sound that goes with a picture or a silent video.
            start, end: seconds of the file that are meant; None for its ends.
            window: seconds shown at a time, by default what the pack says; overlap: seconds that two windows have in
                common, by default a fifth of one; cuts: whether windows end at hard cuts of a video where they can.
            track: passes on windows, a heading and their number, to show progress, as ``rich.progress.track`` could.

        Returns:
            The reply; times are on the file's own clock. Of a long file it has the windows, too.

        Raises:
            AskError: the task needs what the file does not have, or the model cannot take it. MediaError: unreadable.
        """
        asked = self._asked(task, question, labels, sound, start, end, window, overlap, cuts)
        first, *others = [media] if isinstance(media, str | os.PathLike) else list(media)
        path = os.fspath(first)
        sample = sample_of(Named(os.path.basename(path), path), asked, others)
        plan = Plan(sample, tuple(windows_of(sample, asked, self.pack)))
        made = next(self._answers([plan], asked, batch_size, track))
        if made.error:
            raise AskError(made.error)
        return made

    def predict(
        self, files: FilePath | Iterable[FilePath], *, task: str, question: str | None = None,
        labels: Sequence[str] = (), sound: FilePath | Sequence[FilePath] | None = None, start: float | None = None,
        end: float | None = None, window: float | None = None, overlap: float | None = None, cuts: bool = True,
        batch_size: int = 8, track: Track = untracked,
    ) -> Iterator[Reply]:  # fmt: skip
        """Ask the same about many files; batches go across them. A file that cannot be asked about has its ``error``.

        Args:
            files: files, folders, patterns such as ``videos/*.mp4``; the rest as for :meth:`ask`.

        Raises:
            AskError: at once, if nothing is there or the model was not taught the task.
        """
        asked = self._asked(task, question, labels, sound, start, end, window, overlap, cuts)
        found = find_files([files] if isinstance(files, str | os.PathLike) else files)
        check_sounds(asked, len(found))
        return self._answers((plan_of(named, asked, self.pack) for named in found), asked, batch_size, track)

    def segment(self, reply: Reply, segmenter: str | Path | Segmenter = "grabcut") -> list[Mask]:
        """Masks of the things in a reply, each in the pixels of its picture.

        Args:
            reply: about a picture or a video; segmenter: ``grabcut``, a SAM2 model by folder or hub name, or what
                :func:`crabplus.segment.load_segmenter` gave.

        Raises:
            ValueError: the answer is of another kind, a thing has no place, or its picture cannot be read any more.
        """
        if not isinstance(reply.answer, ObjectsAnswer):
            raise ValueError(f"{reply.id}: masks need boxes or points, and the answer to {reply.task!r} has none")
        chosen = load_segmenter(segmenter) if isinstance(segmenter, str | Path) else segmenter
        (made,) = segment_replies(chosen, [reply])
        if made.error:
            raise ValueError(made.error)
        return made.masks

    def routing(self, media: FilePath, *, task: str, **options: Any) -> tuple[Reply, Routing]:
        """What :meth:`ask` gives, and which heads of the adapter the router chose for which kind of token.

        Raises:
            ValueError: the model has no I-LoRA adapter; else as :meth:`ask`.
        """
        asked = self._asked(task, **options)
        path = os.fspath(media)
        sample = sample_of(Named(os.path.basename(path), path), asked)
        plan = Plan(sample, tuple(windows_of(sample, asked, self.pack)[:1]))
        data = WithSource(plan.samples, Files())
        with self._lock, record_routing(self.model.thinker, self.model.token_kinds) as routing:
            said = list(predict(self.model, data, self.pack, 1, self.origin, constrain=asked.closed))
        return reply_to(plan, said, settings_of(self.pack, self.origin)), routing

    def _asked(
        self, task: str, question: str | None = None, labels: Sequence[str] = (),
        sound: FilePath | Sequence[FilePath] | None = None, start: float | None = None, end: float | None = None,
        window: float | None = None, overlap: float | None = None, cuts: bool = True,
    ) -> Asked:  # fmt: skip
        sounds = [sound] if isinstance(sound, str | os.PathLike) else list(sound or ())
        key = key_of(task, self.pack, labels)
        return Asked(key, question, tuple(labels), tuple(os.fspath(path) for path in sounds), start, end, window,
                     overlap, cuts)  # fmt: skip

    def _answers(self, plans: Iterable[Plan], asked: Asked, batch_size: int, track: Track) -> Iterator[Reply]:
        """Replies, of which one thread at a time makes the next."""
        made = answer(self.model, self.pack, plans, asked, self.origin, batch_size, track)
        while True:
            with self._lock:
                reply = next(made, None)
            if reply is None:
                return
            yield reply

"""What the page asks, and what it is given to show. All of this runs in the process of the model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from re import sub
from typing import Any

from crabplus.ui.limits import Limits, Refused

__all__ = ["About", "Answers", "Question", "Settings", "Task", "load"]

_PICTURES = 12  # of a video on which masks are made


@dataclass(frozen=True)
class Settings:
    """Which model, how it is loaded, and what makes masks; as the options of ``crabplus ask`` say it."""

    model: str = "tiny"
    adapter: str | None = None
    pack: str | None = None
    device: str | None = None
    segmenter: str = "grabcut"


@dataclass(frozen=True)
class Task:
    """A task by its plain name, in words, and whether it takes a question."""

    name: str
    words: str
    asks: bool


@dataclass(frozen=True)
class About:
    """The model: its name, the tasks that it knows, whether it has a router, and whether Tidepool is all it knows."""

    model: str
    tasks: tuple[Task, ...]
    routes: bool
    tidepool: bool


@dataclass(frozen=True)
class Question:
    """What a visitor asks: files that were uploaded, and all else as for :meth:`crabplus.CrabPlus.ask`."""

    path: str
    task: str
    question: str = ""
    labels: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None
    routing: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of ``ask``."""
        return {"task": self.task, "question": self.question or None, "labels": self.labels, "start": self.start,
                "end": self.end, "sound": self.sounds}  # fmt: skip


WORDS = {
    "events": "Events: what happens, and when", "boxes": "Boxes: where it is", "masks": "Masks: which pixels it has",
    "action": "Action: what is done", "emotion": "Emotion: how somebody feels", "question": "Question: ask anything",
    "caption": "Caption: all of it in sentences", "match": "Match: which of two sounds belongs to it",
}  # fmt: skip


def load(settings: Settings, limits: Limits) -> "Answers":
    """Load the model.

    Raises:
        Refused: it cannot be; says why.
    """
    _quiet()
    from crabplus.api import CrabPlus
    from crabplus.segment import load_segmenter

    device = {"device": settings.device} if settings.device else {}
    try:
        plus = CrabPlus.from_pretrained(settings.model, settings.adapter, pack=settings.pack, **device)
        return Answers(plus, settings.model, load_segmenter(settings.segmenter, settings.device), limits)
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from error


def _quiet() -> None:
    """Leave out what libraries tell of themselves, as the commands do in their own process."""
    import logging
    import warnings
    from threading import RLock

    from tqdm import tqdm

    tqdm.set_lock(RLock())  # its own is shared by processes, and is left behind where this one is ended
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


class Answers:
    """Answers questions of visitors; see :class:`.worker.Worker`."""

    def __init__(self, plus: Any, model: str, segmenter: Any, limits: Limits) -> None:
        self.plus, self.model, self.segmenter, self.limits = plus, model, segmenter, limits

    def about(self) -> About:
        """What the page has to know of the model."""
        from crabplus.models import TINY

        routes = any(hasattr(module, "routing_observer") for module in self.plus.model.thinker.modules())
        return About(self.model, tuple(tasks_of(self.plus.pack)), routes, self.model == TINY)

    def example(self, path: str, seed: int) -> None:
        """Film a clip of Tidepool that nobody has seen before."""
        import numpy as np

        from crabplus.tidepool.film import write_clip
        from crabplus.tidepool.keys import KEYS

        write_clip(Path(path), KEYS["ave"](np.random.default_rng(seed)).scene)

    def answer(self, question: Question) -> str:
        """A piece of HTML with the answer.

        Raises:
            Refused: it cannot be asked of this file; says why, in words without paths.
        """
        from crabplus.report.piece import reply_piece

        paths = (question.path, *question.sounds)
        try:
            for path in paths:
                self._check(path, question)
            reply = self.plus.ask(question.path, **question.options)
            regions = self._regions(reply) if question.task == "masks" else []
            shares = self._shares(question) if question.routing else []
            return reply_piece(reply, Path(question.path).name, regions, shares, _downloads(reply, regions))
        except (ValueError, KeyError) as error:
            raise Refused(in_words(error, paths, question.task)) from error

    def _check(self, path: str, question: Question) -> None:
        """Refuses what is too long or too large to be looked at; of a picture, before it is decoded."""
        from crabplus.media import probe

        stated = stated_size(path)
        found = None if stated and stated[0] * stated[1] > self.limits.pixels else probe(path)
        width, height = (found.size if found else stated) or (0, 0)
        if found is None or width * height > self.limits.pixels:
            most = f"{self.limits.pixels / 1e6:g} million pixels"
            raise ValueError(f"{path}: {width} x {height} pixels are more than this page takes ({most})")
        end = found.duration or 0.0
        length = min(end if question.end is None else question.end, end) - (question.start or 0.0)
        if length > self.limits.seconds:
            raise ValueError(
                f"{path}: {length:.0f} seconds are more than this page looks at ({self.limits.seconds:g}): "
                "say from when to when"
            )

    def _regions(self, reply: Any) -> list[Any]:
        """Masks of the things in a reply; of many pictures, a few over the whole file."""
        import numpy as np

        from crabplus.report.piece import Region
        from crabplus.schema import ObjectsAnswer

        if not isinstance(reply.answer, ObjectsAnswer):
            return []
        things = [thing for thing in reply.answer.objects if thing.box or thing.points]
        times = list(dict.fromkeys(thing.time for thing in things))
        places = np.linspace(0, len(times) - 1, min(len(times), _PICTURES)).round().astype(int)
        shown = {times[place] for place in places}
        few = replace(reply.answer, objects=tuple(thing for thing in things if thing.time in shown))
        made = self.plus.segment(replace(reply, answer=few), self.segmenter) if few.objects else []
        return [Region(mask.label, mask.mask, mask.time) for mask in made]

    def _shares(self, question: Question) -> list[Any]:
        """Mean router weights by kind of token, over all layers that see tokens."""
        from crabplus.report.piece import HeadShares

        if question.task == "v2a":
            return []
        _, routing = self.plus.routing(question.path, **question.options)
        rows = [row for row in routing.rows() if row.kind is not None]
        shares = []
        for kind in dict.fromkeys(row.kind for row in rows):
            of_kind = [row for row in rows if row.kind == kind]
            total = sum(row.tokens for row in of_kind)
            heads = zip(*([weight * row.tokens for weight in row.weights] for row in of_kind), strict=True)
            tokens = max(row.tokens for row in of_kind)
            shares.append(HeadShares(kind or "", tokens, tuple(sum(head) / total for head in heads)))
        return shares


def stated_size(path: str) -> tuple[int, int] | None:
    """Width and height of a picture as its header has them; None where it is no picture."""
    from warnings import catch_warnings, simplefilter

    from PIL import Image

    with catch_warnings():
        simplefilter("ignore", Image.DecompressionBombWarning)  # what is too large is refused here
        try:
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                return picture.size
        except Image.DecompressionBombError:
            return 2**16, 2**16
        except (OSError, ValueError, SyntaxError):  # whoever reads it says what is wrong
            return None


def tasks_of(pack: Any) -> list[Task]:
    """The tasks that a model with this pack was taught, by plain names.

    Of the two ways to match, the page has the one with a video and two sounds.
    """
    from crabplus.own import NAMES, key_of
    from crabplus.tasks import get_task

    able = [name for name, keys in NAMES.items() if any(key in pack.keys for key in keys)]
    named = {name: key_of(name, pack) for name in able if name != "match"}
    made = [Task(name, WORDS.get(name, name), get_task(key).takes_question) for name, key in named.items()]
    return [*made, Task("v2a", WORDS["match"], False)] if "v2a" in pack.keys else made


def _downloads(reply: Any, regions: Sequence[Any]) -> dict[str, str]:
    """Texts to save: the reply without paths of the server, and masks as run lengths of COCO."""
    import json

    from crabplus.schema import to_json

    plain = replace(reply, media=tuple(replace(item, path=Path(item.path).name) for item in reply.media))
    made = {"reply.json": to_json(plain)}
    if regions:
        from crabplus.segment.mask import Mask

        masks = [Mask(region.label, region.mask.astype("float32"), region.time) for region in regions]
        made["masks.json"] = json.dumps([{"label": one.label, "time": one.time, "rle": one.rle} for one in masks])
    return made


def in_words(error: BaseException, paths: Sequence[str], task: str) -> str:
    """What an error says, with names in place of paths and keys, and without options of the command line."""
    from crabplus.own import NAMES

    words = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    for path in paths:
        words = words.replace(path, Path(path).name)
    for key in NAMES.get(task, ()):
        words = words.replace(f"and {key} asks", f"and {task} asks")
    return sub(r"(: name [^:()]*)? \(--[^()]*\)", "", words)

"""What a base model is taught before any task: to name what it hears and sees, in forms that no task key uses."""

import re
from collections.abc import Mapping, Sequence

from crabplus.schema import Answer, Event, EventsAnswer, Object, ObjectsAnswer, Sample, TextAnswer
from crabplus.tasks.base import Pair, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import number, to_units

_HEARD = re.compile(r"([a-z][a-z ]*?) from (\d+(?:\.\d+)?) to (\d+(?:\.\d+)?)")
_SPOTTED = re.compile(r"([a-z][a-z ]*?) (\d+)\D+(\d+)\D+(\d+)\D+(\d+)")
_SEEN = re.compile(r"([a-z][a-z ]*?) at (\d+) (\d+) (\d+) (\d+)")


class Perception(Task):
    """Heard: ``frog from 3 to 7, bell from 0 to 5``. Seen: ``blue frog at 3 14 10 21``. Else plain words."""

    family = "perception"
    answers = object
    metric = "exact"
    opens = ()

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        if isinstance(answer, EventsAnswer):
            return ", ".join(f"{e.label} from {number(e.start)} to {number(e.end)}" for e in answer.events) or "nothing"
        if isinstance(answer, ObjectsAnswer):
            return ", ".join(_seen(thing, pack) for thing in answer.objects) or "nothing"
        assert isinstance(answer, TextAnswer)
        return answer.text

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        if heard := _HEARD.findall(text):
            return EventsAnswer(tuple(Event(n.strip(), float(s), float(e)) for n, s, e in heard if float(s) < float(e)))
        if seen := _SEEN.findall(text):
            return ObjectsAnswer(tuple(thing for match in seen if (thing := _thing(match, pack))))
        return TextAnswer(text.strip()) if text.strip() else "empty text"

    def form(self, sample: Sample, pack: Pack) -> str:
        return r"[^<>\s][^<>]{0,999}?"

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        return {"exact": sum(sample.answer == answer for sample, answer in pairs) / max(len(pairs), 1)}

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        return [sample.answer for sample in samples if sample.answer is not None]


class Spot(Perception):
    """A box with the two signs that the question wants between its numbers: ``frog 3/ 14 to 10/ 21``."""

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, ObjectsAnswer)
        (thing,) = answer.objects
        assert thing.box is not None
        x1, y1, x2, y2 = to_units(thing.box, pack.canvas)
        inner, outer = sample.meta["signs"]
        return f"{thing.label} {x1}{inner} {y1} {outer} {x2}{inner} {y2}"

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        things = [thing for match in _SPOTTED.findall(text) if (thing := _thing(match, pack))]
        return ObjectsAnswer(tuple(things)) if things else "no box"


def _seen(thing: Object, pack: Pack) -> str:
    assert thing.box is not None
    return f"{thing.label} at {' '.join(map(str, to_units(thing.box, pack.canvas)))}"


def _thing(match: tuple[str, ...], pack: Pack) -> Object | None:
    width, height = pack.canvas
    x1, y1, x2, y2 = (int(value) for value in match[1:])
    if x1 < x2 <= width and y1 < y2 <= height:
        return Object(match[0].strip(), (x1 / width, y1 / height, x2 / width, y2 / height))
    return None


KEYS = (
    "hear", "start", "look", "find", "watch", "trace", "roll", "features", "voice", "films", "sounds", "repeat",
    "both", "among", "pairs",
)  # fmt: skip
PERCEPTION: dict[str, Task] = {**{key: Perception(key) for key in KEYS}, "spot": Spot("spot")}

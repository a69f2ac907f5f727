"""Single-sense questions for the base: name what sounds, list what is seen and where, say when something starts."""

from collections.abc import Callable

import numpy as np

from crabplus.schema import Event, EventsAnswer, Object, ObjectsAnswer, TextAnswer
from crabplus.tidepool.keys import Ask
from crabplus.tidepool.words import third
from crabplus.tidepool.world import SECONDS, Scene, draw, make_scene


def _scene(rng: np.random.Generator) -> Scene:
    return make_scene(rng, source=bool(rng.random() < 0.8), unseen=bool(rng.random() < 0.5), shortest=2)


def hear(rng: np.random.Generator) -> Ask:
    """What sounds, and from when to when."""
    scene = _scene(rng)
    events = tuple(Event(thing.kind, *(thing.sound or (0, 0)), "audio") for thing in scene.sounding)
    return Ask(scene, _shown(rng, "sound", ("clip",), ("frame", "sound")), EventsAnswer(events))


def start(rng: np.random.Generator) -> Ask:
    """When one of the sounding things starts."""
    scene = _scene(rng)
    thing = scene.sounding[int(rng.integers(len(scene.sounding)))]
    shown = _shown(rng, "sound", ("clip",), ("frame", "sound"))
    return Ask(scene, shown, TextAnswer(str((thing.sound or (0, 0))[0])), f"the {thing.kind}")


def look(rng: np.random.Generator) -> Ask:
    """Everything in a picture, from left to right, with boxes."""
    scene, time = _scene(rng), float(rng.uniform(0, SECONDS))
    boxes = draw(scene, [time], 320)[1][0]
    things = [Object(f"{t.colour} {t.kind}", _box(box)) for t, box in zip(scene.visible, boxes, strict=True)]
    return Ask(scene, _shown(rng, "frame", ("frame", "sound")), ObjectsAnswer(tuple(things)), time=time)


def find(rng: np.random.Generator) -> Ask:
    """The box of one named thing in a picture."""
    scene, time = _scene(rng), float(rng.uniform(0, SECONDS))
    index = int(rng.integers(len(scene.visible)))
    box = _box(draw(scene, [time], 320)[1][0, index])
    kind = scene.visible[index].kind
    answer = ObjectsAnswer((Object(kind, box),))
    return Ask(scene, _shown(rng, "frame", ("frame", "sound")), answer, f"the {kind}", time=time)


def watch(rng: np.random.Generator) -> Ask:
    """Everything in a film, from left to right, with the third of the picture where it moves."""
    scene = _scene(rng)
    things = ", ".join(f"{thing.colour} {thing.kind} {third(thing.x)}" for thing in scene.visible)
    return Ask(scene, _shown(rng, "film", ("clip",)), TextAnswer(things))


PERCEPTION: dict[str, Callable[[np.random.Generator], Ask]] = {
    "hear": hear, "start": start, "look": look, "find": find, "watch": watch,
}  # fmt: skip


def _shown(rng: np.random.Generator, alone: str, *together: tuple[str, ...]) -> tuple[str, ...]:
    """The sense that is asked about alone in half of all cases, else with the other sense beside it."""
    return (alone,) if rng.random() < 0.5 else together[int(rng.integers(len(together)))]


def _box(values: np.ndarray) -> tuple[float, float, float, float]:
    return float(values[0]), float(values[1]), float(values[2]), float(values[3])

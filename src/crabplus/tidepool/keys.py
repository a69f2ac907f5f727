"""One function per task key: from a random generator to a scene and what is asked about it.

A further key is one more function in :data:`KEYS`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crabplus.schema import Answer, Event, EventsAnswer, Object, ObjectsAnswer, TextAnswer
from crabplus.tidepool.words import explain, third
from crabplus.tidepool.world import Scene, Thing, draw, make_scene


@dataclass(frozen=True)
class Ask:
    """A question about a scene: what is shown, and the true answer.

    Attributes:
        show: media in order, each ``clip`` (film with sound), ``film`` (silent film), ``frame`` (one picture) or
            ``sound`` (the whole sound).
        time: second at which a ``frame`` is taken.
    """

    scene: Scene
    show: tuple[str, ...]
    answer: Answer
    question: str | None = None
    reasoning: str | None = None
    time: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)


def ave(rng: np.random.Generator) -> Ask:
    """The event that is both seen and heard, and its seconds."""
    scene = make_scene(rng)
    source = _source(scene)
    start, end = source.sound or (0, 0)
    answer = EventsAnswer((Event(source.kind, start, end),))
    return Ask(scene, ("clip",), answer, reasoning=explain(scene, source))


def arig(rng: np.random.Generator) -> Ask:
    """The thing in a picture that makes the sound, and its box."""
    scene = make_scene(rng)
    source = _source(scene)
    start, end = source.sound or (0, 0)
    time = float(rng.uniform(start + 0.2, end - 0.2))
    answer = ObjectsAnswer((Object(source.kind, box_of(scene, source, time)),))
    return Ask(scene, ("frame", "sound"), answer, reasoning=explain(scene, source), time=time)


def avqa(rng: np.random.Generator) -> Ask:
    """A question that needs both senses: half ask whether the source is seen, half where it is or of which colour."""
    kind = str(rng.choice(["Existential", "Location", "Attribute"], p=[0.5, 0.25, 0.25]))
    there = kind != "Existential" or bool(rng.random() < 0.5)
    scene = make_scene(rng, source=there, unseen=bool(rng.random() < 0.1) if kind != "Existential" else not there)
    source = scene.source
    question, word = {
        "Existential": ("Can you see the thing that makes the sound?", "yes" if there else "no"),
        "Location": ("Where is the thing that makes the sound?", third(source.x) if source else ""),
        "Attribute": ("What colour is the thing that makes the sound?", source.colour if source else ""),
    }[kind]
    if kind == "Location" and source and _near_border(source):
        return avqa(rng)
    meta = {"type": ["Audio-Visual", kind]}
    return Ask(scene, ("clip",), TextAnswer(word), question, explain(scene, source), meta=meta)


KEYS: dict[str, Callable[[np.random.Generator], Ask]] = {"ave": ave, "avqa": avqa, "arig": arig}


def box_of(scene: Scene, thing: Thing, time: float) -> tuple[float, float, float, float]:
    """Exact box of a visible thing at ``time`` seconds, 0..1."""
    box = draw(scene, [time], 320)[1][0, scene.visible.index(thing)]
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _source(scene: Scene) -> Thing:
    assert scene.source, "a scene without a source where one was asked for"
    return scene.source


def _near_border(thing: Thing) -> bool:
    """Whether the thing comes within reach of a border between thirds during the clip."""
    reach = thing.sway[0] + 0.02
    return any(abs(thing.x - border) < reach for border in (1 / 3, 2 / 3))

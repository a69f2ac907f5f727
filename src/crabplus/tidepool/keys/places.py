"""Spatial localisation: where in a picture the source of a sound is, or what an expression means."""

import numpy as np

from crabplus.schema import ObjectsAnswer
from crabplus.tidepool import looks
from crabplus.tidepool.ask import Ask, object_of
from crabplus.tidepool.scenes import make_scene
from crabplus.tidepool.words import described, explain, found, heard, listing, place, search, seen
from crabplus.tidepool.world import SECONDS, Scene, Thing

Rng = np.random.Generator
SHOWN = ("frame", "sound")
NOTHING = 0.3  # of expressions refer to nothing


def arig(rng: Rng) -> Ask:
    """The thing in a picture that makes the sound, and its box."""
    scene = make_scene(rng)
    (source,) = scene.sources
    time = _while_it_sounds(rng, source)
    answer = ObjectsAnswer((object_of(scene, source, time),))
    return Ask(scene, SHOWN, answer, reasoning=explain(scene, source), time=time)


def s4(rng: Rng) -> Ask:
    """The one source, with box, points and mask."""
    scene = make_scene(rng)
    time = _while_it_sounds(rng, scene.sources[0])
    return _masked(scene, scene.sources, time, explain(scene, scene.sources[0]))


def ms3(rng: Rng) -> Ask:
    """Two sources, or one, or none, with boxes, points and masks."""
    scene = make_scene(rng, sources=int(rng.choice([0, 1, 2], p=[0.1, 0.3, 0.6])))
    sources = [thing for thing in scene.visible if thing.sounds]
    told = listing([described(thing) for thing in sources]) if sources else "not seen"
    verb = "The sources are" if len(sources) > 1 else "The source is"
    return _masked(scene, sources, _any_time(rng), f"{heard(scene)} {seen(scene)} {verb} {told}.")


def ref_avs(rng: Rng) -> Ask:
    """What an expression means; in 30 % there is no such thing."""
    expression = _meant if rng.random() >= NOTHING else _meaningless
    means = None
    while means is None:
        scene = make_scene(rng, sources=int(rng.choice([0, 1, 2], p=[0.15, 0.5, 0.35])))
        means = expression(rng, scene)
    question, name, thing = means
    meta = {"category": "seen" if thing else "null"}
    reasoning = _looked_for(scene, name, thing)
    return _masked(scene, [thing] if thing else [], _any_time(rng), reasoning, question, meta)


PLACED = {"arig": arig, "s4": s4, "ms3": ms3, "ref_avs": ref_avs}


BY_SOUND = ("heard", "silent")
"""Names by which expressions mean something for its sound."""


def _looked_for(scene: Scene, name: str, thing: Thing | None) -> str:
    """The reasoning about an expression; only what is meant for its sound has to be heard for it."""
    if name in BY_SOUND:
        told, is_meant = f"{name}? {heard(scene)} {seen(scene)}", described
    else:
        told, is_meant = search(scene, name, thing), found
    return f"{told} It is {is_meant(thing) if thing else 'not seen'}."


def _while_it_sounds(rng: Rng, thing: Thing) -> float:
    start, end = thing.sounds[0]
    return float(rng.uniform(start + 0.2, end - 0.2))


def _any_time(rng: Rng) -> float:
    return float(rng.uniform(0, SECONDS))


def _masked(scene: Scene, things: list[Thing], time: float, reasoning: str, question: str | None = None,
            meta: dict[str, str] | None = None) -> Ask:  # fmt: skip
    answer = ObjectsAnswer(tuple(object_of(scene, thing, time, pointed=True) for thing in things), bool(things))
    marked = tuple(scene.visible.index(thing) for thing in things)
    return Ask(scene, SHOWN, answer, question, reasoning, time, marked=marked, meta=meta or {})


def _meant(rng: Rng, scene: Scene) -> tuple[str, str, Thing] | None:
    """An expression that means just one visible thing, with its telling word; None where the drawn form has none."""
    thing = scene.visible[int(rng.integers(len(scene.visible)))]
    silent = [other for other in scene.visible if not other.sounds and place(other) == place(thing)]
    form = str(rng.choice(["kind", "colour", "heard", "silent"]))
    if form == "kind":
        return f"the {thing.kind}", thing.kind, thing
    if form == "colour":
        return f"the {thing.colour} thing", thing.colour, thing
    if form == "heard":
        return ("the thing that is heard", "heard", scene.sources[0]) if len(scene.sources) == 1 else None
    return (f"the silent thing {place(thing)}", "silent", thing) if silent == [thing] else None


def _meaningless(rng: Rng, scene: Scene) -> tuple[str, str, None] | None:
    """An expression that means nothing in the picture, with its telling word."""
    form = str(rng.choice(["kind", "colour", "heard"]))
    if form == "kind":  # half of these are heard, and not seen
        hidden = [thing.kind for thing in scene.sounding if not thing.visible]
        free = [kind for kind in looks.KINDS if kind not in {thing.kind for thing in scene.visible}]
        kind = str(rng.choice(hidden if hidden and rng.random() < 0.5 else free))
        return f"the {kind}", kind, None
    if form == "colour":
        free = [colour for colour in looks.COLOURS if colour not in {thing.colour for thing in scene.visible}]
        colour = str(rng.choice(free))
        return f"the {colour} thing", colour, None
    return None if scene.sources else ("the thing that is heard", "heard", None)

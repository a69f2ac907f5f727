"""Tidepool in words: the reasoning that leads from what is heard and seen to an answer."""

from collections.abc import Sequence

from crabplus.tidepool.world import Scene, Thing

PLACES = {"left": "on the left", "middle": "in the middle", "right": "on the right"}


def listing(items: Sequence[str]) -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def third(x: float) -> str:
    """The third of the picture in which x (0..1) lies."""
    return ("left", "middle", "right")[min(int(x * 3), 2)]


def heard(scene: Scene) -> str:
    """What sounds, in order of start."""
    return f"I hear {listing([f'the {thing.kind}' for thing in scene.sounding])}."


def seen(scene: Scene) -> str:
    """What is visible, from left to right."""
    return f"I see {listing([f'a {thing.colour} {thing.kind} {PLACES[third(thing.x)]}' for thing in scene.visible])}."


def explain(scene: Scene, source: Thing | None) -> str:
    """The explicit reasoning of a sample: both senses, then what follows from them."""
    if source:
        return f"{heard(scene)} {seen(scene)} The {source.kind} is both heard and seen."
    return f"{heard(scene)} {seen(scene)} The {scene.sounding[0].kind} is not seen."

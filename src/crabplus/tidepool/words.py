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
    """What is visible, from left to right; what is heard too is called so."""
    return f"I see {listing([looks(thing) for thing in scene.visible])}."


def looks(thing: Thing) -> str:
    """Colour, kind, whether it is heard, and place."""
    return f"a {thing.colour} {thing.kind}{' heard' if thing.sound else ''} {PLACES[third(thing.x)]}"


def explain(scene: Scene, source: Thing | None) -> str:
    """The explicit reasoning of a sample: both senses, then what follows from them.

    The conclusion repeats all that is seen of the source, so that each sample teaches to look it up.
    """
    found = looks(source) if source else "not seen"
    return f"{heard(scene)} {seen(scene)} The source is {found}."

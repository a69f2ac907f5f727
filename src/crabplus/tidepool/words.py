"""Tidepool in words: the reasoning that leads from what is heard and seen to an answer."""

from collections.abc import Sequence

from crabplus.tidepool.world import Scene, Thing


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
    """What is visible, from left to right, each with its colour, its third of the picture and whether it is heard."""
    items = [f"a {looks(thing)}, {'heard' if thing.sound else 'not heard'}" for thing in scene.visible]
    return f"I see {'; '.join(items)}."


def looks(thing: Thing) -> str:
    """Kind, colour and place; the kind comes first, so that colour and place can be found again by it."""
    return f"{thing.kind}, {thing.colour}, {third(thing.x)}"


def explain(scene: Scene, source: Thing | None) -> str:
    """The explicit reasoning of a sample: both senses, then what follows from them."""
    if source:
        return f"{heard(scene)} {seen(scene)} The {looks(source)}, is both heard and seen."
    return f"{heard(scene)} {seen(scene)} The {scene.sounding[0].kind} is not seen."

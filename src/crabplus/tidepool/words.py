"""Tidepool in words: the reasoning that leads from what is heard and seen to an answer."""

from collections.abc import Sequence

from crabplus.tidepool.world import Scene, Thing

PLACES = {"left": "on the left", "middle": "in the middle", "right": "on the right"}
NUMBERS = ("zero", "one", "two", "three", "four")
PATHS = {
    "circling": "round", "rising": "upwards", "sinking": "downwards", "darting": "across", "hopping": "springing",
    "rocking": "tilting", "shaking": "trembling", "pulsing": "swelling",
}  # fmt: skip
"""How each way of moving looks, in words that are no labels of actions."""


def listing(items: Sequence[str]) -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def article(noun: str) -> str:
    """With ``a`` or ``an`` before it."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def third(x: float) -> str:
    """The third of the picture in which x (0..1) lies."""
    return ("left", "middle", "right")[min(int(x * 3), 2)]


def place(thing: Thing) -> str:
    """``on the left``."""
    return PLACES[third(thing.x)]


def heard(scene: Scene) -> str:
    """What sounds, in order of start."""
    return f"I hear {listing([f'the {thing.kind}' for thing in scene.sounding])}."


def heard_when(scene: Scene) -> str:
    """What sounds, and when."""
    return f"I hear {listing([f'the {thing.kind} {when(thing)}' for thing in scene.sounding])}."


def when(thing: Thing) -> str:
    """``from 2 to 5 and from 7 to 9``."""
    return listing([f"from {start} to {end}" for start, end in thing.sounds])


def seen(scene: Scene) -> str:
    """What is visible, from left to right; what is heard too is called so."""
    return f"I see {listing([described(thing) for thing in scene.visible])}."


def described(thing: Thing) -> str:
    """Colour, kind, whether it is heard, and place; its path, if it has a way of its own."""
    path = f" {PATHS[thing.way]}" if thing.way else ""
    return f"a {thing.colour} {thing.kind}{' heard' if thing.sounds else ''} {place(thing)}{path}"


def features(thing: Thing) -> str:
    """What a face is like."""
    assert thing.face
    return f"mouth {thing.face.mouth} and brows {thing.face.brows}"


def explain(scene: Scene, source: Thing | None) -> str:
    """The explicit reasoning of a sample: both senses, then what follows from them.

    The conclusion repeats all that is seen of the source, so that each sample teaches to look it up.
    """
    found = described(source) if source else "not seen"
    return f"{heard(scene)} {seen(scene)} The source is {found}."

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


def heard_long(scene: Scene) -> str:
    """What sounds, when, and for how many seconds."""
    told = [f"the {thing.kind} {when(thing)} for {length(thing)}" for thing in scene.sounding]
    return f"I hear {listing(told)}."


def when(thing: Thing) -> str:
    """``from 2 to 5 and from 7 to 9``."""
    return listing([f"from {start} to {end}" for start, end in thing.sounds])


def length(thing: Thing) -> int:
    """For how many seconds it sounds."""
    return sum(end - start for start, end in thing.sounds)


def seen(scene: Scene) -> str:
    """What is visible, from left to right; what is heard too is called so."""
    return f"I see {listing([described(thing) for thing in scene.visible])}."


def described(thing: Thing) -> str:
    """Colour, kind, whether it is heard, and place; its path, if it has a way of its own."""
    path = f" {PATHS[thing.way]}" if thing.way else ""
    return f"{named(thing)}{' heard' if thing.sounds else ''} {place(thing)}{path}"


def named(thing: Thing) -> str:
    """``a blue frog``."""
    return f"a {thing.colour} {thing.kind}"


def search(scene: Scene, name: str, thing: Thing | None) -> str:
    """What is visible, where a name is looked for and ``thing`` bears it.

    The bare name comes first, so that it stands nearer to the list than the question does; and a list has one kind of
    mark, here that of what is found, right behind the word that tells.
    """
    told = [found(other) if other is thing else f"{named(other)} {place(other)}" for other in scene.visible]
    return f"{name}? I see {listing(told)}."


def found(thing: Thing) -> str:
    """How what was looked for is described."""
    return f"{named(thing)} found {place(thing)}"


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

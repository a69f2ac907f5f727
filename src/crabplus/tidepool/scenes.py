"""Draws scenes at random.

Level ``standard``: 12 kinds, 2 to 4 visible and 1 or 2 sounding things, at least one visible thing that stays silent,
and in 30 % of clips with one source something more that is heard and not seen. Whatever sways keeps to one third of the
picture, so that its place is the same in every frame.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from crabplus.tidepool import looks
from crabplus.tidepool.faces import BROWS, MOUTHS, Face
from crabplus.tidepool.speech import TONES
from crabplus.tidepool.ways import REACH, WAYS
from crabplus.tidepool.world import FACE, SECONDS, Scene, Span, Thing

Rng = np.random.Generator
UNSEEN = 0.3  # of scenes have something that is heard and not seen
FACE_SWAY = 0.02
CLEAR = 0.02  # fractions of the picture between a thing's centre and the border of a third, at least


def make_scene(rng: Rng, *, sources: int = 1, unseen: bool | None = None, shortest: int = 5) -> Scene:
    """Draw a scene of ten seconds.

    Args:
        rng: where every choice comes from.
        sources: how many of the visible things sound; with none, something unseen does.
        unseen: something sounds that cannot be seen; None for 30 % of scenes with at most one source.
        shortest: fewest seconds for which a source sounds.
    """
    unseen = bool(rng.random() < UNSEEN) and sources < 2 if unseen is None else unseen
    count = int(rng.integers(max(2, sources + 1), 5))
    kinds = [str(kind) for kind in rng.permutation(looks.KINDS)]
    visible = _scatter(rng, kinds[:count])
    for index in rng.permutation(count)[:sources]:  # drawn after placing: what is placed first tends to be larger
        visible[index] = replace(visible[index], sounds=(_interval(rng, shortest),))
    hidden = (_hidden(rng, kinds[count]),) if unseen or not sources else ()
    return Scene((*visible, *hidden), _seed(rng))


def moving_scene(rng: Rng, count: int) -> Scene:
    """Visible things that each move in a way of their own; one of them sounds, in 30 % something unseen, too."""
    kinds = [str(kind) for kind in rng.permutation(looks.KINDS)]
    ways = [str(way) for way in rng.permutation(tuple(WAYS))]
    things = [
        replace(thing, way=way, turns=float(rng.uniform(2, 5)))
        for thing, way in zip(_scatter(rng, kinds[:count], roomy=True), ways, strict=False)
    ]
    index = int(rng.integers(count))
    things[index] = replace(things[index], sounds=(_interval(rng, 5),))
    hidden = (_hidden(rng, kinds[count]),) if rng.random() < UNSEEN else ()
    return Scene((*things, *hidden), _seed(rng))


def long_scene(rng: Rng) -> Scene:
    """An untrimmed clip of 8 to 20 seconds: one or two sources that sound once or twice each, and may overlap."""
    seconds = int(rng.integers(8, 21))
    sources = int(rng.integers(1, 3))
    scene = make_scene(rng, sources=sources)
    things = [
        replace(thing, sounds=_times(rng, seconds, 2 if rng.random() < 0.4 else 1)) if thing.sounds else thing
        for thing in scene.things
    ]
    return replace(scene, things=tuple(things), seconds=seconds)


def coming_and_going(rng: Rng) -> Scene:
    """One to three things that come into the picture and leave it at even seconds; one or two sound, seen or not."""
    kinds = [str(kind) for kind in rng.permutation(looks.KINDS)]
    seen, count = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    things = [replace(thing, shown=_even(rng)) for thing in _scatter(rng, kinds[:seen])]
    loud = [int(n) for n in rng.permutation(seen)[: int(rng.integers(0, min(count, seen) + 1))]]
    for index in loud:
        things[index] = replace(things[index], sounds=(_interval(rng, 2),))
    hidden = [_hidden(rng, kind) for kind in kinds[seen : seen + count - len(loud)]]
    return Scene((*things, *hidden), _seed(rng))


def face(rng: Rng, shown: Face, x: float, y: float, size: float, tone: str | None, texture: str = "plain") -> Thing:
    """A face at a place (fractions of the picture); with a ``tone`` it speaks for most of the clip."""
    start = int(rng.integers(0, 3))
    return Thing(
        FACE, str(rng.choice(tuple(looks.COLOURS))), texture, x, y, size, (float(rng.uniform(0, FACE_SWAY)),) * 2,
        float(rng.uniform(0.5, 1.5)), float(rng.uniform(0, 6)),
        sounds=((start, int(rng.integers(8, SECONDS + 1))),) if tone else (), pitch=float(rng.uniform(0.9, 1.1)),
        loudness=float(rng.uniform(0.6, 1.0)), face=shown, tone=tone,
    )  # fmt: skip


def any_face(rng: Rng) -> tuple[Face, str]:
    """A face and a tone at random, whether or not they go together."""
    return Face(str(rng.choice(MOUTHS)), str(rng.choice(BROWS))), str(rng.choice(tuple(TONES)))


def two_places(rng: Rng) -> list[tuple[float, float]]:
    """Centres of two faces beside each other."""
    return [(float(rng.uniform(*reach)), float(rng.uniform(0.3, 0.7))) for reach in ((0.24, 0.27), (0.73, 0.76))]


def room_aside(x: float) -> float:
    """How far something at x may sway to both sides and keep to its third of the picture; below 0: not at all."""
    return min(abs(x - 1 / 3), abs(x - 2 / 3)) - CLEAR


def faces_scene(rng: Rng, things: Sequence[Thing], murk: float = 0.0, hiss: float = 0.0) -> Scene:
    """A scene of these things."""
    return Scene(tuple(things), _seed(rng), murk=murk, hiss=hiss)


def _seed(rng: Rng) -> int:
    return int(rng.integers(2**31))


def _interval(rng: Rng, shortest: int) -> Span:
    length = int(rng.integers(shortest, SECONDS))
    start = int(rng.integers(0, SECONDS - length + 1))
    return start, start + length


def _even(rng: Rng) -> Span:
    """From one even second to another."""
    start, end = sorted(2 * int(n) for n in rng.choice(SECONDS // 2 + 1, 2, replace=False))
    return start, end


def _times(rng: Rng, seconds: int, count: int) -> tuple[Span, ...]:
    """So many spans of at least three seconds, at least two apart."""
    while True:
        cuts = sorted(int(n) for n in rng.choice(seconds + 1, 2 * count, replace=False))
        spans = tuple(zip(cuts[::2], cuts[1::2], strict=True))
        apart = all(later[0] - earlier[1] >= 2 for earlier, later in zip(spans, spans[1:], strict=False))
        if apart and all(end - start >= 3 for start, end in spans):
            return spans


def _hidden(rng: Rng, kind: str) -> Thing:
    return Thing(kind, visible=False, sounds=(_interval(rng, 3),), pitch=_pitch(rng), loudness=rng.uniform(0.5, 1.0))


def _pitch(rng: Rng) -> float:
    return float(np.exp(rng.uniform(-0.16, 0.16)))


def _scatter(rng: Rng, kinds: Sequence[str], roomy: bool = False) -> list[Thing]:
    """Visible things that hardly overlap, each in a colour of its own; ``roomy``: with room to move around."""
    colours = [str(colour) for colour in rng.permutation(tuple(looks.COLOURS))]
    nearest, extra = (0.6, 0.09) if roomy else (0.46, 0.0)
    things: list[Thing] = []
    while len(things) < len(kinds):
        thing = _visible(rng, kinds[len(things)], colours[len(things)], roomy)
        gaps = (np.hypot(thing.x - b.x, thing.y - b.y) - nearest * (thing.size + b.size) for b in things)
        if all(gap > extra for gap in gaps):
            things.append(thing)
        elif rng.random() < 0.005:  # a crowded corner: start anew
            things.clear()
    return things


def _visible(rng: Rng, kind: str, colour: str, roomy: bool) -> Thing:
    size = float(rng.uniform(0.2, 0.27) if roomy else rng.uniform(0.24, 0.42))
    sway = tuple(float(value) for value in rng.uniform(0, 0.06, 2))
    margins = [size * 0.65 + REACH] * 2 if roomy else [size / 2 + reach for reach in sway]
    room = -1.0
    while room < 0:
        x, y = (float(rng.uniform(margin, 1 - margin)) for margin in margins)
        room = room_aside(x)
    aside = min(sway[0], room)
    return Thing(
        kind, colour, str(rng.choice(looks.TEXTURES)), x, y, size, (aside, sway[1]), float(rng.uniform(0.5, 1.5)),
        float(rng.uniform(-10, 10)), pitch=_pitch(rng), loudness=float(rng.uniform(0.5, 1.0)),
    )  # fmt: skip

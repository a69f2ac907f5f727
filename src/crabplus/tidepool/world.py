"""A clip before it is filmed: which things there are, how they look, move and sound.

Level ``standard``: 12 kinds, 2 to 4 visible and 1 or 2 sounding things, at least one visible thing that stays silent,
and in 30 % of clips something that is heard and not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crabplus.tidepool import looks, voices

SECONDS = 10
LEVELS = ("standard",)


@dataclass(frozen=True)
class Thing:
    """One thing: its kind and looks, its path as fractions of the picture, and when it sounds (whole seconds).

    ``x``, ``y`` is the centre at mid-clip, ``size`` the full width, ``sway`` the reach of its movement around it,
    ``turns`` how often it sways in the clip. A thing that is not ``visible`` is only heard.
    """

    kind: str
    colour: str = "white"
    texture: str = "plain"
    x: float = 0.5
    y: float = 0.5
    size: float = 0.3
    sway: tuple[float, float] = (0.0, 0.0)
    turns: float = 1.0
    tilt: float = 0.0
    visible: bool = True
    sound: tuple[int, int] | None = None
    pitch: float = 1.0
    loudness: float = 1.0

    def at(self, time: float) -> tuple[float, float, float]:
        """Centre x, y and tilt in degrees at ``time`` seconds."""
        swing = np.sin(2 * np.pi * self.turns * (time / SECONDS - 0.5))
        return self.x + self.sway[0] * swing, self.y + self.sway[1] * swing, self.tilt * swing


@dataclass(frozen=True)
class Scene:
    """The things of one clip, and the seed of its water and noise."""

    things: tuple[Thing, ...]
    seed: int

    @property
    def visible(self) -> list[Thing]:
        """What can be seen, from left to right."""
        return sorted((thing for thing in self.things if thing.visible), key=lambda thing: thing.x)

    @property
    def sounding(self) -> list[Thing]:
        """What can be heard, by start."""
        heard = [thing for thing in self.things if thing.sound]
        return sorted(heard, key=lambda thing: (thing.sound or (0, 0), thing.kind))

    @property
    def source(self) -> Thing | None:
        """The one thing that is both seen and heard."""
        return next((thing for thing in self.things if thing.visible and thing.sound), None)


def make_scene(rng: np.random.Generator, *, source: bool = True, unseen: bool | None = None,
               shortest: int = 5) -> Scene:  # fmt: skip
    """Draw a scene of level ``standard``.

    Args:
        rng: where every choice comes from.
        source: one of the visible things sounds; else only something unseen does.
        unseen: something sounds that cannot be seen; None for 30 % of scenes.
        shortest: fewest seconds for which the source sounds.
    """
    unseen = bool(rng.random() < 0.3) if unseen is None else unseen
    count = int(rng.integers(2, 5))
    kinds = [str(kind) for kind in rng.permutation(looks.KINDS)]
    sounds = _interval(rng, shortest) if source else None
    visible = _scatter(rng, kinds[:count])
    if sounds:  # drawn after placing: what is placed first tends to be larger
        index = int(rng.integers(count))
        visible[index] = replace(visible[index], sound=sounds)
    hidden = (_hidden(rng, kinds[count]),) if unseen or not source else ()
    return Scene((*visible, *hidden), int(rng.integers(2**31)))


def _interval(rng: np.random.Generator, shortest: int) -> tuple[int, int]:
    length = int(rng.integers(shortest, SECONDS))
    start = int(rng.integers(0, SECONDS - length + 1))
    return start, start + length


def _hidden(rng: np.random.Generator, kind: str) -> Thing:
    return Thing(kind, visible=False, sound=_interval(rng, 3), pitch=_pitch(rng), loudness=rng.uniform(0.5, 1.0))


def _pitch(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(-0.16, 0.16)))


def _scatter(rng: np.random.Generator, kinds: Sequence[str]) -> list[Thing]:
    """Visible things that hardly overlap, each in a colour of its own."""
    colours = [str(colour) for colour in rng.permutation(tuple(looks.COLOURS))]
    things: list[Thing] = []
    while len(things) < len(kinds):
        thing = _visible(rng, kinds[len(things)], colours[len(things)])
        if all(np.hypot(thing.x - other.x, thing.y - other.y) > 0.46 * (thing.size + other.size) for other in things):
            things.append(thing)
        elif rng.random() < 0.005:  # a crowded corner: start anew
            things.clear()
    return things


def _visible(rng: np.random.Generator, kind: str, colour: str) -> Thing:
    size = float(rng.uniform(0.24, 0.42))
    sway = tuple(float(value) for value in rng.uniform(0, 0.06, 2))
    x, y = (float(rng.uniform(size / 2 + reach, 1 - size / 2 - reach)) for reach in sway)
    return Thing(
        kind, colour, str(rng.choice(looks.TEXTURES)), x, y, size, (sway[0], sway[1]), float(rng.uniform(0.5, 1.5)),
        float(rng.uniform(-10, 10)), pitch=_pitch(rng), loudness=float(rng.uniform(0.5, 1.0)),
    )  # fmt: skip


def draw(scene: Scene, times: Sequence[float], side: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pictures (N, side, side, 3) at ``times`` seconds and boxes (N, V, 4), 0..1, of the V visible things in order."""
    water = looks.background(np.random.default_rng(scene.seed), side)
    things = scene.visible
    pictures = np.empty((len(times), side, side, 3), np.uint8)
    boxes = np.empty((len(times), len(things), 4), np.float32)
    for n, time in enumerate(times):
        pictures[n] = water
        for v, thing in enumerate(things):
            x, y, tilt = thing.at(time)
            art = looks.sprite(thing.kind, thing.colour, thing.texture)
            boxes[n, v] = looks.place(pictures[n], art, x * side, y * side, thing.size * side, tilt) / side
    return pictures, boxes


def sound(scene: Scene) -> NDArray[np.float32]:
    """The sound of a scene, (SECONDS * RATE,) float32 within -1..1: its voices over faint noise of water."""
    rng = np.random.default_rng(scene.seed + 1)
    wave = rng.standard_normal(SECONDS * voices.RATE).astype(np.float32) * np.float32(rng.uniform(0.001, 0.006))
    for thing in scene.sounding:
        start, end = thing.sound or (0, 0)
        voice = voices.speak(thing.kind, end - start, thing.pitch, thing.loudness, rng)
        wave[start * voices.RATE : end * voices.RATE] += voice
    return np.clip(wave, -1, 1)

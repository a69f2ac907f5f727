"""A clip before it is filmed: which things there are, how they look, move and sound; its pictures and its sound."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crabplus.tidepool import looks, voices
from crabplus.tidepool.faces import Face
from crabplus.tidepool.ways import WAYS

SECONDS = 10
LEVELS = ("standard",)
FACE = "face"
Span = tuple[int, int]
"""Whole seconds, from and to."""


@dataclass(frozen=True)
class Thing:
    """One thing: its kind and looks, its path as fractions of the picture, and when it sounds.

    Attributes:
        kind: one of :data:`looks.KINDS`, or ``face`` with a ``face``.
        x, y: the centre at mid-clip; size: the full width.
        sway: the reach of its movement around it; turns: how often it sways in ten seconds; tilt: degrees to each side.
        way: one of :data:`ways.WAYS` in place of swaying; it then goes through ``turns`` cycles in ten seconds.
        visible: a thing that is not is only heard; shown: when it is in the picture, None: always.
        sounds: when it sounds, in order; tone: how a face speaks.
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
    way: str | None = None
    visible: bool = True
    shown: Span | None = None
    sounds: tuple[Span, ...] = ()
    pitch: float = 1.0
    loudness: float = 1.0
    face: Face | None = None
    tone: str | None = None

    def at(self, time: float, seconds: float = SECONDS) -> tuple[float, float, float, float]:
        """Centre x, y, tilt in degrees and scale at ``time`` seconds of a clip of so many."""
        if self.way:
            right, down, tilt, scale = WAYS[self.way].pose(time, seconds, self.turns / SECONDS)
            return self.x + right, self.y + down, tilt, scale
        swing = float(np.sin(2 * np.pi * self.turns * (time / SECONDS - 0.5)))
        return self.x + self.sway[0] * swing, self.y + self.sway[1] * swing, self.tilt * swing, 1.0

    def shows(self, time: float) -> bool:
        """Whether it is in the picture at ``time`` seconds."""
        return self.visible and (self.shown is None or self.shown[0] <= time < self.shown[1])


@dataclass(frozen=True)
class Scene:
    """The things of one clip, the seed of its water and noise, and its length in seconds.

    ``murk`` is how dull the pictures are, 0..1, ``hiss`` how loud the noise is, as root mean square.
    """

    things: tuple[Thing, ...]
    seed: int
    seconds: int = SECONDS
    murk: float = 0.0
    hiss: float = 0.0

    @property
    def visible(self) -> list[Thing]:
        """What can be seen, from left to right."""
        return sorted((thing for thing in self.things if thing.visible), key=lambda thing: thing.x)

    @property
    def sounding(self) -> list[Thing]:
        """What can be heard, by start."""
        heard = [thing for thing in self.things if thing.sounds]
        return sorted(heard, key=lambda thing: (thing.sounds[0], thing.kind))

    @property
    def sources(self) -> list[Thing]:
        """What is both seen and heard, by start."""
        return [thing for thing in self.sounding if thing.visible]


def draw(scene: Scene, times: Sequence[float], side: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pictures (N, side, side, 3) at ``times`` seconds and boxes (N, V, 4), 0..1, of the V visible things in order.

    The box of a thing that is out of the picture at a time is all zeros.
    """
    water = looks.background(np.random.default_rng(scene.seed), side)
    things = scene.visible
    pictures = np.empty((len(times), side, side, 3), np.uint8)
    boxes = np.zeros((len(times), len(things), 4), np.float32)
    for n, time in enumerate(times):
        pictures[n] = water
        here = [(v, thing, thing.at(time, scene.seconds)) for v, thing in enumerate(things) if thing.shows(time)]
        for _, thing, (x, y, _, scale) in here:
            if thing.way:
                WAYS[thing.way].mark(pictures[n], x * side, y * side, thing.size * scale * side)
        for v, thing, (x, y, tilt, scale) in here:
            box = looks.place(pictures[n], art(thing), x * side, y * side, thing.size * scale * side, tilt)
            boxes[n, v] = box / side
    return _dull(pictures, scene.murk) if scene.murk else pictures, boxes


def masks(scene: Scene, time: float, side: int) -> NDArray[np.bool_]:
    """(V, side, side) which pixels at ``time`` seconds show each visible thing; what is drawn last is in front."""
    found = np.zeros((len(scene.visible), side, side), np.bool_)
    for v, thing in enumerate(scene.visible):
        if thing.shows(time):
            x, y, tilt, scale = thing.at(time, scene.seconds)
            canvas = np.zeros((side, side, 3), np.uint8)
            solid = art(thing).copy()
            solid[..., :3] = solid[..., 3:] * 255
            looks.place(canvas, solid, x * side, y * side, thing.size * scale * side, tilt)
            found[v] = canvas[..., 0] > 127
            found[:v] &= ~found[v]
    return found


def art(thing: Thing) -> NDArray[np.float32]:
    """The sprite of a thing, a square of RGB and alpha."""
    if thing.face:
        return looks.face_sprite(thing.face, thing.colour, thing.texture)
    return looks.sprite(thing.kind, thing.colour, thing.texture)


def _dull(pictures: NDArray[np.uint8], murk: float) -> NDArray[np.uint8]:
    fog = np.array([70, 95, 105], np.float32)
    return (pictures * (1 - 0.7 * murk) + fog * (0.7 * murk)).astype(np.uint8)


def sound(scene: Scene) -> NDArray[np.float32]:
    """The sound of a scene, (seconds * RATE,) float32 within -1..1: its voices over faint noise of water."""
    rng = np.random.default_rng(scene.seed + 1)
    noise = rng.standard_normal(scene.seconds * voices.RATE).astype(np.float32)
    wave = noise * np.float32(rng.uniform(0.001, 0.006) + scene.hiss)
    for thing in scene.sounding:
        for start, end in thing.sounds:
            name = thing.tone if thing.face and thing.tone else thing.kind
            voice = voices.speak(name, end - start, thing.pitch, thing.loudness, rng)
            wave[start * voices.RATE : end * voices.RATE] += voice
    return np.clip(wave, -1, 1)

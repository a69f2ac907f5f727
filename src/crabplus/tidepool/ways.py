"""Ways of moving: a path of its own for each, and the marks in the water that it leaves around the thing.

The marks are what lets one picture tell of a movement, as a wake, a splash or lines of speed do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Pose = tuple[float, float, float, float]
"""How far right and down (fractions of the picture), the tilt (degrees) and the scale that a way adds at a time."""
REACH = 0.09  # fractions of the picture
FOAM = (250, 250, 245)


@dataclass(frozen=True)
class Way:
    """A way of moving.

    Attributes:
        pose: from seconds since the start, the length of the clip and cycles per second, what is added.
        mark: draws on a picture, around a centre x, y (pixels) of a thing so many pixels wide.
    """

    pose: Callable[[float, float, float], Pose]
    mark: Callable[[Image, float, float, float], None]


def _dot(canvas: Image, x: float, y: float, radius: float, width: int) -> None:
    cv2.circle(canvas, (round(x), round(y)), max(round(radius), 1), FOAM, width, cv2.LINE_AA)


def _line(canvas: Image, *points: tuple[float, float]) -> None:
    width = max(round(len(canvas) / 55), 1)
    cv2.polylines(canvas, [np.array(points).round().astype(np.int32)], False, FOAM, width, cv2.LINE_AA)


def _ring(canvas: Image, x: float, y: float, size: float) -> None:
    for angle in np.linspace(0, 2 * np.pi, 10, endpoint=False):
        _dot(canvas, x + 0.66 * size * np.cos(angle), y + 0.66 * size * np.sin(angle), 0.05 * size, -1)


def _bubbles(down: int, canvas: Image, x: float, y: float, size: float) -> None:
    for column in (-0.22, 0.22):
        for row, radius in ((0.6, 0.11), (0.84, 0.08)):
            _dot(canvas, x + column * size, y + down * row * size, radius * size, max(round(size / 18), 1))


def _streaks(canvas: Image, x: float, y: float, size: float) -> None:
    for side in (-1, 1):
        for height in (-0.24, 0.0, 0.24):
            _line(canvas, (x + side * 0.5 * size, y + height * size), (x + side * 0.78 * size, y + height * size))


def _splashes(canvas: Image, x: float, y: float, size: float) -> None:
    for column in (-0.28, 0.28):
        left, right, foot = x + (column - 0.16) * size, x + (column + 0.16) * size, y + 0.74 * size
        _line(canvas, (left, foot), (x + column * size, foot - 0.18 * size), (right, foot))


def _arcs(canvas: Image, x: float, y: float, size: float) -> None:
    for middle in (-45, -135):
        angles = np.radians(np.linspace(middle - 28, middle + 28, 7))
        _line(canvas, *((x + 0.7 * size * np.cos(a), y + 0.7 * size * np.sin(a)) for a in angles))


def _wiggles(canvas: Image, x: float, y: float, size: float) -> None:
    for side in (-1, 1):
        at = x + side * 0.66 * size
        _line(canvas, *((at + 0.09 * size * (-1) ** n, y + (n - 2.5) * 0.15 * size) for n in range(6)))


def _outlines(canvas: Image, x: float, y: float, size: float) -> None:
    for reach in (0.62, 0.76):
        _dot(canvas, x, y, reach * size, max(round(size / 22), 1))


def _swing(time: float, rate: float) -> float:
    return float(np.sin(2 * np.pi * rate * time))


WAYS: dict[str, Way] = {
    "circling": Way(
        lambda t, length, rate: (REACH * float(np.cos(2 * np.pi * rate * t)), REACH * _swing(t, rate), 0, 1), _ring
    ),
    "rising": Way(lambda t, length, rate: (0, REACH * (1 - 2 * t / length), 0, 1), partial(_bubbles, 1)),
    "sinking": Way(lambda t, length, rate: (0, REACH * (2 * t / length - 1), 0, 1), partial(_bubbles, -1)),
    "darting": Way(lambda t, length, rate: (REACH * _swing(t, rate), 0, 0, 1), _streaks),
    "hopping": Way(lambda t, length, rate: (0, REACH * (0.5 - abs(_swing(t, rate))), 0, 1), _splashes),
    "rocking": Way(lambda t, length, rate: (0, 0, 22 * _swing(t, rate), 1), _arcs),
    "shaking": Way(lambda t, length, rate: (0.012 * _swing(t, 9 * rate), 0, 0, 1), _wiggles),
    "pulsing": Way(lambda t, length, rate: (0, 0, 0, 1 + 0.14 * _swing(t, rate)), _outlines),
}

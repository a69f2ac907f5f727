"""How things look: a silhouette per kind, a colour and a texture, drawn once as a sprite and placed in each frame."""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.tidepool import faces
from crabplus.tidepool.faces import Face

DRAWN = 128  # pixels of the square in which a silhouette is drawn
SPRITE = 64  # pixels to which it is shrunk, near the size at which it is shown
FACE = 96  # the same for a face, which is shown larger

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 48, 42),
    "yellow": (240, 205, 50),
    "green": (62, 168, 74),
    "blue": (52, 92, 214),
    "purple": (158, 72, 190),
    "white": (238, 236, 228),
}
TEXTURES = ("plain", "striped", "spotted")

Image = NDArray[np.uint8]


def _polygon(mask: Image, *points: tuple[int, int]) -> None:
    cv2.fillPoly(mask, [np.array(points, np.int32)], 255, cv2.LINE_AA)


def _disc(mask: Image, x: int, y: int, rx: int, ry: int | None = None) -> None:
    cv2.ellipse(mask, (x, y), (rx, ry or rx), 0, 0, 360, 255, -1, cv2.LINE_AA)


def _line(mask: Image, start: tuple[int, int], end: tuple[int, int], width: int) -> None:
    cv2.line(mask, start, end, 255, width, cv2.LINE_AA)


def _fish(body: Image, detail: Image) -> None:
    _disc(body, 54, 64, 46, 27)
    _polygon(body, (88, 64), (122, 34), (122, 94))
    _disc(detail, 28, 56, 5)


def _crab(body: Image, detail: Image) -> None:
    _disc(body, 64, 78, 36, 25)
    for side in (-1, 1):
        _line(body, (64 + side * 30, 66), (64 + side * 48, 44), 8)
        _disc(body, 64 + side * 48, 36, 13)
        for foot in (0, 1, 2):
            _line(body, (64 + side * 28, 84 + foot * 6), (64 + side * 56, 88 + foot * 14), 6)
        _disc(detail, 64 + side * 12, 68, 5)


def _frog(body: Image, detail: Image) -> None:
    _disc(body, 64, 76, 44, 34)
    for side in (-1, 1):
        _disc(body, 64 + side * 26, 38, 17)
        _disc(detail, 64 + side * 26, 38, 7)
        _disc(body, 64 + side * 42, 104, 18, 9)
    cv2.ellipse(detail, (64, 78), (24, 12), 0, 10, 170, 255, 4, cv2.LINE_AA)


def _gull(body: Image, detail: Image) -> None:
    _disc(body, 64, 76, 16, 24)
    _polygon(body, (64, 62), (4, 26), (24, 58), (60, 88))
    _polygon(body, (64, 62), (124, 26), (104, 58), (68, 88))
    _disc(body, 64, 48, 12)
    _disc(detail, 64, 46, 4)


def _turtle(body: Image, detail: Image) -> None:
    cv2.ellipse(body, (60, 84), (46, 46), 0, 180, 360, 255, -1, cv2.LINE_AA)
    _disc(body, 112, 74, 13, 12)
    for x in (34, 84):
        _disc(body, x, 92, 11, 15)
    _line(detail, (16, 84), (104, 84), 4)
    _disc(detail, 115, 70, 4)


def _octopus(body: Image, detail: Image) -> None:
    _disc(body, 64, 44, 32, 36)
    for arm in range(6):
        x = 24 + arm * 16
        _line(body, (44 + arm * 8, 66), (x, 118), 9)
    for side in (-1, 1):
        _disc(detail, 64 + side * 12, 44, 6)


def _bell(body: Image, detail: Image) -> None:
    _polygon(body, (64, 8), (86, 22), (94, 76), (114, 98), (14, 98), (34, 76), (42, 22))
    _disc(body, 64, 106, 12)
    _line(detail, (18, 94), (110, 94), 4)


def _drum(body: Image, detail: Image) -> None:
    _polygon(body, (12, 38), (116, 38), (108, 106), (20, 106))
    _disc(body, 64, 38, 52, 14)
    cv2.ellipse(detail, (64, 38), (50, 12), 0, 0, 360, 255, 4, cv2.LINE_AA)
    _line(detail, (18, 98), (110, 98), 4)


def _horn(body: Image, detail: Image) -> None:
    _polygon(body, (6, 56), (70, 50), (118, 18), (118, 110), (70, 78), (6, 72))
    _line(detail, (112, 24), (112, 104), 5)


def _harp(body: Image, detail: Image) -> None:
    _line(body, (30, 14), (30, 116), 13)
    _line(body, (30, 16), (104, 40), 13)
    _line(body, (104, 40), (34, 114), 13)
    for x in (48, 64, 80):
        _line(detail, (x, 20 + (x - 30) // 3), (x, 112 - (x - 34)), 3)


def _rattle(body: Image, detail: Image) -> None:
    _disc(body, 64, 36, 31)
    _line(body, (64, 60), (64, 120), 12)
    _line(body, (48, 116), (80, 116), 10)
    for x, y in ((52, 30), (76, 30), (64, 48)):
        _disc(detail, x, y, 4)


def _gong(body: Image, detail: Image) -> None:
    _line(body, (10, 12), (118, 12), 10)
    for x in (12, 116):
        _line(body, (x, 12), (x, 120), 9)
    _disc(body, 64, 66, 39)
    cv2.circle(detail, (64, 66), 20, 255, 4, cv2.LINE_AA)


SILHOUETTES: dict[str, Callable[[Image, Image], None]] = {
    "fish": _fish, "crab": _crab, "frog": _frog, "gull": _gull, "turtle": _turtle, "octopus": _octopus,
    "bell": _bell, "drum": _drum, "horn": _horn, "harp": _harp, "rattle": _rattle, "gong": _gong,
}  # fmt: skip
KINDS = tuple(SILHOUETTES)
CREATURES = KINDS[:6]
"""The others are instruments."""


@lru_cache(maxsize=512)
def sprite(kind: str, colour: str, texture: str) -> NDArray[np.float32]:
    """Picture of a thing: (SPRITE, SPRITE, 4) float32, RGB in 0..255 multiplied by alpha, alpha in 0..1."""
    body, detail = np.zeros((DRAWN, DRAWN), np.uint8), np.zeros((DRAWN, DRAWN), np.uint8)
    SILHOUETTES[kind](body, detail)
    rgb = np.empty((DRAWN, DRAWN, 3), np.float32)
    rgb[:] = COLOURS[colour]
    rgb *= _pattern(texture)[..., None]
    inner = cv2.erode(body, np.ones((5, 5), np.uint8)).astype(np.float32)[..., None] / 255
    rgb *= 0.35 + 0.65 * inner  # a dark rim sets the thing off from any background
    rgb *= 1 - 0.85 * (detail.astype(np.float32)[..., None] / 255)
    alpha = body.astype(np.float32)[..., None] / 255
    return cv2.resize(np.concatenate([rgb * alpha, alpha], axis=2), (SPRITE, SPRITE), interpolation=cv2.INTER_AREA)


@lru_cache(maxsize=512)
def face_sprite(face: Face, colour: str, texture: str) -> NDArray[np.float32]:
    """Picture of a face, as :func:`sprite`, of (FACE, FACE, 4)."""
    drawn = faces.head(face, COLOURS[colour], 0.5 + 0.5 * _pattern(texture, faces.DRAWN))
    return cv2.resize(drawn, (FACE, FACE), interpolation=cv2.INTER_AREA)


def _pattern(texture: str, side: int = DRAWN) -> NDArray[np.float32]:
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    if texture == "striped":
        return np.where(((x + y) // 11) % 2 == 0, 1.0, 0.62).astype(np.float32)
    if texture == "spotted":
        return np.where(((x % 24) - 12) ** 2 + ((y % 24) - 12) ** 2 < 36, 0.55, 1.0).astype(np.float32)
    return np.ones((side, side), np.float32)


def background(rng: np.random.Generator, side: int) -> Image:
    """Water, (side, side, 3): light falls in from the upper left, sand shows below."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    tint = rng.uniform(0.85, 1.15, 3).astype(np.float32)
    light = rng.uniform(0.8, 1.1)
    red = 40 + 110 * y
    green = 150 - 70 * x * rng.uniform(0.7, 1.0) + 10 * y
    blue = 190 - 110 * y - 45 * x
    waves = 6 * np.sin(2 * np.pi * (x * rng.uniform(1, 4) + y * rng.uniform(1, 4) + rng.uniform()))
    picture = np.stack([red, green, blue], axis=2) * tint * light + waves[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def place(
    canvas: Image, picture: NDArray[np.float32], x: float, y: float, size: float, tilt: float
) -> NDArray[np.float32]:
    """Blend a sprite into ``canvas`` (H, W, 3) in place; centre x, y and width ``size`` in pixels, tilt in degrees.

    Returns:
        The box x1, y1, x2, y2 in pixels of what the sprite covers by more than half, clipped to the canvas.
    """
    reach = size * 0.72  # the corner of a square turned by 45 degrees lies at 0.71 of its width
    left, top = int(np.floor(x - reach)), int(np.floor(y - reach))
    width = int(np.ceil(2 * reach)) + 1
    middle = len(picture) / 2
    turn = cv2.getRotationMatrix2D((middle - 0.5, middle - 0.5), tilt, size / len(picture))
    turn[0, 2] += x - left - middle
    turn[1, 2] += y - top - middle
    patch = cv2.warpAffine(picture, turn, (width, width), flags=cv2.INTER_LINEAR)
    y1, y2, x1, x2 = max(top, 0), min(top + width, len(canvas)), max(left, 0), min(left + width, canvas.shape[1])
    inside = patch[y1 - top : y2 - top, x1 - left : x2 - left]
    under = canvas[y1:y2, x1:x2]
    under[:] = under * (1 - inside[..., 3:]) + inside[..., :3]
    solid = inside[..., 3] > 0.5
    if not solid.any():  # wholly outside
        return np.zeros(4, np.float32)
    columns, rows = np.flatnonzero(solid.any(0)), np.flatnonzero(solid.any(1))
    return np.array([x1 + columns[0], y1 + rows[0], x1 + columns[-1] + 1, y1 + rows[-1] + 1], np.float32)

"""Masks as datasets publish them, and what a model is asked to say of them: the box of a thing and points on it.

Foreground is every pixel that is not zero: in a picture of several channels one that is not zero in any of them
(transparency is none of them), in a picture with a palette one whose number is not zero.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.datasets.base import DatasetError
from crabplus.schema import Box, Object, Point
from crabplus.tasks.tags import to_units

Mask = NDArray[np.bool_]
"""(H, W), True on the thing."""

SIDE = 224  # units, each way, of the canvas on which models are asked for boxes and points
POINTS = 3


def read_mask(path: Path) -> Mask:
    """(H, W) the foreground of a mask file.

    Raises:
        DatasetError: no such file, or no picture.
    """
    values = _read(path)
    mask: Mask = values != 0
    return np.logical_or.reduce(mask, axis=-1) if mask.ndim == 3 else mask


def read_numbers(path: Path) -> NDArray[Any]:
    """(H, W) the whole numbers of a file with one channel, such as the class of each pixel.

    Raises:
        DatasetError: no such file, no picture, or one of several channels.
    """
    values = _read(path)
    if values.ndim != 2:
        raise DatasetError(f"{path}: one channel wanted, got {values.shape[2]}")
    return values.astype(np.int64)


def read_colours(path: Path) -> NDArray[Any]:
    """(H, W, 3) the colours of a file, 0..255.

    Raises:
        DatasetError: no such file, or no picture.
    """
    return _read(path, "RGB").astype(np.int64)


def _read(path: Path, mode: str | None = None) -> NDArray[Any]:
    """(H, W) or (H, W, C) the values of a file without transparency."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            image = opened.convert(mode) if mode else opened
            values, bands = np.asarray(image), image.getbands()
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path}: no mask can be read from it: {error}") from error
    values = values[..., :-1] if bands[-1] == "A" else values
    return values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values


def find_thing(mask: Mask, label: str) -> Object | None:
    """The thing that a mask shows, with its box and three points (:func:`find_points`); None if the mask is empty.

    The box holds every pixel of the mask, from the near edge of the first to the far edge of the last, and is then
    rounded to whole units of the canvas, at least one: so what a model is asked for and what is judged are the same.
    A mask of 224 x 224 pixels loses nothing by it.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    height, width = mask.shape
    tight = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    x1, y1, x2, y2 = to_units(tight, (SIDE, SIDE))
    box: Box = (x1 / SIDE, y1 / SIDE, x2 / SIDE, y2 / SIDE)
    return Object(label, box, find_points(mask))


def find_points(mask: Mask) -> tuple[Point, ...]:
    """Three points on the mask, well inside and apart, always the same; of one or two pixels there may be fewer.

    The first is the pixel deepest inside, at the greatest distance from what is not mask (beyond the picture nothing
    is); the others are, of the pixels at least half as deep, each the one farthest from those before. They are looked
    for at the middles of the units of the canvas, so that they lie on the mask after they were written and read, too;
    at the mask's own pixels where it is so thin that these middles miss it.
    """
    height, width = mask.shape
    middles = (np.arange(SIDE) + 0.5) / SIDE
    seen = mask[(middles * height).astype(np.int64)][:, (middles * width).astype(np.int64)]
    seen = seen if np.count_nonzero(seen) >= POINTS else mask
    return tuple(((x + 0.5) / seen.shape[1], (y + 0.5) / seen.shape[0]) for y, x in _deep_and_apart(seen))


def _deep_and_apart(mask: Mask) -> list[tuple[int, int]]:
    """Row and column of the pixels that :func:`find_points` describes."""
    import cv2

    padded = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    pixels = np.argwhere(mask & (depth >= depth.max() / 2))
    pixels = pixels if len(pixels) >= POINTS else np.argwhere(mask)
    if not len(pixels):
        return []
    chosen, away = [int(depth[tuple(pixels.T)].argmax())], np.full(len(pixels), np.inf)
    while len(chosen) < min(POINTS, len(pixels)):
        away = np.minimum(away, ((pixels - pixels[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(away.argmax()))
    return [(int(pixels[n, 0]), int(pixels[n, 1])) for n in chosen]


def split_parts(mask: Mask, share: float) -> list[Mask]:
    """The connected parts of a mask (corners connect) that cover at least a share of the picture, largest first.

    If none does, the mask as a whole is the one part; an empty mask has none.
    """
    import cv2

    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return []
    areas = {n: int(stats[n, cv2.CC_STAT_AREA]) for n in range(1, count)}
    first = {n: int(np.argmax(parts.ravel() == n)) for n in areas if areas[n] >= share * mask.size}
    return [parts == n for n in sorted(first, key=lambda n: (-areas[n], first[n]))] or [mask]

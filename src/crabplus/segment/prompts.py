"""What a segmenter is asked: boxes and points of things, checked and in pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Box, Object, Point

__all__ = ["FULL", "Signature", "check", "in_pixels", "signature"]

FULL: Box = (0.0, 0.0, 1.0, 1.0)
Signature = tuple[bool, int]
"""Whether there is a box, and how many points."""


def check(pictures: Sequence[NDArray[np.uint8]], things: Sequence[Sequence[Object]]) -> None:
    """Raise a ValueError unless there is a list of things for each picture (H, W, 3), and each thing has a place."""
    if len(pictures) != len(things):
        raise ValueError(f"things: a list for each picture wanted, got {len(things)} for {len(pictures)} pictures")
    for number, picture in enumerate(pictures):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
            raise ValueError(f"picture {number}: uint8 (H, W, 3) wanted, got {picture.dtype} {picture.shape}")
    for wanted in things:
        for thing in wanted:
            if thing.box is None and not thing.points:
                raise ValueError(f"{thing.label!r} has neither box nor points, so there is nothing to make a mask from")


def signature(thing: Object) -> Signature:
    """What kinds of prompt a thing gives; those of one signature can share a batch."""
    return thing.box is not None, len(thing.points)


def in_pixels(thing: Object, height: int, width: int) -> tuple[list[float] | None, list[list[float]]]:
    """Box (x1, y1, x2, y2) or None, and points (x, y), in pixels of a picture."""
    x1, y1, x2, y2 = thing.box or FULL
    box = [x1 * width, y1 * height, x2 * width, y2 * height] if thing.box else None
    return box, [_point(point, height, width) for point in thing.points]


def _point(point: Point, height: int, width: int) -> list[float]:
    return [point[0] * width, point[1] * height]

"""Masks drawn over a picture, each thing in a colour of its own with its box, its points and its name."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Object
from crabplus.segment.mask import Mask
from crabplus.segment.prompts import in_pixels

__all__ = ["COLOURS", "draw"]

COLOURS = ((255, 92, 51), (51, 153, 255), (77, 204, 89), (242, 191, 26), (191, 89, 230), (26, 204, 204))
STRENGTH = 0.5  # of the colour where a score is 1


def draw(picture: NDArray[np.uint8], things: Sequence[Object], masks: Sequence[Mask]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) with the mask of each thing as colour, and what the answer said of it as lines.

    Args:
        picture: uint8, RGB; stays as it is. things: of the answer; masks: one for each, of the picture's size.
    """
    drawn = picture.astype(np.float32)
    for number, mask in enumerate(masks):
        share = (STRENGTH * mask.score)[..., None]
        drawn = drawn * (1 - share) + np.array(COLOURS[number % len(COLOURS)], np.float32) * share
    canvas = np.ascontiguousarray(np.rint(drawn).astype(np.uint8))
    height, width = picture.shape[:2]
    thick = max(round(max(height, width) / 400), 1)
    for number, thing in enumerate(things):
        _outline(canvas, thing, COLOURS[number % len(COLOURS)], thick)
    return canvas


def _outline(canvas: NDArray[np.uint8], thing: Object, colour: tuple[int, int, int], thick: int) -> None:
    """Box, points and name of a thing; letters that the font does not have become question marks."""
    box, points = in_pixels(thing, *canvas.shape[:2])
    x1, y1, x2, y2 = (round(value) for value in box) if box else (*(round(value) for value in points[0]), 0, 0)
    if box:
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, thick)
    for x, y in points:
        cv2.circle(canvas, (int(x), int(y)), 2 * thick, (255, 255, 255), -1)
        cv2.circle(canvas, (int(x), int(y)), 2 * thick, colour, max(thick // 2, 1))
    words, size = thing.label.encode("ascii", "replace").decode(), 0.4 * thick
    (across, up), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    left, foot = min(x1, max(canvas.shape[1] - across, 0)), max(y1 - below, up)
    cv2.rectangle(canvas, (left, foot - up), (left + across, foot + below), (0, 0, 0), -1)
    cv2.putText(canvas, words, (left, foot), cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)

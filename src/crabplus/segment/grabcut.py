"""GrabCut (Rother, Kolmogorov and Blake 2004, as OpenCV has it): masks from boxes and points without any weights."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Object
from crabplus.segment.prompts import FULL, check, in_pixels

__all__ = ["GrabCut"]

SIDE = 192  # pixels of the longer side on which it works; what is smaller is enlarged, GROWTH times at most
GROWTH = 3.0
LEAST = 8  # pixels of the shorter side, at least
MARGIN = 0.3  # of the sides of a box: so much around it shows what the background looks like
ROUNDS = 5  # of colour models and cut
DOT = 0.03  # radius of a point, of the longer side of the box, or of the picture where there is no box
REACH = 0.1  # without a box: what is so near to the points, as a share of the picture's longer side, is a first guess
SPECK = 0.05  # parts and holes smaller than this share of the largest part are none

Labels = NDArray[np.uint8]
"""(H, W) of cv2.GC_BGD, GC_FGD (sure), GC_PR_BGD and GC_PR_FGD (a first guess)."""


class GrabCut:
    """Cuts each thing out by the colours inside and outside of its box.

    Points are surely on the thing, and all that lies outside of its box surely is not (so points outside count for
    nothing). Without a box what is near the points is guessed to be the thing, and nothing is surely background; nor is
    it where a box fills the picture, whose rim is then guessed to be. It works on the surroundings of the box, brought
    to a bounded size. Scores are 0 and 1 but for the rim of a mask that was brought back to the picture's size. If
    nothing in a box stands out from what is around it, the mask is the whole box. The same picture and thing give the
    same mask; OpenCV's random numbers of this thread begin anew with each.
    """

    name = "grabcut"

    def segment(
        self, pictures: Sequence[NDArray[np.uint8]], things: Sequence[Sequence[Object]]
    ) -> list[list[NDArray[np.float32]]]:
        """See :class:`crabplus.segment.Segmenter`."""
        check(pictures, things)
        return [
            [_cut_out(picture, thing) for thing in wanted] for picture, wanted in zip(pictures, things, strict=True)
        ]


def _cut_out(picture: NDArray[np.uint8], thing: Object) -> NDArray[np.float32]:
    """(H, W) scores of one thing."""
    height, width = picture.shape[:2]
    left, top, right, bottom = _surroundings(thing, height, width)
    crop = picture[top:bottom, left:right]
    scale = min(SIDE / max(crop.shape[:2]), GROWTH)
    size = (max(round((right - left) * scale), LEAST), max(round((bottom - top) * scale), LEAST))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    labels = _first_labels(_moved(thing, (left / width, top / height, right / width, bottom / height)), size)
    found = _grab(small, labels).astype(np.float32)
    back = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    scores = np.zeros((height, width), np.float32)
    scores[top:bottom, left:right] = cv2.resize(found, (right - left, bottom - top), interpolation=back).clip(0, 1)
    return scores


def _surroundings(thing: Object, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, in pixels, of what is looked at: the box with a margin, or the whole picture."""
    box = thing.box or FULL
    x1, y1, x2, y2 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    across, down = MARGIN * (x2 - x1) + 2, MARGIN * (y2 - y1) + 2
    left, top = max(int(x1 - across), 0), max(int(y1 - down), 0)
    return left, top, min(int(x2 + across) + 1, width), min(int(y2 + down) + 1, height)


def _moved(thing: Object, frame: tuple[float, float, float, float]) -> Object:
    """The thing as a part of the picture shows it; of its points those within the box."""
    x1, y1, x2, y2 = frame
    bx1, by1, bx2, by2 = thing.box or FULL

    def move(x: float, y: float) -> tuple[float, float]:
        return min(max((x - x1) / (x2 - x1), 0.0), 1.0), min(max((y - y1) / (y2 - y1), 0.0), 1.0)

    points = tuple(move(x, y) for x, y in thing.points if bx1 <= x <= bx2 and by1 <= y <= by2)
    return Object(thing.label, (*move(bx1, by1), *move(bx2, by2)) if thing.box else None, points)


def _first_labels(thing: Object, size: tuple[int, int]) -> Labels:
    """What is known and what is guessed before the colours are looked at; ``size`` is width and height."""
    width, height = size
    box, points = in_pixels(thing, height, width)
    if box:
        left, top = min(round(box[0]), width - 1), min(round(box[1]), height - 1)
        right, bottom = max(round(box[2]), left + 1), max(round(box[3]), top + 1)
        labels: Labels = np.full((height, width), cv2.GC_BGD, np.uint8)
        labels[top:bottom, left:right] = cv2.GC_PR_FGD
    else:
        left, top, right, bottom = 0, 0, width, height
        labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
        hull, reach = cv2.convexHull(np.array(points, np.int32)), round(REACH * max(size))
        cv2.polylines(labels, [hull], True, cv2.GC_PR_FGD, max(2 * reach, 1))
        cv2.fillConvexPoly(labels, hull, cv2.GC_PR_FGD)
    if not (labels != cv2.GC_PR_FGD).any():  # the rim of a box that fills the picture
        labels[[0, -1]] = labels[:, [0, -1]] = cv2.GC_PR_BGD
    radius = max(round(DOT * max(right - left, bottom - top)), 1)
    for x, y in points:
        cv2.circle(labels, (min(int(x), width - 1), min(int(y), height - 1)), radius, cv2.GC_FGD, -1)
    return labels


def _grab(picture: NDArray[np.uint8], labels: Labels) -> NDArray[np.bool_]:
    """(H, W) the foreground, without specks; where there is none, what was guessed to be."""
    guessed = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if guessed.all():
        return guessed
    cv2.setRNGSeed(0)  # of this thread; the colour models start from random centres
    cv2.grabCut(picture, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    sure = labels == cv2.GC_FGD
    found = sure | (labels == cv2.GC_PR_FGD)
    return _without_specks(found, sure) if found.any() else guessed


def _without_specks(found: NDArray[np.bool_], sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What was found without tiny parts, but for sure ones, and without tiny holes."""
    parts, areas = _parts(found, 8)
    least = SPECK * areas[1:].max()
    kept: NDArray[np.bool_] = found & ((areas >= least)[parts] | np.isin(parts, parts[sure]))
    holes, areas = _parts(~kept, 4)
    return kept | ((areas < least)[holes] & ~kept)


def _parts(found: NDArray[np.bool_], connectivity: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(H, W) number of the connected part of each pixel, 0 where nothing was found, and the pixels of each number."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=connectivity)
    return parts, stats[:, cv2.CC_STAT_AREA]

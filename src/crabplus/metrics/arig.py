"""Grounding of a sounding thing with one box per picture: share of good boxes, area under the curve, mean IoU."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Box", "box_iou", "grounding"]

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2, normalised 0..1."""


def box_iou(predicted: Sequence[Box | None], truth: Sequence[Box | None], side: int = 224) -> NDArray[np.float64]:
    """IoU of each predicted box with the true one of the same picture, on the community's 224 x 224 grid.

    The protocol draws both boxes as maps P and G of side x side pixels, rows [y1, y2) and columns [x1, x2), and takes
    ``sum(P G) / (sum G + sum P [G == 0])``. Source: kaistmm/SSLalignment, ``utils.py`` (``Evaluator.cal_CIOU``) and
    ``datasets.py`` (``bbox2gtmap``). On whole pixels this is a product of widths and heights, so nothing is drawn and
    the number is exactly the same.

    Rounding: a coordinate is clipped to 0..1, times ``side``, and goes to the nearest whole pixel, halves up. The
    protocol's boxes for AVSBench are whole pixels already, and k / 224 comes back as k; truncating would lose pixels
    to floating point.

    Edge cases: a box that is None, not finite, or has x1 >= x2 or y1 >= y2 (also after rounding) gives IoU 0. A
    picture whose true box is empty can thus only score 0; the benchmark excludes such pictures, and so must the
    caller.

    Args:
        predicted: N boxes, normalised 0..1; None where there is none.
        truth: N boxes of the same pictures.
        side: pixels of the grid along each axis.

    Returns:
        (N,) IoU, 0..1.

    Raises:
        ValueError: not as many predicted as true boxes.
    """
    if len(predicted) != len(truth):
        raise ValueError(f"boxes: {len(predicted)} predicted for {len(truth)} true ones")
    said, true = _pixels(predicted, side), _pixels(truth, side)
    corners = np.maximum(said[:, :2], true[:, :2]), np.minimum(said[:, 2:], true[:, 2:])
    shared = _area(np.concatenate(corners, axis=1))
    union = _area(said) + _area(true) - shared
    return np.where(shared > 0, shared / np.maximum(union, 1), 0.0)


def _pixels(boxes: Sequence[Box | None], side: int) -> NDArray[np.int64]:
    """(N, 4) whole pixels; an unusable box is the empty one."""
    grid = np.array([(np.nan,) * 4 if box is None else box for box in boxes], dtype=np.float64).reshape(-1, 4)
    usable = np.isfinite(grid).all(axis=1, keepdims=True)
    inside: NDArray[np.float64] = np.clip(np.where(usable, grid, 0.0), 0.0, 1.0)
    pixels: NDArray[np.int64] = np.floor(inside * side + 0.5).astype(np.int64)
    return pixels


def _area(boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    area: NDArray[np.int64] = np.prod(sides, axis=1)
    return area


def grounding(iou: ArrayLike) -> dict[str, float]:
    """Numbers of the grounding table from the IoU of each picture.

    ``iou_0.5``: share of pictures with IoU >= 0.5 (called cIoU or AP50 there). ``auc``: area by the trapezoid rule
    under the share of pictures with IoU >= t, over the 21 thresholds t = 0.05 i. ``mean_iou``: the mean. Source:
    kaistmm/SSLalignment, ``utils.py`` (``Evaluator.finalize_AP50``, ``finalize_AUC``, ``finalize_cIoU``). At t = 0
    the share is always 1, so the AUC is never below 0.025.

    Args:
        iou: (N,) IoU of each picture, 0 where there is no usable prediction.

    Raises:
        ValueError: no picture, or IoU outside 0..1.
    """
    values = np.asarray(iou, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"iou: (N,) numbers of at least one picture wanted, got shape {values.shape}")
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError(f"iou: 0..1 wanted, got {values.min()} to {values.max()}")
    thresholds = 0.05 * np.arange(21)
    share = (values[:, None] >= thresholds).mean(axis=0)
    return {
        "iou_0.5": float((values >= 0.5).mean()),
        "auc": float(np.trapezoid(share, thresholds)),
        "mean_iou": float(values.mean()),
    }

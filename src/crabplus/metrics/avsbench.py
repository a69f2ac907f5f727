"""Segmentation of what sounds (AVSBench S4, MS3): J and F as published, batch by batch, and a plain frame-wise variant.

Scores are probabilities 0..1 that a pixel is foreground. A hard mask is the scores 0 and 1 (or bool), logits go
through :func:`sigmoid` first, and None, where a model gave no mask, is an empty mask. In a true mask, what is not 0 is
foreground. Frames may come from a generator, so that a test set need not be in memory.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "THRESHOLDS",
    "batch_means",
    "check_batch_frames",
    "check_scores",
    "frame_curves",
    "jaccard_f",
    "plain_frame_means",
    "plain_frames",
    "sigmoid",
]

BETA2 = 0.3
THRESHOLDS: NDArray[np.float32] = np.linspace(0, 1 - 1e-10, 255).astype(np.float32)
"""(255,) thresholds of the F curve: i / 254 in float32. The first is 0, and the last is rounded to 1."""
_END = object()


def sigmoid(logits: ArrayLike) -> NDArray[np.float32]:
    """Scores of logits, ``1 / (1 + exp(-logit))``, in float32 as in the official code; above 16.7 exactly 1."""
    with np.errstate(over="ignore"):
        scores: NDArray[np.float32] = np.reciprocal(np.float32(1) + np.exp(-np.asarray(logits, dtype=np.float32)))
    return scores


def jaccard_f(
    predicted: Iterable[ArrayLike | None], truth: Iterable[ArrayLike], batch_frames: int = 20, cut: float = 0.5
) -> dict[str, float]:
    """Jaccard index J and F measure as published: values of batches, and the unweighted mean of those.

    :func:`frame_curves` says what is measured of a frame and :func:`batch_means` how frames become two numbers; both
    have the source. An empty true mask gives J the share of background pixels and does not enter F.

    Args:
        predicted: N frames of (height, width) scores 0..1, or None; a video's frames follow each other.
        truth: N true masks of the same sizes.
        batch_frames: frames of a batch, on which F depends: 20 (four videos) in both ``test.sh``, 5 (one video) by
            default in ``test.py``. Which of them gave the published tables is not known, so name it beside the score.
        cut: a pixel is foreground for J where its score is greater.

    Returns:
        ``J`` and ``F``, 0..1, higher is better.

    Raises:
        ValueError: no frame, more predicted than true ones or the reverse, another shape, scores outside 0..1, or
            ``batch_frames`` below 1.
    """
    check_batch_frames(batch_frames)
    return batch_means(*frame_curves(predicted, truth, cut), batch_frames=batch_frames)


def frame_curves(
    predicted: Iterable[ArrayLike | None], truth: Iterable[ArrayLike], cut: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """J of each frame, and its F at each of the 255 thresholds.

    With true mask G and ``P = [score > cut]``, ``J = |P & G| / |P | G|``; where G is empty, J is the share of the
    pixels that P leaves as background, 1 for an empty P and 0 for a full one. With ``P_t = [score >= t]``,
    ``precision = |P_t & G| / |P_t|`` and ``recall = |P_t & G| / |G|``,

        ``F_t = 1.3 precision recall / (0.3 precision + recall) = 1.3 |P_t & G| / (|P_t| + 0.3 |G|)``,

    0 where nothing is hit. At t = 0 everything is foreground, at the last threshold what scores 1. Source:
    OpenNLPLab/AVSBench, ``avs_scripts/avs_s4/utils/utility.py`` and ``avs_scripts/avs_ms3/utils/utility.py``
    (``mask_iou``, ``Eval_Fmeasure``), whose terms against division by zero (1e-7, 1e-20) vanish in float32.

    Args: as for :func:`jaccard_f`.

    Returns:
        (N,) J, and (N, 255) F, whose row is NaN where G is empty.

    Raises:
        ValueError: as :func:`jaccard_f`.
    """
    jaccard, curves = [], []
    for scores, true in _pairs(predicted, truth):
        said, area = scores > cut, np.count_nonzero(true)
        if area:
            jaccard.append(np.count_nonzero(said & true) / np.count_nonzero(said | true))
            curves.append(_curve(scores, true))
        else:
            jaccard.append(1 - np.count_nonzero(said) / said.size)
            curves.append(np.full(THRESHOLDS.size, np.nan))
    return np.array(jaccard, dtype=np.float64), np.array(curves, dtype=np.float64).reshape(-1, THRESHOLDS.size)


def batch_means(jaccard: NDArray[np.float64], curves: NDArray[np.float64], batch_frames: int) -> dict[str, float]:
    """J and F of a data set from those of its frames, as :func:`frame_curves` gives them.

    A batch's J is the mean over its frames; its F is ``max_t mean F_t`` over its frames with a true mask that is not
    empty (first the mean, then the maximum), and 0 if it has none. The data set's J and F are means over batches, in
    which a short last batch counts as much as a full one. Source: OpenNLPLab/AVSBench, ``avs_scripts/avs_s4/test.py``
    and ``avs_scripts/avs_ms3/test.py`` (``AverageMeter`` over batches).

    Hard masks too have the level t = 0, at which all is foreground: their F is the greater of the means of the masks'
    own F and that of full masks.

    Raises:
        ValueError: no frame, not one curve a frame, or ``batch_frames`` below 1.
    """
    check_batch_frames(batch_frames)
    if not len(jaccard) or len(jaccard) != len(curves):
        raise ValueError(f"frames: one J and one curve of each of 1 or more wanted, got {len(jaccard)}, {len(curves)}")
    batches = [slice(start, start + batch_frames) for start in range(0, len(jaccard), batch_frames)]
    return {
        "J": float(np.mean([jaccard[batch].mean() for batch in batches])),
        "F": float(np.mean([_best(curves[batch]) for batch in batches])),
    }


def _best(curves: NDArray[np.float64]) -> float:
    usable = curves[~np.isnan(curves[:, 0])]
    return float(usable.mean(axis=0).max()) if len(usable) else 0.0


def _curve(scores: NDArray[np.float32], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(255,) F of one frame at all thresholds, from one histogram; the true mask is not empty.

    A pixel's level is the number of the greatest threshold that it reaches. That is ``floor(254 score)`` but for
    float32's rounding, so the level is guessed from a little above, and is one less where the score falls short of
    the guessed threshold.
    """
    count = THRESHOLDS.size
    level = (scores * np.float32(count - 1) + np.float32(0.01)).astype(np.intp)
    level -= scores < THRESHOLDS[level]
    level += count * true
    pixels = np.bincount(level.ravel(), minlength=2 * count).reshape(2, count)
    background, hit = pixels[:, ::-1].cumsum(axis=1)[:, ::-1]
    curve: NDArray[np.float64] = (1 + BETA2) * hit / (background + hit + BETA2 * hit[0])
    return curve


def plain_frame_means(
    predicted: Iterable[ArrayLike | None], truth: Iterable[ArrayLike], cut: float = 0.5
) -> dict[str, float]:
    """Plain variant, not the published metric: mean over frames of :func:`plain_frames`.

    Returns:
        ``frame_J`` and ``frame_F``, 0..1, higher is better.

    Raises:
        ValueError: as :func:`jaccard_f`.
    """
    values = plain_frames(predicted, truth, cut)
    if not len(values):
        raise ValueError("frames: a mean over 1 or more wanted, got none")
    return {"frame_J": float(values[:, 0].mean()), "frame_F": float(values[:, 1].mean())}


def plain_frames(
    predicted: Iterable[ArrayLike | None], truth: Iterable[ArrayLike], cut: float = 0.5
) -> NDArray[np.float64]:
    """J and F of each frame at one operating point, ``P = [score > cut]``.

    ``J = |P & G| / |P | G|`` and ``F = 1.3 |P & G| / (|P| + 0.3 |G|)``; where the true mask G is empty, both are 1 if
    P is empty too, else 0. No thresholds, no batches. Source: GeWu-Lab/Crab_Plus, ``seg/scripts/inference_3.py`` and
    ``seg/scripts/inference_ref_3.py`` (``calculate_metrics``), which leave frames without a usable answer out of the
    mean; here they count, as empty masks.

    Args: as for :func:`jaccard_f`.

    Returns:
        (N, 2) J and F.

    Raises:
        ValueError: as :func:`jaccard_f`, but no frame is an empty array.
    """
    values: list[tuple[float, float]] = []
    for scores, true in _pairs(predicted, truth):
        said = scores > cut
        area, size, hit = np.count_nonzero(true), np.count_nonzero(said), np.count_nonzero(said & true)
        if area:
            values.append((hit / (area + size - hit), (1 + BETA2) * hit / (size + BETA2 * area)))
        else:
            values.append((float(not size), float(not size)))
    return np.array(values, dtype=np.float64).reshape(-1, 2)


def _pairs(
    predicted: Iterable[ArrayLike | None], truth: Iterable[ArrayLike]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Scores and true mask of each frame, checked."""
    for n, (said, true) in enumerate(zip_longest(predicted, truth, fillvalue=_END)):
        if said is _END or true is _END:
            short = "predicted" if said is _END else "true"
            raise ValueError(f"frames: as many predicted as true ones wanted, got only {n} {short} ones")
        mask = _true_mask(true, n)
        scores = np.zeros(mask.shape, dtype=np.float32) if said is None else check_scores(said, n)
        if scores.shape != mask.shape:
            raise ValueError(f"frame {n}: scores of the true mask's shape {mask.shape} wanted, got {scores.shape}")
        yield scores, mask


def _true_mask(true: object, frame: int) -> NDArray[np.bool_]:
    values = np.asarray(true, dtype=np.float32)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"frame {frame}: a true mask (height, width) wanted, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"frame {frame}: a true mask of finite numbers wanted, got some that are not")
    mask: NDArray[np.bool_] = values != 0
    return mask


def check_scores(scores: object, frame: int) -> NDArray[np.float32]:
    """(height, width) scores of a frame in float32, or a ValueError that names its number."""
    values = np.asarray(scores, dtype=np.float32)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"frame {frame}: scores (height, width) wanted, got shape {values.shape}")
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"frame {frame}: scores 0..1 wanted (logits go through sigmoid), got {low} to {high}")
    return values


def check_batch_frames(batch_frames: int) -> None:
    """Raise a ValueError if a batch would have no frame."""
    if batch_frames < 1:
        raise ValueError(f"batch_frames: at least 1 wanted, got {batch_frames}")

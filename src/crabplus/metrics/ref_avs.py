"""Segmentation of what an expression refers to (Ref-AVS): J and F of seen and unseen things, S where there is none.

Scores, masks and None are as in :mod:`crabplus.metrics.avsbench`. The official code works on frames of 256 x 256
pixels, ten a video.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crabplus.metrics import avsbench

__all__ = ["BATCH_FRAMES", "FOREGROUND", "frame_background_s", "jaccard_f", "null_s"]

BATCH_FRAMES = 40
"""Frames of an official batch: four expressions of ten frames."""
FOREGROUND = 0.4
"""For J a pixel is foreground where its score is greater; AVSBench has 0.5."""
NULL_FOREGROUND = 0.5


def jaccard_f(
    predicted: Iterable[ArrayLike | None], truth: Iterable[ArrayLike], batch_frames: int = BATCH_FRAMES
) -> dict[str, float]:
    """J and F of the splits test_s and test_u: :func:`crabplus.metrics.avsbench.jaccard_f` with J's cut at 0.4.

    Source: GeWu-Lab/Ref-AVS, ``utils/metric/utility.py`` (``mask_iou``, ``Eval_Fmeasure``) and ``scripts/train.py``
    (``test``, a mean over batches).

    Args:
        predicted: N frames of (height, width) scores 0..1, or None; an expression's frames follow each other.
        truth: N true masks of the same sizes.
        batch_frames: frames of a batch, on which F depends.

    Returns:
        ``J`` and ``F``, 0..1, higher is better.

    Raises:
        ValueError: as there.
    """
    return avsbench.jaccard_f(predicted, truth, batch_frames, FOREGROUND)


def null_s(predicted: Iterable[ArrayLike | None], batch_frames: int = BATCH_FRAMES) -> dict[str, float]:
    """S of the split test_n, whose expressions refer to nothing: how much is marked nevertheless.

    Of a batch ``S = sqrt(pixels with score > 0.5 / all pixels)``, over the pixels of all its frames together; of the
    data set the mean over batches, in which a short last one counts as much as a full one. Source: GeWu-Lab/Ref-AVS,
    ``utils/metric/utility.py`` (``metric_s_for_null``) and ``scripts/train.py`` (``test``).

    None is an empty mask, the best there is here. So that an answer that cannot be read does not count as a right one,
    give a full mask (ones) for it.

    Args:
        predicted: N frames of (height, width) scores 0..1, all of one size, or None.
        batch_frames: frames of a batch, on which S depends.

    Returns:
        ``S``, 0..1, lower is better.

    Raises:
        ValueError: no frame, sizes that differ, scores outside 0..1, or ``batch_frames`` below 1.
    """
    avsbench.check_batch_frames(batch_frames)
    share = _foreground_share(predicted)
    batches = [share[start : start + batch_frames] for start in range(0, share.size, batch_frames)]
    return {"S": float(np.mean([np.sqrt(batch.mean()) for batch in batches]))}


def frame_background_s(predicted: Iterable[ArrayLike | None]) -> dict[str, float]:
    """Variant of the lab's later code, not the published metric: S of single frames, foreground over background.

    Of a frame ``sqrt(foreground pixels / background pixels)``, and the mean over frames. A frame that is all
    foreground has no finite value: as in the source it stays out of the mean, and is counted. So the number can hide
    the worst frames, and :func:`null_s` is the one to trust. Source: GeWu-Lab/Crab_Plus,
    ``seg/scripts/inference_ref_3.py`` (``calculate_s_metric``, and its mean in ``main``).

    Args: as for :func:`null_s`.

    Returns:
        ``frame_background_S``, 0 or more, lower is better, infinite if every frame is all foreground (the source says
        0); ``infinite_frames``, how many are.

    Raises:
        ValueError: as :func:`null_s`.
    """
    share = _foreground_share(predicted)
    finite = share[share < 1]
    mean = float(np.sqrt(finite / (1 - finite)).mean()) if finite.size else float("inf")
    return {"frame_background_S": mean, "infinite_frames": float(share.size - finite.size)}


def _foreground_share(predicted: Iterable[ArrayLike | None]) -> NDArray[np.float64]:
    """(N,) foreground over all pixels of each frame."""
    shares: list[float] = []
    size: tuple[int, ...] | None = None
    for n, said in enumerate(predicted):
        if said is None:
            shares.append(0.0)
            continue
        scores = avsbench.check_scores(said, n)
        size = size or scores.shape
        if scores.shape != size:
            raise ValueError(f"frame {n}: the size {size} of the frames before wanted, got {scores.shape}")
        shares.append(np.count_nonzero(scores > NULL_FOREGROUND) / scores.size)
    if not shares:
        raise ValueError("frames: a mean over 1 or more wanted, got none")
    return np.array(shares, dtype=np.float64)

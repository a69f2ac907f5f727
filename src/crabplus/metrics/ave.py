"""Segment accuracy of AVE: which event, if any, happens in each second of a clip."""

from collections.abc import Collection, Iterable, Sequence
from math import ceil, floor

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BACKGROUND",
    "TimedLabel",
    "inclusive_segment_labels",
    "segment_accuracy",
    "segment_labels",
]

BACKGROUND = "background"
TimedLabel = tuple[str, float, float]
"""Label, start and end in seconds."""


def segment_labels(
    events: Iterable[TimedLabel], seconds: int = 10, vocabulary: Collection[str] | None = None
) -> list[str]:
    """Label each second: segment i belongs to an event iff ``start <= i < end``, else to ``background``.

    This is the official, half-open rule: ``labels_closs.h5`` of YapengTian/AVE-ECCV18 is the indicator of
    [start, end) in all 4,143 rows, and a zero-length event marks nothing.

    Args:
        events: (label, start, end) in seconds; where two overlap, the one that comes first in the sequence keeps the
            segment. AVE itself has one event a clip.
        seconds: number of one-second segments S; what lies outside [0, S) is cut.
        vocabulary: if given, events with other labels are left out, so their segments are background, as a class
            that does not exist cannot be predicted by an official model.

    Returns:
        S labels, stripped and in lower case.
    """
    return _fill([(label, ceil(start), ceil(end)) for label, start, end in events], seconds, vocabulary)


def inclusive_segment_labels(
    events: Iterable[TimedLabel], seconds: int = 10, vocabulary: Collection[str] | None = None
) -> list[str]:
    """Label segments by the lab's rule: segment i belongs to an event iff ``start <= i <= end``.

    Source: GeWu-Lab/MokA, ``AudioVisualText/scripts/evaluation/ave_eval.py``, which treats truth and prediction this
    way. Every event gets one segment more than AVE says, so the figures do not compare with the official ones. (That
    script also skips unreadable answers without moving its write index, so that the unused tail of zeros counts as
    right; this is not repeated here: an unreadable answer is all background.)
    """
    return _fill([(label, ceil(start), floor(end) + 1) for label, start, end in events], seconds, vocabulary)


def _fill(ranges: Sequence[tuple[str, int, int]], seconds: int, vocabulary: Collection[str] | None) -> list[str]:
    known = None if vocabulary is None else {_plain(label) for label in vocabulary}
    labels = [BACKGROUND] * seconds
    for label, first, stop in reversed(ranges):
        name = _plain(label)
        if known is None or name in known:
            for i in range(max(first, 0), min(stop, seconds)):
                labels[i] = name
    return labels


def _plain(label: str) -> str:
    return label.strip().lower()


def segment_accuracy(truth: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Share of segments whose predicted label is the true one, over all N x S segments, background included.

    ``segment_accuracy = sum_n sum_i [predicted_ni == truth_ni] / (N S)``. Source: YapengTian/AVE-ECCV18,
    ``supervised_main.py`` (``compute_acc``: accuracy over 402 x 10 argmaxed segments, 28 classes and background).
    Always "background" scores 0.1779 on its test set. Labels compare stripped and in any case. A clip without a
    readable answer is a row of background.

    Args:
        truth: (N, S) labels, as :func:`segment_labels` gives them.
        predicted: (N, S) labels that a model said.

    Raises:
        ValueError: grids of different shape, or no segment at all.
    """
    true, said = _grid(truth), _grid(predicted)
    if true.ndim != 2 or true.shape != said.shape:
        raise ValueError(f"segments: two grids (N, S) of one shape wanted, got {true.shape} and {said.shape}")
    if not true.size:
        raise ValueError("segments: an accuracy over no clip is undefined")
    return {"segment_accuracy": float((true == said).mean())}


def _grid(labels: ArrayLike) -> NDArray[np.str_]:
    return np.strings.lower(np.strings.strip(np.asarray(labels, dtype=np.str_)))

"""Detection in UnAV-100: mean average precision of timed events in untrimmed clips."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "THRESHOLDS",
    "Detections",
    "ScoredEvent",
    "TrueEvent",
    "average_map",
    "average_precisions",
    "detection_scores",
    "group_pairs",
    "match_detections",
]

THRESHOLDS: tuple[float, ...] = tuple(np.linspace(0.1, 0.9, 9).tolist())
"""The nine official tIoU thresholds, with the rounding of ``linspace``: the third is 0.30000000000000004."""

SAME_TIME = 1e-3
"""Seconds by which start and end may differ in two annotations of one event."""

TrueEvent = tuple[Hashable, str, float, float]
"""Video, label, start and end in seconds."""
ScoredEvent = tuple[Hashable, str, float, float, float]
"""Video, label, start and end in seconds, and how sure the model is."""
_Columns = tuple[Sequence[Hashable], Sequence[str], NDArray[np.float64]]


def detection_scores(truth: Sequence[TrueEvent], said: Sequence[ScoredEvent]) -> dict[str, float]:
    """Mean average precision as in the tables of UnAV-100.

    ``mAP(t) = mean_c AP_c(t)`` over the classes that occur in the truth; AP is that of :func:`average_precisions`.
    Source: ttgeng233/UnAV, ``libs/utils/metrics.py`` (``ANETdetection``) as ``eval.py`` calls it, which prints the
    same numbers times 100.

    Args:
        truth: true events of all videos.
        said: predicted events of all videos, in any order; a video about which nothing is said has no rows.

    Returns:
        ``average_map``: mean of mAP(t) over the nine :data:`THRESHOLDS`; ``map_0.5`` to ``map_0.9``: mAP at these
        five. All are 0..1.

    Raises:
        ValueError: as :func:`average_precisions`.
    """
    by_class = average_precisions(truth, said)
    mean: NDArray[np.float64] = np.mean(list(by_class.values()), axis=0)
    columns = {f"map_{t:.1f}": float(mean[k]) for k, t in enumerate(THRESHOLDS) if k >= 4}
    return {"average_map": float(mean.mean()), **columns}


def average_precisions(
    truth: Sequence[TrueEvent], said: Sequence[ScoredEvent], thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, NDArray[np.float64]]:
    """Average precision of each class at each threshold of tIoU.

    The predictions of a class are taken by falling score. At threshold t each takes, among the true events of its
    video and class that none before it has taken, the one of highest tIoU, if that is >= t; then it is right, else
    wrong. With the precision ``p_i = right among the first i / i``, ``AP(t) = sum_i [i is right] max_{j >= i} p_j /
    positives``, which is the area under the interpolated curve of precision over recall (VOC 2011). ``tIoU =
    max(0, min(end) - max(start)) / (length + length - intersection)``.

    Order of ties, which the official unstable sort leaves open: of equal scores, the prediction that stands earlier
    in ``said`` comes first; of equal tIoU, the true event that stands later in ``truth`` is taken. A model that gives
    no scores has ties only, and its AP depends on the order of the videos in ``said``: keep that of the test list.

    Edge cases: an annotation is left out if start and end differ by at most 0.001 s from those of an earlier kept one
    of its video and label. A class without prediction has AP 0; predictions of a class that is not in the truth are
    left out. An event without length, or that ends before it starts, overlaps nothing: said it is wrong, in the truth
    it stays among the positives (officially 0 / 0 between two of them). Labels compare as they stand.

    Source: ttgeng233/UnAV, ``libs/utils/metrics.py`` (``compute_average_precision_detection``,
    ``remove_duplicate_annotations``, ``segment_iou``, ``interpolated_prec_rec``).

    Args:
        truth: true events of all videos.
        said: predicted events of all videos.
        thresholds: K values of tIoU, above 0.

    Returns:
        Label to (K,) average precisions, 0..1, in the order in which the labels appear in the truth.

    Raises:
        ValueError: no true event, rows of another length, times or scores that are not finite, thresholds not above 0.
    """
    classes = match_detections(truth, said, thresholds)
    return {label: found.average_precision(None) for label, found in classes.items()}


def average_map(classes: Mapping[str, "Detections"], copies: NDArray[np.int64] | None = None) -> float:
    """Mean over classes and thresholds, with every video counted so many times; for the bootstrap over videos.

    Args:
        classes: what :func:`match_detections` gives.
        copies: (V,) how often each video is drawn, in the order in which the truth first names them; None: once each.
            A class whose true events are all in videos that are not drawn is left out, as in a smaller test set.
    """
    found = [part.average_precision(copies) for part in classes.values() if copies is None or copies[part.true].any()]
    return float(np.mean(found)) if found else 0.0


def match_detections(
    truth: Sequence[TrueEvent], said: Sequence[ScoredEvent], thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, "Detections"]:
    """Which prediction takes which true event, for each class; see :func:`average_precisions`."""
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.ndim != 1 or not limits.size or not (limits > 0).all():
        raise ValueError(f"thresholds: numbers above 0 wanted, got {thresholds!r}")
    if not truth:
        raise ValueError("truth: at least one event wanted, got none")
    true_videos, true_labels, true_times = _read("truth", truth, 2)
    said_videos, said_labels, numbers = _read("said", said, 3)
    videos = {video: v for v, video in enumerate(dict.fromkeys(true_videos))}
    classes = {label: c for c, label in enumerate(dict.fromkeys(true_labels))}
    groups = {key: g for g, key in enumerate(dict.fromkeys(zip(true_videos, true_labels, strict=True)))}
    true_class, said_class = _find(classes, true_labels), _find(classes, said_labels)
    true_group = _find(groups, zip(true_videos, true_labels, strict=True))
    said_group = _find(groups, zip(said_videos, said_labels, strict=True))
    kept = _distinct(true_group, true_times)

    order = np.lexsort((-numbers[:, 2], said_class))
    hits = _hits(true_group[kept], true_times[kept], said_group[order], numbers[order, :2], limits)
    said_video, true_video = _find(videos, said_videos)[order], _find(videos, true_videos)[kept]
    found = {}
    for label, c in classes.items():
        mine = said_class[order] == c
        found[label] = Detections(hits[mine], said_video[mine], true_video[true_class[kept] == c])
    return found


def _read(name: str, rows: Sequence[tuple[Any, ...]], width: int) -> _Columns:
    """Video and label of each of N rows, and the (N, width) numbers behind them."""
    fields = ("video", "label", "start", "end", "score")[: 2 + width]
    if not set(map(len, rows)) <= {len(fields)}:
        strange = next(row for row in rows if len(row) != len(fields))
        raise ValueError(f"{name}: ({', '.join(fields)}) wanted, got {strange!r}")
    videos, labels, *columns = zip(*rows, strict=True) if rows else ((),) * len(fields)
    numbers = np.array(columns, dtype=np.float64).T
    finite = np.isfinite(numbers).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name}: finite {', '.join(fields[2:])} wanted, got {rows[int(finite.argmin())]!r}")
    return videos, labels, numbers


def _find(numbers: Mapping[Any, int], names: Iterable[Any]) -> NDArray[np.int64]:
    """(N,) number of each name; -1 if it has none."""
    return np.fromiter((numbers.get(name, -1) for name in names), dtype=np.int64)


def _distinct(groups: NDArray[np.int64], times: NDArray[np.float64]) -> list[int]:
    """Where the true events stand, without repeated annotations."""
    earlier: dict[int, list[tuple[float, float]]] = {}
    kept = []
    for n, (group, (start, end)) in enumerate(zip(groups.tolist(), times.tolist(), strict=True)):
        others = earlier.setdefault(group, [])
        if not any(abs(start - s) <= SAME_TIME and abs(end - e) <= SAME_TIME for s, e in others):
            others.append((start, end))
            kept.append(n)
    return kept


def group_pairs(
    first_groups: NDArray[np.int64], second_groups: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs (i, j) with ``first_groups[i] == second_groups[j]``, by rising i.

    Args:
        first_groups: (M,) group numbers.
        second_groups: (N,) group numbers.

    Returns:
        (P,) the i and (P,) the j.
    """
    order = np.argsort(second_groups, kind="stable")
    begin, end = (np.searchsorted(second_groups[order], first_groups, side) for side in ("left", "right"))
    count = end - begin
    first = np.repeat(np.arange(len(first_groups)), count)
    offset = np.repeat(begin - (np.cumsum(count) - count), count)
    return first, order[np.arange(len(first)) + offset]


def _hits(
    true_group: NDArray[np.int64],
    true_times: NDArray[np.float64],
    said_group: NDArray[np.int64],
    said_times: NDArray[np.float64],
    limits: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """(M, K) whether each prediction, by falling score, finds a free true event of its group at each threshold.

    Groups do not meet, so the first predictions of all of them choose together, then the second ones, and so on.
    """
    said, true = group_pairs(said_group, true_group)
    iou = _iou(said_times[said], true_times[true])
    turn = _turns(said_group)[said]
    order = np.lexsort((true, iou, said, turn))
    order = order[iou[order] >= limits.min()]
    hits = np.zeros((len(said_group), len(limits)), dtype=np.bool_)
    taken = np.zeros((len(true_group), len(limits)), dtype=np.bool_)
    for pairs in np.split(order, np.flatnonzero(np.diff(turn[order])) + 1) if order.size else ():
        one, other = said[pairs], true[pairs]
        begin = np.flatnonzero(np.diff(one, prepend=-1))  # where the next prediction's candidates begin
        free = (iou[pairs, None] >= limits) & ~taken[other]
        best = np.maximum.reduceat(np.where(free, np.arange(len(pairs))[:, None], -1), begin)
        chooser, limit = np.nonzero(best >= 0)
        hits[one[begin[chooser]], limit] = True
        taken[other[best[chooser, limit]], limit] = True
    return hits


def _iou(said: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P,) temporal IoU of intervals (P, 2)."""
    shared = np.maximum(np.minimum(said[:, 1], true[:, 1]) - np.maximum(said[:, 0], true[:, 0]), 0.0)
    union = (true[:, 1] - true[:, 0]) + (said[:, 1] - said[:, 0]) - shared
    iou: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return iou


def _turns(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """(M,) how many with the same group number stand before each."""
    order = np.argsort(groups, kind="stable")
    turns = np.empty_like(groups)
    turns[order] = np.arange(len(groups)) - np.searchsorted(groups[order], groups[order])
    return turns


@dataclass(frozen=True)
class Detections:
    """The predictions of one class by falling score, and its true events.

    Attributes:
        hits: (M, K) whether each prediction is right at each threshold; said: (M,) its video, -1 where the truth knows
            no such video; true: (P,) the video of each true event.
    """

    hits: NDArray[np.bool_]
    said: NDArray[np.int64]
    true: NDArray[np.int64]

    def average_precision(self, copies: NDArray[np.int64] | None) -> NDArray[np.float64]:
        """(K,) average precision with every video counted ``copies`` (V,) times; None: once each.

        Copies of a right prediction stand behind each other, and none of them has a higher precision than the last.
        """
        one = np.ones(len(self.said), dtype=np.int64)
        weight = one if copies is None else np.where(self.said >= 0, copies[self.said], one)
        right = self.hits * weight[:, None]
        precision = np.cumsum(right, axis=0) / np.maximum(np.cumsum(weight), 1)[:, None]
        best: NDArray[np.float64] = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        positives = len(self.true) if copies is None else copies[self.true].sum()
        area: NDArray[np.float64] = (best * right).sum(axis=0) / positives
        return area

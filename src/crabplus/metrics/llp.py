"""Audio-visual video parsing (LLP): which events are heard, seen, or both, and in which seconds of a clip."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crabplus.metrics.ave import TimedLabel
from crabplus.metrics.unav import group_pairs

__all__ = ["event_grid", "parsing_scores", "video_scores"]

Grid = NDArray[np.bool_]
"""(N, C, T): whether class c happens in second t of video n."""
Counts = NDArray[np.int64]
"""(2, N, C): how many of the things said are right, and how many are said and true together."""


def event_grid(events: Iterable[TimedLabel], vocabulary: Sequence[str], seconds: int = 10) -> Grid:
    """Draw events on a grid of seconds: second t of class c is marked iff an event of it has ``start <= t < end``.

    This is the slice ``[onset:offset]`` of the official truth, where times are whole seconds. Events of one class
    that overlap or touch merge into one. An event without length, or that ends before it starts, marks nothing (six
    rows of ``AVVP_eval_audio.csv`` are such), and what lies outside [0, T) is cut.

    Source: YapengTian/AVVP-ECCV20, ``main_avvp.py`` (``eval``).

    Args:
        events: (label, start, end) in seconds; labels outside the vocabulary are left out.
        vocabulary: C labels, which compare stripped and in any case.
        seconds: number of one-second segments T.

    Returns:
        (C, T) bool.

    Raises:
        ValueError: a vocabulary that names a label twice.
    """
    rows = {_plain(label): row for row, label in enumerate(vocabulary)}
    if len(rows) != len(vocabulary):
        raise ValueError(f"vocabulary: labels that differ wanted, got {list(vocabulary)}")
    grid = np.zeros((len(rows), seconds), dtype=np.bool_)
    time = np.arange(seconds)
    for label, start, end in events:
        row = rows.get(_plain(label))
        if row is not None:
            grid[row] |= (start <= time) & (time < end)
    return grid


def _plain(label: str) -> str:
    return label.strip().lower()


def parsing_scores(
    truth_audio: ArrayLike, truth_visual: ArrayLike, said_audio: ArrayLike, said_visual: ArrayLike
) -> dict[str, float]:
    """Give the ten numbers of LLP, each the mean over videos of what :func:`video_scores` gives.

    A video without a readable answer is an empty grid and stays in the mean. Source: YapengTian/AVVP-ECCV20,
    ``main_avvp.py`` (``eval``), which prints them times 100.

    Args:
        truth_audio: (N, C, T) what is heard, of 0 and 1, as :func:`event_grid` draws each video.
        truth_visual: (N, C, T) what is seen.
        said_audio: (N, C, T) what the model says is heard.
        said_visual: (N, C, T) what the model says is seen.

    Raises:
        ValueError: as :func:`video_scores`.
    """
    numbers = video_scores(truth_audio, truth_visual, said_audio, said_visual)
    return {name: float(values.mean()) for name, values in numbers.items()}


def video_scores(
    truth_audio: ArrayLike, truth_visual: ArrayLike, said_audio: ArrayLike, said_visual: ArrayLike
) -> dict[str, NDArray[np.float64]]:
    """The ten numbers of LLP for each video, 0..1; a bootstrap over videos draws from these.

    For each class ``F1_c = 2 TP / (2 TP + FP + FN)``; a video's F is the mean over the classes that are said or true
    in it, and 1 if there is none. At segment level TP, FP and FN count seconds. At event level they count maximal
    runs of seconds: a said run is right if its IoU with a true run of the class is >= 0.5, a true run that no said
    one meets so is missed. (Two runs of one grid have a gap between them, so that never do both reach 0.5 with the
    same run: as many true runs are met as said ones are right, though nothing is assigned one to one.)

    Per level: ``audio``, ``visual`` and ``audio_visual`` (seconds that are both) are the F of these grids; ``type``
    (Type@AV) is the mean of the three; ``event`` (Event@AV) is the F of audio and visual counts added class by class.

    Source: YapengTian/AVVP-ECCV20, ``utils/eval_metrics.py`` (``segment_level``, ``event_level``). It fixes C = 25
    and T = 10, here both are free.

    Args:
        truth_audio: (N, C, T) what is heard, of 0 and 1.
        truth_visual: (N, C, T) what is seen.
        said_audio: (N, C, T) what the model says is heard.
        said_visual: (N, C, T) what the model says is seen.

    Returns:
        ``segment_audio``, ``segment_visual``, ``segment_audio_visual``, ``segment_type``, ``segment_event``, and the
        same with ``event_`` in front; each (N,).

    Raises:
        ValueError: grids that are not all of one shape (N, C, T) with no axis of length 0, or hold other than 0 and 1.
    """
    true_a, true_v, said_a, said_v = _grids(
        truth_audio=truth_audio, truth_visual=truth_visual, said_audio=said_audio, said_visual=said_visual
    )
    numbers: dict[str, NDArray[np.float64]] = {}
    for level, count in (("segment", _segment_counts), ("event", _event_counts)):
        audio, visual = count(true_a, said_a), count(true_v, said_v)
        both = count(true_a & true_v, said_a & said_v)
        scores = {"audio": _f_score(audio), "visual": _f_score(visual), "audio_visual": _f_score(both)}
        scores["type"] = np.mean(list(scores.values()), axis=0)
        scores["event"] = _f_score(audio + visual)
        numbers.update({f"{level}_{name}": values for name, values in scores.items()})
    return numbers


def _grids(**grids: ArrayLike) -> list[Grid]:
    arrays = {name: np.asarray(grid) for name, grid in grids.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 3 or not np.prod(shape) for shape in shapes.values()):
        raise ValueError(f"grids: (N, C, T) of one shape wanted, with at least one video, got {shapes}")
    for name, array in arrays.items():
        if array.dtype != np.bool_ and not ((array == 0) | (array == 1)).all():
            raise ValueError(f"{name}: 0 and 1 wanted, got {array.min()} to {array.max()}")
    return [array.astype(np.bool_) for array in arrays.values()]


def _segment_counts(true: Grid, said: Grid) -> Counts:
    right, said_and_true = (true & said).sum(axis=2), said.sum(axis=2) + true.sum(axis=2)
    return np.stack([right, said_and_true])


def _event_counts(true: Grid, said: Grid) -> Counts:
    """Runs that are right are pairs with IoU >= 0.5, as no run is in two of these."""
    cells = true.shape[0] * true.shape[1]
    true_cell, true_start, true_end = _runs(true)
    said_cell, said_start, said_end = _runs(said)
    i, j = group_pairs(said_cell, true_cell)
    shared = np.minimum(said_end[i], true_end[j]) - np.maximum(said_start[i], true_start[j])
    union = (said_end - said_start)[i] + (true_end - true_start)[j] - shared
    right = np.bincount(said_cell[i][2 * shared >= union], minlength=cells)
    said_and_true = np.bincount(np.concatenate([said_cell, true_cell]), minlength=cells)
    return np.stack([right, said_and_true]).reshape(2, *true.shape[:2])


def _runs(grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Maximal runs of marked seconds: number of the (video, class) cell, first second, second after the last."""
    cells, seconds = grid.shape[0] * grid.shape[1], grid.shape[2]
    marks = np.zeros((cells, seconds + 2), dtype=np.int8)
    marks[:, 1:-1] = grid.reshape(cells, seconds)
    steps = np.diff(marks, axis=1)
    cell, start = np.nonzero(steps == 1)
    return cell, start, np.nonzero(steps == -1)[1]


def _f_score(counts: Counts) -> NDArray[np.float64]:
    """(N,) mean F1 over the classes of each video that are said or true; 1 where there is none."""
    right, said_and_true = counts
    by_class = 2 * right / np.maximum(said_and_true, 1)
    classes = (said_and_true > 0).sum(axis=1)
    mean: NDArray[np.float64] = np.where(classes > 0, by_class.sum(axis=1) / np.maximum(classes, 1), 1.0)
    return mean

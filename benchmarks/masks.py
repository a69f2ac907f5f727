"""The F curve of AVSBench's metric, all 255 thresholds: one histogram against loops over the thresholds.

``loop`` does a threshold at a time as the official code does, in float32; ``lean`` is the same loop with the cheapest
NumPy there is, on bool. Runs are timed in turn within each round, so that what else the machine does falls on all of
them; ``over_ours`` is the median of the ratios within rounds. Results go to ``benchmarks/results/masks.json``.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import processor
from numpy.typing import NDArray

from crabplus.metrics.avsbench import THRESHOLDS, frame_curves, sigmoid

RESULTS = Path(__file__).parent / "results"
Curve = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float64]]


def discs(frames: int, side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores (N, side, side) as of a segmenter, soft at the rim and noisy, and true discs that lie a bit beside."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    centre = random.uniform(0.25, 0.75, (2, frames, 1, 1)) * side
    radius = random.uniform(0.1, 0.3, (frames, 1, 1)) * side
    truth = np.hypot(y - centre[0], x - centre[1]) < radius
    logits = (radius - np.hypot(y - centre[0] + 5, x - centre[1] - 5)) / 4
    return sigmoid(logits + random.normal(0, 1, truth.shape)), truth


def loop(scores: NDArray[np.float32], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Precision and recall of one threshold after the other, on float32 as in the official code."""
    values, area = np.zeros(THRESHOLDS.size), true.astype(np.float32)
    for i, threshold in enumerate(THRESHOLDS):
        said = (scores >= threshold).astype(np.float32)
        hit = (said * area).sum()
        if hit:
            precision, recall = hit / said.sum(), hit / area.sum()
            values[i] = 1.3 * precision * recall / (0.3 * precision + recall)
    return values


def lean(scores: NDArray[np.float32], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The same loop, counting bools."""
    values, area = np.zeros(THRESHOLDS.size), np.count_nonzero(true)
    for i, threshold in enumerate(THRESHOLDS):
        said = scores >= threshold
        values[i] = 1.3 * np.count_nonzero(said & true) / (np.count_nonzero(said) + 0.3 * area)
    return values


def ours(scores: NDArray[np.float32], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """All of :func:`frame_curves`, with its checks and J, which the loops do not compute."""
    return frame_curves([scores], [true])[1][0]


def measure(runs: dict[str, Curve], frames: int, side: int, rounds: int) -> tuple[dict[str, list[float]], float]:
    """Milliseconds of each run in each round, the first of which warms up, and how far the curves lie apart at most."""
    scores, truth = discs(frames, side)
    times: dict[str, list[float]] = {name: [] for name in runs}
    apart = 0.0
    for number in range(rounds + 1):
        curves = []
        for name, run in runs.items():
            start = time.perf_counter()
            curves.append(np.array([run(*pair) for pair in zip(scores, truth, strict=True)]))
            if number:
                times[name].append(1000 * (time.perf_counter() - start))
        apart = max(apart, *(float(np.abs(curve - curves[-1]).max()) for curve in curves))
    return times, apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--side", type=int, default=224, help="pixels of a frame along each axis")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds, at least 2")
    options = parser.parse_args()
    times, apart = measure({"loop": loop, "lean": lean, "ours": ours}, options.frames, options.side, options.rounds)
    row = {}
    for name, values in times.items():
        quartiles = statistics.quantiles(values, n=4)
        ratios = [value / base for value, base in zip(values, times["ours"], strict=True)]
        row[name] = {
            "median_ms": round(quartiles[1], 3), "iqr_ms": round(quartiles[2] - quartiles[0], 3),
            "over_ours": round(statistics.median(ratios), 1),
        }  # fmt: skip
        print(
            f"{name:>5} {row[name]['median_ms']:10.2f} ms +-{row[name]['iqr_ms']:8.2f} {row[name]['over_ours']:7.1f} x"
        )
    print(f"curves differ by at most {apart:.1e}")
    facts = {
        "command": f"python benchmarks/masks.py --frames {options.frames} --side {options.side} "
        f"--rounds {options.rounds}",
        "numpy": np.__version__, "python": platform.python_version(), "machine": processor(),
        "load_1min": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "largest_difference": apart,
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "masks.json").write_text(json.dumps({**facts, "rows": row}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

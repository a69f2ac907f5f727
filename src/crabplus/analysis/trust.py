"""How far a prediction of transfer was right: its rank correlation with what was measured afterwards."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import permutation_test, spearmanr

from crabplus.analysis.agreement import FloatArray

FEW = 5
"""With fewer keys than this no order says anything."""
ROUNDS = 10_000
SURE = 0.05


class MeasuredError(ValueError):
    """A file of measured transfer that cannot be used; the message names it."""


def compare(
    predicted: Mapping[str, float | None], measured: Mapping[str, Any], rounds: int = ROUNDS, seed: int = 0
) -> list[dict[str, Any]]:
    """Compare a prediction with each method of a measured transfer.

    Args:
        predicted: of each key, None where there is none; measured: what ``transfer.json`` holds.
        rounds, seed: of the permutations and of the bootstrap.

    Returns:
        For each method ``points`` (of each key ``predicted``, ``measured``, the relative change, and ``left_out``: why
        it does not count, or None), ``n``, ``rho``, ``p``, ``ci95`` and ``words``.

    Raises:
        MeasuredError: no method was measured on any of the keys.
    """
    points: dict[str, dict[str, dict[str, Any]]] = {}
    for cell in measured["cells"]:
        if cell["key"] in predicted:
            points.setdefault(cell["method"], {})[cell["key"]] = _point(predicted[cell["key"]], cell)
    if not points:
        raise MeasuredError(
            f"it measures {', '.join(sorted({cell['key'] for cell in measured['cells']})) or 'nothing'}, and predicted "
            f"were {', '.join(predicted)}: no key in common"
        )
    return [_trust(method, found, rounds, seed) for method, found in points.items()]


def _point(predicted: float | None, cell: Mapping[str, Any]) -> dict[str, Any]:
    reason = None
    if predicted is None:
        reason = "too noisy to be predicted"
    elif cell["relative"] is None:
        reason = "scores 0 when trained alone"
    elif cell["ceiling"]:
        reason = "cannot improve: alone it is at the ceiling"
    return {"predicted": predicted, "measured": cell["relative"], "left_out": reason}


def _trust(method: str, points: Mapping[str, Mapping[str, Any]], rounds: int, seed: int) -> dict[str, Any]:
    used = [point for point in points.values() if point["left_out"] is None]
    x, y = (np.array([point[name] for point in used], float) for name in ("predicted", "measured"))
    rho, p, ends = correlate(x, y, rounds, seed)
    return {"method": method, "points": points, "n": len(used), "rho": rho, "p": p, "ci95": ends,
            "words": words(len(used), rho, p, ends)}  # fmt: skip


def correlate(
    x: FloatArray, y: FloatArray, rounds: int = ROUNDS, seed: int = 0
) -> tuple[float | None, float | None, tuple[float, float] | None]:
    """Spearman's rank correlation of (n,) and (n,), its two-sided p by permutation, its 95 % interval over keys.

    All permutations are gone through where these are at most ``rounds``. Nothing is told where one side has fewer than
    three values, or the same throughout.
    """
    if len(x) < 3 or _constant(x) or _constant(y):
        return None, None, None
    found = permutation_test(
        (x,), lambda drawn: spearmanr(drawn, y).statistic, permutation_type="pairings", n_resamples=rounds,
        rng=np.random.default_rng(seed), vectorized=False,
    )  # fmt: skip
    return float(found.statistic), float(found.pvalue), _interval(x, y, rounds, seed)


def _interval(x: FloatArray, y: FloatArray, rounds: int, seed: int) -> tuple[float, float]:
    """Percentiles over draws of keys; a draw in which one side does not vary has no order, and another is made."""
    rng, found = np.random.default_rng(seed), list[float]()
    while len(found) < rounds // 10:
        drawn = rng.integers(len(x), size=len(x))
        if not _constant(x[drawn]) and not _constant(y[drawn]):
            found.append(float(spearmanr(x[drawn], y[drawn]).statistic))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _constant(values: FloatArray) -> bool:
    return bool((values == values[0]).all())


def words(n: int, rho: float | None, p: float | None, ends: Sequence[float] | None) -> str:
    """How far to trust the prediction, in plain words."""
    if rho is None or p is None or ends is None:
        return (
            f"Nothing can be said: {n} key{'' if n == 1 else 's'} with a prediction and a measured change that counts, "
            "and an order takes three of different values."
        )
    span = f"{rho:+.2f} (95 % {ends[0]:+.2f} to {ends[1]:+.2f}".replace("-", "−")
    told = f"Over {n} keys the rank correlation is {span}, p = {p:.3f}). "
    if n < FEW:
        return told + f"With fewer than {FEW} keys no order says anything: do not use the prediction on this ground."
    if p >= SURE:
        return told + "Chance alone may well give such an order: there is no ground to trust the prediction here."
    if rho < 0:
        return told + "The order came out the wrong way round: do not use the prediction."
    share = "most" if ends[0] >= 0.5 else "some"
    return told + (
        f"The prediction told {share} of the order of the gains beforehand. It may guide which keys to look at first; "
        "it says nothing of how large a gain is, nor of its sign, and does not take the place of a measurement."
    )

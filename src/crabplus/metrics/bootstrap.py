"""How far a score could lie elsewhere had other samples been drawn: the percentile bootstrap."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEW", "draws", "ends", "interval", "is_clear"]

LEVEL = 0.95
FEW = 6
"""With fewer samples nothing is called clear: that all of five change the same way is chance in 2 of 32 cases, and a
percentile interval of so few is much too narrow."""


def interval(
    statistic: Callable[[NDArray[np.int64]], float], n: int, seed: int = 0, rounds: int = 1000, level: float = LEVEL
) -> tuple[float, float]:
    """Give the low and high end of the percentile bootstrap interval of a statistic of n samples.

    In each round n samples are drawn with replacement and the statistic is taken of them; the interval runs between
    the (1 - level) / 2 and (1 + level) / 2 quantiles of the rounds, interpolated linearly. Source: Efron and
    Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. The same seed gives the same interval. With one
    sample both ends are its own value: no spread can be seen there, which does not mean that there is none.

    Args:
        statistic: takes (n,) sample numbers, with repeats, and gives the number; for a mean over samples that is
            ``lambda drawn: values[drawn].mean()``.
        n: number of samples.
        seed: of the random draws.
        rounds: number of draws.
        level: share of the rounds, 0..1, that the interval holds.

    Raises:
        ValueError: no sample or no round.
    """
    return ends(draws(statistic, n, seed, rounds), level)


def draws(
    statistic: Callable[[NDArray[np.int64]], float], n: int, seed: int = 0, rounds: int = 1000
) -> NDArray[np.float64]:
    """The statistic in each round of :func:`interval`, (rounds,); raises as it does.

    The same n and seed draw the same samples, so that two statistics of the same samples can be compared round by
    round.
    """
    if n < 1 or rounds < 1:
        raise ValueError(f"bootstrap: at least one sample and one round wanted, got n={n}, rounds={rounds}")
    generator = np.random.default_rng(seed)
    return np.array([statistic(generator.integers(0, n, size=n)) for _ in range(rounds)], dtype=np.float64)


def ends(values: NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """Low and high end of the percentile interval of these rounds."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def is_clear(ends: Sequence[float], n: int, margin: float = 0.0) -> bool:
    """Whether the interval of a change over n samples excludes 0 by more than ``margin``; never of fewer than FEW."""
    return n >= FEW and (ends[0] > margin or ends[1] < -margin)

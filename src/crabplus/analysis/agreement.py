"""How far the gradients of keys agree, apart from the noise of having seen few batches.

Every key k has two mean gradients, a_k and b_k, from two halves of its batches, and g_k = (a_k + b_k) / 2 from all.

    cosine(i, j)    = <g_i, g_j> / (|g_i| |g_j|)                       as measured; noise pulls it towards 0
    itself(k)       = <a_k, b_k> / (|a_k| |b_k|)                       1 without noise, 0 where all is noise
    debiased(i, j)  = <g_i, g_j> / sqrt(<a_i, b_i> <a_j, b_j>)         noise of different batches is not correlated, so
                      none of the three inner products is moved by it on average; it may come out beyond 1
    ceiling(i, j)   = sqrt(<a_i, b_i> <a_j, b_j>) / (|g_i| |g_j|)      what cosine would be, were both the same task

Two keys conflict where the cosine is below zero: a small step against the loss of one raises that of the other. They
conflict clearly where all four <a_i, a_j>, <a_i, b_j>, <b_i, a_j>, <b_i, b_j> are below zero and neither key is too
noisy; of keys that have nothing to do with each other that happens by chance once in 16 times.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
NOISY = 0.1
"""A key whose two halves agree less than this is told as too noisy to be debiased."""


@dataclass(frozen=True)
class Agreement:
    """Of K keys; what is not known is NaN.

    Attributes:
        cosine, debiased, ceiling: (K, K), 1 on the diagonal of the first two; itself: (K,).
        products: (K, K) inner products without the noise; clear: (K, K) whether two keys conflict clearly.
    """

    cosine: FloatArray
    debiased: FloatArray
    ceiling: FloatArray
    itself: FloatArray
    products: FloatArray
    clear: NDArray[np.bool_]

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the pairs whose cosine is known, each once."""
        rows, columns = np.triu_indices(len(self.itself), 1)
        known = np.isfinite(self.cosine[rows, columns])
        return rows[known], columns[known]

    def figures(self) -> dict[str, Any]:
        """Number of pairs, mean and least cosine over them, the shares of those in conflict; None without any pair."""
        pairs = self.pairs
        if not len(pairs[0]):
            return {"pairs": 0, **dict.fromkeys(("mean", "mean_debiased", "least", "conflicting", "clearly"))}
        found, clean = self.cosine[pairs], self.debiased[pairs]
        return {
            "pairs": len(found),
            "mean": float(found.mean()), "mean_debiased": float(clean.mean()) if np.isfinite(clean).all() else None,
            "least": float(found.min()), "conflicting": float((found < 0).mean()),
            "clearly": float(self.clear[pairs].mean()),
        }  # fmt: skip


def agreement(gram: FloatArray) -> Agreement:
    """From the inner products (2 K, 2 K) of a_1, b_1, a_2, b_2, ..."""
    keys = len(gram) // 2
    evens, odds = slice(0, None, 2), slice(1, None, 2)
    blocks = gram[evens, evens], gram[evens, odds], gram[odds, evens], gram[odds, odds]
    mean = np.mean(blocks, axis=0)
    length = np.sqrt(np.diag(mean))
    signal = np.diag(blocks[1]).copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        itself = signal / np.sqrt(np.diag(blocks[0]) * np.diag(blocks[3]))
        clean = np.sqrt(np.where(itself >= NOISY, signal, np.nan))
        cosine, debiased = mean / np.outer(length, length), mean / np.outer(clean, clean)
        ceiling = np.outer(clean, clean) / np.outer(length, length)
    for matrix in (cosine, debiased):
        np.fill_diagonal(matrix, np.where(np.isfinite(np.diag(matrix)), 1.0, np.nan))
    products = mean.copy()
    np.fill_diagonal(products, signal)
    sound = np.isfinite(np.outer(clean, clean)) & ~np.eye(keys, dtype=bool)
    clear = sound & np.all([block < 0 for block in blocks], axis=0)
    return Agreement(cosine, debiased, ceiling, itself, products, clear)

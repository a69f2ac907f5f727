"""What running sums of router weights say: means, entropy, what routers react to, dead heads, which keys are alike."""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from crabplus.analysis.tally import Sums

__all__ = ["clustered", "dead_heads", "divergence", "entropies", "means", "pooled", "reactions"]

DEAD = 0.1
"""A head is dead whose mean weight is below this share of 1 / H, and which no token gives the largest weight."""
FloatArray = NDArray[np.float64]


def means(sums: Sums) -> FloatArray:
    """Mean router weights (P, K, H) over tokens; not a number where there is no token."""
    return _over(sums.weights, sums.tokens[..., None])


def entropies(sums: Sums) -> FloatArray:
    """Mean entropy (P, K) of the router weights of a token, as a share of the largest one, log H."""
    return _over(sums.entropy, sums.tokens) / log(sums.weights.shape[-1])


def pooled(of_keys: Mapping[str, Sums]) -> Sums:
    """All tokens of all keys together."""
    first, *others = of_keys.values()
    for other in others:
        first = first + other
    return first


def dead_heads(sums: Sums) -> list[tuple[int, int]]:
    """Place and head, both from 0, of every head that is never of use; see :data:`DEAD`."""
    weights, largest, tokens = (part.sum(1) for part in (sums.weights, sums.largest, sums.tokens))
    share = _over(weights, tokens[:, None])
    dead = (share < DEAD / weights.shape[-1]) & (largest == 0)
    return [(int(place), int(head)) for place, head in np.argwhere(dead)]


def reactions(of_keys: Mapping[str, Sums]) -> dict[str, FloatArray]:
    """How much of the choice of heads hangs on what, in bits, for each place (P,).

    With all tokens pooled, the mutual information of token and head, that is the entropy of the mean weights less the
    mean entropy of a token's weights, is split by the chain rule: what the kind of the token tells, what the key tells
    beyond it, and what the single token tells beyond both. ``undecided`` is the mean entropy that is left; all four
    together are the entropy of the mean weights, at most log2 H.
    """
    weights = np.stack([sums.weights for sums in of_keys.values()])  # (key, P, K, H)
    tokens = np.stack([sums.tokens for sums in of_keys.values()])
    total = tokens.sum((0, 2))
    everything = _entropy(_over(weights.sum((0, 2)), total[:, None]))
    by_kind = _weighted(_entropy(_over(weights.sum(0), tokens.sum(0)[..., None])), tokens.sum(0), (1,))
    by_key = _weighted(_entropy(_over(weights, tokens[..., None])), tokens, (0, 2))
    undecided = _over(sum(sums.entropy.sum(1) for sums in of_keys.values()), total) / log(2)
    return {
        "kind": everything - by_kind, "key": by_kind - by_key, "token": by_key - undecided, "undecided": undecided
    }  # fmt: skip


def divergence(one: Sums, other: Sums) -> float:
    """Mean Jensen-Shannon divergence, in bits (0 alike, 1 apart), of the mean router weights of two sets of tokens.

    The mean is over places and kinds of token that both have, each counting the same. Not a number where there is none.
    """
    p, q = means(one), means(other)
    apart = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    both = (one.tokens > 0) & (other.tokens > 0)
    return float(np.clip(apart[both], 0.0, None).mean()) if both.any() else float("nan")


def clustered(distances: FloatArray) -> list[int]:
    """An order (N,) in which what is alike stands together: leaves of a tree of average linkage.

    Args:
        distances: (N, N), symmetric; the diagonal is not looked at.
    """
    groups: list[list[int]] = [[number] for number in range(len(distances))]
    while len(groups) > 1:
        pairs = [(a, b) for a in range(len(groups)) for b in range(a + 1, len(groups))]
        a, b = min(pairs, key=lambda pair: distances[np.ix_(groups[pair[0]], groups[pair[1]])].mean())
        groups[a] = _joined(groups[a], groups.pop(b), distances)
    return groups[0]


def _joined(one: Sequence[int], other: Sequence[int], distances: FloatArray) -> list[int]:
    """Two ordered groups behind each other, turned so that their nearest ends meet."""
    turns = [[*a, *b] for a in (one, one[::-1]) for b in (other, other[::-1])]
    return min(turns, key=lambda order: distances[order[len(one) - 1], order[len(one)]])


def _over(sums: FloatArray, counts: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore"):
        made: FloatArray = np.where(counts > 0, sums, np.nan) / np.where(counts > 0, counts, np.nan)
    return made


def _entropy(weights: FloatArray) -> FloatArray:
    """In bits, over the last axis; a head without weight adds nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(weights > 0, -weights * np.log2(weights), np.where(np.isnan(weights), np.nan, 0.0))
    made: FloatArray = parts.sum(-1)
    return made


def _weighted(values: FloatArray, tokens: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """The mean over some axes with tokens as weights; where there is no token, values do not count."""
    return _over(np.where(tokens > 0, values * tokens, 0.0).sum(axes), tokens.sum(axes))

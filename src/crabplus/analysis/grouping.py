"""Which keys go well together: hierarchical clustering of their gradients.

The distance of two keys is 1 - debiased cosine, cut off at 0 and 2; of a key that is too noisy it is 1 to all others,
as of tasks that have nothing to do with each other. Groups are joined by mean distance (average linkage). How many:
never fewer than it takes to keep apart what conflicts (no two groups are joined whose mean cosine is below zero); above
that the number with the best mean silhouette, if this is at least :data:`STRUCTURE`, below which Kaufman and Rousseeuw
("Finding Groups in Data", 1990) find no structure; else that least number. A silhouette knows no scale, so nothing is
parted that agrees by :data:`TOGETHER` or more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from crabplus.analysis.agreement import FloatArray

STRUCTURE = 0.25
TOGETHER = 0.8


@dataclass(frozen=True)
class Grouping:
    """A suggestion.

    Attributes:
        groups: of numbers of keys, in the order in which they are drawn; least: number of groups that conflicts demand.
        silhouettes: mean silhouette by number of groups.
    """

    groups: tuple[tuple[int, ...], ...]
    least: int
    silhouettes: dict[int, float]

    @property
    def order(self) -> list[int]:
        """All keys, like ones beside each other."""
        return [number for group in self.groups for number in group]


def group(debiased: FloatArray) -> Grouping:
    """Group K >= 2 keys by their debiased cosines (K, K), NaN where they are not known."""
    distance = np.clip(1 - np.nan_to_num(debiased, nan=0.0), 0, 2)
    np.fill_diagonal(distance, 0)
    distance = (distance + distance.T) / 2
    condensed = squareform(distance)
    tree = optimal_leaf_ordering(linkage(condensed, "average"), condensed)
    least = int(fcluster(tree, 1.0, "distance").max())
    most = int(fcluster(tree, 1 - TOGETHER, "distance").max())
    counts = range(max(least, 2), min(most, len(distance) - 1) + 1)
    silhouettes = {count: silhouette(distance, fcluster(tree, count, "maxclust")) for count in counts}
    best = max(silhouettes, key=lambda count: silhouettes[count], default=least)
    count = best if silhouettes.get(best, 0.0) >= STRUCTURE else least
    return Grouping(_sorted(fcluster(tree, count, "maxclust"), leaves_list(tree)), least, silhouettes)


def silhouette(distance: FloatArray, labels: Sequence[int]) -> float:
    """Mean of (b - a) / max(a, b) over all keys (Rousseeuw 1987).

    a is the mean distance to the others of the key's own group, b the least mean distance to another group; a key alone
    counts as 0. A cut into one group, or into nothing but single keys, gets -1: it is no candidate.

    Args:
        distance: (K, K); labels: (K,).
    """
    marks = np.asarray(labels)
    names, sizes = np.unique(marks, return_counts=True)
    if not 1 < len(names) < len(marks):
        return -1.0
    sums = np.stack([distance[:, marks == name].sum(1) for name in names], 1)  # (K, groups)
    own = marks[:, None] == names
    alone = (sizes * own).sum(1) == 1
    inner = (sums * own).sum(1) / np.maximum((sizes * own).sum(1) - 1, 1)
    outer = np.where(own, np.inf, sums / sizes).min(1)
    values = np.where(alone, 0, (outer - inner) / np.maximum(np.maximum(inner, outer), 1e-12))
    return float(values.mean())


def _sorted(labels: Sequence[int], leaves: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    found: dict[int, list[int]] = {}
    for leaf in leaves:
        found.setdefault(int(labels[leaf]), []).append(int(leaf))
    return tuple(tuple(numbers) for numbers in found.values())

"""Cosines with and without noise, conflicts and groups, from gradients that are made up."""

import numpy as np
import pytest

from crabplus.analysis.agreement import agreement
from crabplus.analysis.grouping import group, silhouette


def halves(*directions: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Inner products of two halves of each key: its direction with noise of its own."""
    rng = np.random.default_rng(seed)
    rows = np.array([direction + noise * rng.normal(size=direction.shape) for direction in directions for _ in "ab"])
    return rows @ rows.T


def planted(sizes: tuple[int, ...], length: int, seed: int = 1) -> list[np.ndarray]:
    """Keys in groups: those of one share a direction, and each has a smaller one of its own."""
    rng = np.random.default_rng(seed)
    shared = [rng.normal(size=length) for _ in sizes]
    return [base + 0.4 * rng.normal(size=length) for base, size in zip(shared, sizes, strict=True) for _ in range(size)]


def test_without_noise_all_cosines_are_the_plain_one() -> None:
    one, other = np.array([3.0, 0, 1]), np.array([1.0, 2, -1])
    found = agreement(halves(one, other))
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert found.cosine[0, 1] == pytest.approx(cosine) and found.debiased[0, 1] == pytest.approx(cosine)
    assert found.itself == pytest.approx([1, 1]) and found.ceiling[0, 1] == pytest.approx(1)
    assert not found.clear.any() and found.figures()["conflicting"] == 0


def test_noise_lowers_the_cosine_and_its_ceiling_but_not_the_debiased_one() -> None:
    rng = np.random.default_rng(3)
    base, length = rng.normal(size=20_000), 20_000
    keys = [base + 0.5 * rng.normal(size=length) for _ in range(2)]  # cosine 1 / 1.25
    found = agreement(halves(*keys, noise=1.5))
    assert found.debiased[0, 1] == pytest.approx(0.8, abs=0.03)
    assert found.cosine[0, 1] < 0.5 and found.ceiling[0, 1] < 0.6
    assert found.cosine[0, 1] == pytest.approx(found.debiased[0, 1] * found.ceiling[0, 1])
    signal = 1.25  # of each number, with noise of variance 2.25 in each half
    assert found.itself == pytest.approx([signal / (signal + 2.25)] * 2, abs=0.03)
    assert np.diag(found.products) == pytest.approx([signal * length] * 2, rel=0.05)


def test_a_conflict_is_clear_where_all_halves_say_so() -> None:
    one = np.array([1.0, 0, 0])
    found = agreement(halves(one, -one, np.array([0.0, 1, 0])))
    assert found.cosine[0, 1] == pytest.approx(-1) and found.clear[0, 1] and found.clear[1, 0]
    assert not found.clear[0, 2] and found.figures()["conflicting"] == pytest.approx(1 / 3)
    rows = np.array([[1, 0.1], [1, 0.1], [-1, 0.8], [0.1, 1]])  # the second half agrees a little
    mixed = agreement(rows @ rows.T)
    assert mixed.cosine[0, 1] < 0 and mixed.itself[1] > 0.5 and not mixed.clear.any()


def test_a_key_of_noise_alone_is_not_debiased_and_never_in_clear_conflict() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([*[np.r_[1.0, np.zeros(499)]] * 2, *rng.normal(size=(2, 500))])
    rows[2:, 0] = -0.1
    found = agreement(rows @ rows.T)
    assert abs(found.itself[1]) < 0.1 and found.cosine[0, 1] < 0
    assert np.isnan(found.debiased[0, 1]) and np.isnan(found.debiased[1, 1]) and not found.clear.any()


def test_without_gradient_nothing_is_known() -> None:
    found = agreement(np.zeros((4, 4)))
    assert np.isnan(found.cosine).all() and found.figures() == {
        "pairs": 0, "mean": None, "mean_debiased": None, "least": None, "conflicting": None, "clearly": None,
    }  # fmt: skip


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2, 4), (1, 5, 3, 4), (2, 2, 5, 2, 3, 4, 1)])
def test_planted_groups_are_found(sizes: tuple[int, ...]) -> None:
    order = np.random.default_rng(5).permutation(sum(sizes))
    keys = planted(sizes, 400)
    found = group(agreement(halves(*(keys[number] for number in order), noise=0.7)).debiased)
    of = np.repeat(np.arange(len(sizes)), sizes)[order]
    assert sorted(sorted(numbers) for numbers in found.groups) == sorted(
        sorted(np.flatnonzero(of == number).tolist()) for number in range(len(sizes))
    )
    assert sorted(found.order) == list(range(sum(sizes)))


def test_keys_that_agree_alike_are_one_group_and_those_that_conflict_are_never_joined() -> None:
    alike = np.full((5, 5), 0.6)
    np.fill_diagonal(alike, 1)
    assert len(group(alike).groups) == 1
    nearly = np.full((4, 4), 0.85)  # two pairs that agree more than others, in the third digit
    nearly[:2, :2] = nearly[2:, 2:] = 0.999
    np.fill_diagonal(nearly, 1)
    assert len(group(nearly).groups) == 1 and len(group(nearly - np.where(nearly == 0.85, 0.4, 0)).groups) == 2
    apart = np.where(np.eye(4), 1.0, -0.3)
    assert len(group(apart).groups) == 4 and group(apart).least == 4
    assert len(group(np.array([[1.0, 0.4], [0.4, 1.0]])).groups) == 1
    assert len(group(np.array([[1.0, -0.4], [-0.4, 1.0]])).groups) == 2


def test_a_key_of_which_nothing_is_known_stands_alone() -> None:
    matrix = np.where(np.eye(4), 1.0, 0.9)
    matrix[3] = matrix[:, 3] = np.nan
    assert sorted(map(sorted, group(matrix).groups)) == [[0, 1, 2], [3]]


def test_silhouette_by_hand() -> None:
    places = np.array([0.0, 1, 5, 7, 20])
    distance = np.abs(places[:, None] - places)
    a, b = np.array([1, 1, 2, 2]), np.array([6, 5, 4.5, 6.5])
    wanted = ((b - a) / b).sum() / 5  # the last is alone: 0
    assert silhouette(distance, [1, 1, 2, 2, 3]) == pytest.approx(wanted)
    assert silhouette(distance, [1] * 5) == silhouette(distance, [1, 2, 3, 4, 5]) == -1

"""The bootstrap interval: seeded, right for a mean, and honest at the edges."""

import numpy as np
import pytest

from crabplus.metrics.bootstrap import draws, ends, interval, is_clear


def test_mean_of_coin_flips_is_near_the_normal_interval() -> None:
    values = np.array([1.0] * 80 + [0.0] * 120)
    low, high = interval(lambda drawn: values[drawn].mean(), 200, rounds=4000)
    half = 1.96 * (0.4 * 0.6 / 200) ** 0.5
    assert low == pytest.approx(0.4 - half, abs=0.01) and high == pytest.approx(0.4 + half, abs=0.01)


def test_seed_decides() -> None:
    values = np.linspace(0, 1, 37) ** 3
    first, again, other = (interval(lambda drawn: values[drawn].mean(), 37, seed=seed) for seed in (5, 5, 6))
    assert first == again != other


def test_level_widens() -> None:
    values = np.linspace(0, 1, 50)
    narrow = interval(lambda drawn: values[drawn].mean(), 50, level=0.5)
    wide = interval(lambda drawn: values[drawn].mean(), 50, level=0.95)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_draws_reach_every_sample_and_nothing_else() -> None:
    seen: set[int] = set()
    interval(lambda drawn: float(seen.update(drawn.tolist()) or len(drawn)), 7)
    assert seen == set(range(7))


def test_one_sample_has_no_spread() -> None:
    assert interval(lambda drawn: 0.25, 1) == (0.25, 0.25)


@pytest.mark.parametrize(("n", "rounds"), [(0, 10), (10, 0)])
def test_nothing_to_draw_is_refused(n: int, rounds: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        interval(lambda drawn: 0.0, n, rounds=rounds)


def test_two_statistics_are_drawn_on_the_same_samples() -> None:
    values = np.linspace(0, 1, 20)
    low, high = (draws(lambda drawn, up=up: values[drawn].mean() + up, 20, seed=3, rounds=50) for up in (0.0, 0.25))
    assert high - low == pytest.approx(np.full(50, 0.25)) and np.ptp(low) > 0.1
    assert ends(low) == interval(lambda drawn: values[drawn].mean(), 20, seed=3, rounds=50)


@pytest.mark.parametrize(
    ("span", "n", "clear"),
    [((0.1, 0.2), 6, True), ((-0.2, -0.1), 6, True), ((0.1, 0.2), 5, False), ((0.0, 0.2), 99, False),
     ((-0.1, 0.2), 99, False)],
)  # fmt: skip
def test_a_change_is_clear_off_zero_and_with_enough_samples(span, n, clear):
    assert is_clear(span, n) is clear
    assert not is_clear(span, n, margin=0.1)

"""The comparison of a prediction with measured transfer."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from crabplus.analysis.trust import MeasuredError, compare, correlate, words


def cell(key: str, relative: float | None, method: str = "ilora", ceiling: bool = False) -> dict:
    return {"key": key, "method": method, "relative": relative, "ceiling": ceiling}


@pytest.mark.parametrize("n", [4, 7, 19])
def test_it_is_spearmans_correlation(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    y = np.round(x + rng.normal(size=n), 1)  # ties are likely
    rho, p, ends = correlate(x, y, rounds=2000)
    assert rho == pytest.approx(spearmanr(x, y).statistic)
    assert ends is not None and ends[0] <= rho <= ends[1] and 0 < p <= 1


def test_p_counts_the_orders_that_are_as_far_from_none() -> None:
    x = np.arange(5.0)
    rho, p, _ = correlate(x, x)
    assert rho == pytest.approx(1) and p == pytest.approx(2 / 120)  # of 5! orders this one and its reverse


def test_no_order_without_difference() -> None:
    assert correlate(np.ones(5), np.arange(5.0)) == correlate(np.arange(2.0), np.arange(2.0)) == (None, None, None)


def test_only_keys_with_both_figures_and_room_count() -> None:
    keys = [f"k{n}" for n in range(8)]
    predicted: dict[str, float | None] = {key: n / 10 for n, key in enumerate(keys)}
    predicted["k7"] = None
    cells = [cell(key, n / 5) for n, key in enumerate(keys)]
    cells[0], cells[1] = cell("k0", None), cell("k1", -9.0, ceiling=True)
    cells += [cell("other", 1.0), *(cell(key, -n, "lora") for n, key in enumerate(keys))]
    first, second = compare(predicted, {"cells": cells}, rounds=500)
    assert (first["method"], first["n"], second["method"], second["n"]) == ("ilora", 5, "lora", 7)
    assert first["rho"] == pytest.approx(1) and second["rho"] == pytest.approx(-1)
    assert [key for key, point in first["points"].items() if point["left_out"]] == ["k0", "k1", "k7"]
    assert "ceiling" in first["points"]["k1"]["left_out"] and "wrong way round" in second["words"]


def test_words_do_not_promise_more_than_there_is() -> None:
    assert "no order says anything" in words(4, 1.0, 0.08, (1.0, 1.0))
    assert "no ground to trust" in words(19, 0.3, 0.2, (-0.2, 0.6))
    assert "some of the order" in words(19, 0.6, 0.01, (0.2, 0.8))
    assert "most of the order" in words(19, 0.9, 0.001, (0.7, 0.95))
    assert "Nothing can be said: 1 key " in words(1, None, None, None)


def test_a_measurement_of_other_keys_is_refused() -> None:
    with pytest.raises(MeasuredError, match="it measures ks, and predicted were ave: no key in common"):
        compare({"ave": 0.1}, {"cells": [cell("ks", 0.1)]})

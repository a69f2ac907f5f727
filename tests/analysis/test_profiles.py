"""Numbers that follow from the sums, each against a case that is worked out by hand."""

import numpy as np
import pytest

from crabplus.analysis.profiles import clustered, dead_heads, divergence, entropies, means, pooled, reactions
from crabplus.analysis.tally import KINDS, Sums


def sums(*weights: tuple[float, ...], tokens: float = 10.0, entropy: float = 0.0) -> Sums:
    """One place, and these mean weights for the first kinds of token."""
    made = Sums.empty(1, len(weights[0]))
    for kind, row in enumerate(weights):
        made.weights[0, kind] = np.array(row) * tokens
        made.largest[0, kind, int(np.argmax(row))] = tokens
        made.entropy[0, kind], made.tokens[0, kind] = entropy * tokens, tokens
    return made


def test_means_and_entropies() -> None:
    made = sums((0.25, 0.75), (1.0, 0.0), entropy=np.log(2) / 2)
    assert means(made)[0, :2].tolist() == [[0.25, 0.75], [1.0, 0.0]] and np.isnan(means(made)[0, 2:]).all()
    assert entropies(made)[0, :2].tolist() == pytest.approx([0.5, 0.5]) and np.isnan(entropies(made)[0, 2])


def test_all_hangs_on_the_kind_of_token() -> None:
    found = reactions({"a": sums((1, 0), (0, 1)), "b": sums((1, 0), (0, 1))})
    assert {name: round(float(bits[0]), 6) for name, bits in found.items()} == {
        "kind": 1, "key": 0, "token": 0, "undecided": 0
    }  # fmt: skip


def test_all_hangs_on_the_key() -> None:
    found = reactions({"a": sums((1, 0), (1, 0)), "b": sums((0, 1), (0, 1))})
    assert (found["kind"][0], found["key"][0]) == pytest.approx((0, 1))


def test_all_hangs_on_the_token_or_on_nothing() -> None:
    sharp, mixed = sums((0.5, 0.5), entropy=0.0), sums((0.5, 0.5), entropy=np.log(2))
    assert reactions({"a": sharp})["token"][0] == pytest.approx(1)
    assert reactions({"a": mixed})["undecided"][0] == pytest.approx(1)


def test_parts_add_up_to_the_entropy_of_the_mean() -> None:
    generator = np.random.default_rng(0)
    made = {}
    for key, tokens in (("a", 10.0), ("b", 40.0)):
        weights = generator.dirichlet(np.ones(3), size=4)
        made[key] = sums(*map(tuple, weights), tokens=tokens, entropy=0.2)
    total = sum(bits[0] for bits in reactions(made).values())
    mean = pooled(made).weights.sum(1)[0] / 200
    assert total == pytest.approx(-(mean * np.log2(mean)).sum())


def test_divergence() -> None:
    one, other = sums((1, 0)), sums((0, 1))
    assert divergence(one, one) == 0 and divergence(one, other) == pytest.approx(1)
    assert divergence(one, sums((0.5, 0.5))) == pytest.approx(0.311278, abs=1e-6)
    both = sums((1, 0), (0, 1))
    assert divergence(both, sums((1, 0), (1, 0))) == pytest.approx(0.5)  # the mean over two kinds
    assert divergence(both, one) == 0  # only what both have is compared
    assert np.isnan(divergence(one, Sums.empty(1, 2)))


@pytest.mark.parametrize(
    ("weights", "largest", "dead"),
    [((0.9, 0.07, 0.03), 0, [(0, 2)]), ((0.9, 0.07, 0.03), 1, []), ((0.9, 0.06, 0.04), 0, [])],
)
def test_dead_heads(weights: tuple[float, ...], largest: int, dead: list[tuple[int, int]]) -> None:
    """Below a tenth of the even share, 0.0333, and never the largest."""
    made = sums(weights)
    made.largest[0, 0, 2] = largest
    assert dead_heads(made) == dead


def test_a_place_without_tokens_has_no_dead_head() -> None:
    assert dead_heads(Sums.empty(2, 3)) == []


def test_what_is_alike_stands_together() -> None:
    groups = [0, 1, 0, 1, 0]
    distances = np.array([[0.1 if a == b else 1.0 for a in groups] for b in groups])
    order = clustered(distances)
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert [groups[n] for n in order] in ([0, 0, 0, 1, 1], [1, 1, 0, 0, 0])


def test_neighbours_meet() -> None:
    """Points on a line come in their order, whichever way round."""
    points = np.array([3.0, 0.0, 1.1, 7.0, 4.2])
    order = clustered(np.abs(points[:, None] - points))
    assert [points[n] for n in order] in ([0, 1.1, 3, 4.2, 7], [7, 4.2, 3, 1.1, 0])
    assert clustered(np.zeros((1, 1))) == [0]


def test_kinds_are_four() -> None:
    assert KINDS == ("text", "audio", "vision", "generated")

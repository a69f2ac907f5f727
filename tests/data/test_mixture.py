"""The mixture: nothing is left out or drawn twice, steps depend on no process, and like stands beside like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.data.mixture import MixtureSampler, Stream, draws_of, shares

SIZES = {"big": 700, "middle": 90, "small": 10}


def streams(*numbers):
    """Streams of (size, draws)."""
    firsts = np.cumsum([0, *[size for size, _ in numbers]])
    return [Stream(int(first), size, draws) for first, (size, draws) in zip(firsts, numbers, strict=False)]


def sampler(batch=12, parts=1, seed=3, **more):
    return MixtureSampler(streams((50, 40), (7, 20)), batch, parts, seed, **more)


def steps(made, epoch):
    """The numbers of an epoch, batch by batch as this process has them."""
    made.set_epoch(epoch)
    batches = list(made)
    assert len(batches) == len(made) and all(draw.epoch == epoch for batch in batches for draw in batch)
    return [[draw.number for draw in batch] for batch in batches]


@given(size=st.integers(1, 40), draws=st.integers(1, 60), seed=st.integers(0, 99))
def test_epochs_go_on_where_the_one_before_ended(size, draws, seed):
    stream, epochs = Stream(100, size, draws), -(-3 * size // draws)
    drawn = np.concatenate([stream.epoch(epoch, (seed,)) for epoch in range(epochs)])
    assert len(drawn) == epochs * draws >= 3 * size
    for start in range(0, 3 * size, size):  # every pass holds every sample once
        assert sorted(drawn[start : start + size]) == list(range(100, 100 + size))


def test_passes_and_keys_have_orders_of_their_own():
    stream = Stream(0, 50, 50)
    orders = [stream.epoch(epoch, (0, key)).tolist() for epoch in range(3) for key in range(3)]
    assert len({tuple(order) for order in orders}) == 9


def test_every_epoch_mixes_the_keys_anew():
    made = sampler()
    places = [tuple(number < 50 for batch in steps(made, epoch) for number in batch) for epoch in range(4)]
    assert len(set(places)) == 4


def test_shares_by_size_temperature_weight_and_cap():
    nothing = dict.fromkeys(SIZES)
    assert shares(SIZES, nothing, nothing, 1.0) == pytest.approx({"big": 7 / 8, "middle": 9 / 80, "small": 1 / 80})
    even = shares(SIZES, nothing, nothing, 1e9)
    assert list(even.values()) == pytest.approx([1 / 3] * 3)
    root = shares(SIZES, nothing, nothing, 2.0)
    assert root["big"] / root["small"] == pytest.approx(70**0.5)
    capped = shares(SIZES, nothing, {"big": 90, "small": 500}, 1.0)
    assert capped == pytest.approx({"big": 90 / 190, "middle": 90 / 190, "small": 10 / 190})
    assert shares(SIZES, {"big": 1, "middle": 2, "small": 1}, {"middle": 3}, 1.0) == {
        "big": 0.25,
        "middle": 0.5,
        "small": 0.25,
    }


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=19), st.integers(0, 5000))
def test_draws_are_whole_and_near_their_shares(raw, more):
    share = {str(n): value / sum(raw) for n, value in enumerate(raw)}
    total = len(raw) + more
    made = draws_of(share, total)
    assert sum(made.values()) == total and min(made.values()) >= 1
    lifted = sum(value * total < 1 for value in share.values())  # these take from the others
    assert all(made[key] <= max(value * total + 1, 1) for key, value in share.items())
    assert all(made[key] >= value * total - 1 - lifted for key, value in share.items())


def test_an_epoch_holds_its_draws_and_no_more():
    drawn = sum(steps(sampler(), 0), [])
    assert len(drawn) == 60
    assert sum(number < 50 for number in drawn) == len({number for number in drawn if number < 50}) == 40
    counts = np.bincount([number - 50 for number in drawn if number >= 50], minlength=7)
    assert counts.sum() == 20 and set(counts) <= {2, 3}  # the passes over a small key


LENGTHS = np.random.default_rng(0).integers(10, 500, 57)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["random", "grouped"])
@pytest.mark.parametrize(("world", "accumulated"), [(1, 4), (2, 1), (2, 3), (4, 1), (3, 2)])
def test_a_step_is_the_same_however_it_is_divided(world, accumulated, lengths):
    whole = steps(sampler(lengths=lengths), 5)
    parts = world * accumulated
    ranks = [steps(sampler(parts=parts, rank=rank, world=world, lengths=lengths), 5) for rank in range(world)]
    assert len({len(batches) for batches in ranks}) == 1
    for step, wanted in enumerate(whole):
        mine = [batch for batches in ranks for batch in batches[step * accumulated : (step + 1) * accumulated]]
        assert all(len(batch) == 12 // parts for batch in mine)
        assert sorted(sum(mine, [])) == sorted(wanted)


def test_a_step_depends_on_seed_and_epoch_alone():
    made = sampler(lengths=LENGTHS)
    first = [steps(made, epoch) for epoch in (0, 1, 2)]
    assert [steps(made, epoch) for epoch in (2, 0, 1)] == [first[2], first[0], first[1]]
    assert steps(sampler(lengths=LENGTHS), 2) == first[2] != first[1]
    assert steps(sampler(lengths=LENGTHS, seed=4), 2) != first[2]
    np.random.default_rng(0).random()
    np.random.seed(0)
    assert steps(sampler(lengths=LENGTHS), 2) == first[2]


@pytest.mark.parametrize(("batch", "parts", "world"), [(7, 1, 1), (12, 5, 1), (12, 4, 3), (120, 1, 1)])
def test_what_does_not_come_out_is_refused(batch, parts, world):
    with pytest.raises(ValueError, match=f"60 draws in batches of {batch}"):
        sampler(batch, parts, world=world)


def padding(made, lengths, parts):
    """Share of padding in the batches as they are padded: each part of a step on its own."""
    rows = made.epoch(0).reshape(-1, made.batch // parts)
    return 1 - lengths[rows].sum() / (lengths[rows].max(1) * rows.shape[1]).sum()


def test_like_lengths_stand_together_and_steps_stay_mixed():
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 3, 4000)
    lengths = (np.array([120, 400, 900])[kinds] * rng.lognormal(0, 0.3, 4000)).astype(np.int64)
    keys = streams((3000, 2400), (1000, 1600))
    random = MixtureSampler(keys, 16, 4, 0)
    grouped = MixtureSampler(keys, 16, 4, 0, lengths=lengths, kinds=kinds)
    assert padding(random, lengths, 4) > 0.35
    assert padding(grouped, lengths, 4) < 0.05
    sorted_parts = kinds[grouped.epoch(0)].reshape(-1, 4)
    assert (sorted_parts == sorted_parts[:, :1]).all(1).mean() > 0.95  # one mix of senses in a part
    means = lengths[grouped.epoch(0)].mean(1)
    assert np.abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.15  # short and long steps follow each other by chance
    assert sorted(grouped.epoch(0).ravel()) == sorted(random.epoch(0).ravel())

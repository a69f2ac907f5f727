"""Losses are sums over target tokens, apart for each key: their means do not depend on how batches were cut."""

import pytest
import torch

from crabplus.train.tally import Tally

FAMILIES = {"ave": "temporal", "unav": "temporal", "avqa": "question", "s4": "spatial"}


class Alone:
    num_processes = 1


class Together:
    """Two processes, of which the other has the sums of ``other``."""

    num_processes, device = 2, torch.device("cpu")

    def __init__(self, other):
        self.other = torch.tensor(list(other.sums.values()), dtype=torch.float64)

    def reduce(self, table, reduction):
        assert reduction == "sum"
        return table + self.other


def filled(*batches):
    tally = Tally(FAMILIES)
    for tasks, losses, counts in batches:
        tally.add(tasks, torch.tensor(losses), torch.tensor(counts))
    return tally


FIRST = (["ave", "avqa"], [1.0, 2.0, 3.0, 10.0], [3, 1])
SECOND = (["unav", "ave"], [4.0, 2.0, 2.0], [1, 2])


def test_means_are_over_tokens_and_not_over_batches():
    made = filled(FIRST, SECOND).means(Alone())
    assert made == pytest.approx({
        "loss": 24 / 7, "loss_key/ave": 10 / 5, "loss_key/unav": 4.0, "loss_key/avqa": 10.0,
        "loss_family/temporal": 14 / 6, "loss_family/question": 10.0,
    })  # fmt: skip


def test_without_tokens_there_is_no_mean():
    assert filled().means(Alone()) == {}
    assert filled((["s4", "ave"], [2.0], [0, 1])).means(Alone()).keys() == {
        "loss",
        "loss_key/ave",
        "loss_family/temporal",
    }


def test_processes_are_summed_up():
    assert filled(FIRST).means(Together(filled(SECOND))) == filled(FIRST, SECOND).means(Alone())


def test_it_begins_anew_and_goes_on_from_its_state():
    tally = filled(FIRST)
    state = tally.state()
    other = Tally(FAMILIES)
    other.load({key: list(value) for key, value in state.items()})  # as JSON gives it back
    for one in (tally, other):
        one.add(SECOND[0], torch.tensor(SECOND[1]), torch.tensor(SECOND[2]))
    assert other.means(Alone()) == tally.means(Alone()) == filled(FIRST, SECOND).means(Alone())
    tally.clear()
    assert tally.means(Alone()) == {} and state["ave"] == (6.0, 3)


def test_rows_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError):
        filled((["ave"], [1.0, 2.0], [1, 1]))
    with pytest.raises(KeyError):
        filled((["dance"], [1.0], [1]))


def test_many_small_losses_keep_their_sum():
    tally = Tally(FAMILIES)
    for _ in range(2000):
        tally.add(["ave"], torch.full((50,), 1e-4), torch.tensor([50]))
    assert tally.means(Alone())["loss"] == pytest.approx(1e-4, rel=1e-6)

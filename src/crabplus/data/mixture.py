"""Which samples make up which batch: a pure function of (seed, epoch, step), so that no state has to be kept.

Every key is an endless stream of draws: its samples in random order, then all of them in another order, and so on. An
epoch takes its share of each stream, and the next epoch goes on where it ended. So nothing is left out, and nothing has
to be read to go on in the middle. The batch of a step does not depend on the number of processes or on accumulation:
these only say how it is divided.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

BUNDLE = 8  # samples of like length and modality that stand together in a batch, at most
POOL = 64  # batches among which they are looked for


class Draw(NamedTuple):
    """One sample at one time: its number, and the epoch, which decides on wording and reasoning."""

    number: int
    epoch: int


@dataclass(frozen=True)
class Stream:
    """The draws of one key.

    Attributes:
        first: number of its first sample among those of all keys; size: how many it has; draws: how many per epoch.
    """

    first: int
    size: int
    draws: int

    def epoch(self, epoch: int, seed: tuple[int, ...]) -> Ints:
        """The numbers of the samples of an epoch, in the order of the draws."""
        begin, end = epoch * self.draws, (epoch + 1) * self.draws
        rounds = range(begin // self.size, -(-end // self.size))
        orders = [np.random.default_rng((*seed, turn)).permutation(self.size) for turn in rounds]
        skipped = begin - rounds.start * self.size
        return self.first + np.concatenate(orders)[skipped : skipped + self.draws]


def shares(
    sizes: Mapping[str, int], weights: Mapping[str, float | None], caps: Mapping[str, int | None], temperature: float
) -> dict[str, float]:
    """The share of each key among the draws: by weight, else by capped size to the power 1 / temperature."""
    capped = {key: min(size, caps.get(key) or size) for key, size in sizes.items()}
    raw = {key: weights.get(key) or capped[key] ** (1 / temperature) for key in sizes}
    total = sum(raw.values())
    return {key: value / total for key, value in raw.items()}


def draws_of(share: Mapping[str, float], total: int) -> dict[str, int]:
    """How often each key is drawn in an epoch of ``total`` draws: whole numbers with that sum, by largest remainder.

    Every key is drawn at least once.
    """
    exact = {key: max(value * total, 1.0) for key, value in share.items()}
    whole = {key: int(value) for key, value in exact.items()}
    by_rest = sorted(exact, key=lambda key: whole[key] - exact[key])
    for key in by_rest[: max(total - sum(whole.values()), 0)]:
        whole[key] += 1
    while sum(whole.values()) > total:
        whole[max(whole, key=lambda key: whole[key])] -= 1
    return whole


class MixtureSampler:
    """Batches of :class:`Draw` for one process; iterating gives those of the current epoch.

    Args:
        streams: one for each key; batch: samples of a step, on all processes and over all accumulated parts together;
            the draws of an epoch are a multiple of it.
        parts: into how many parts the batch of a step is divided: processes times accumulation.
        rank, world: which process this is, of how many.
        lengths: tokens of every sample, to bring like ones together; None leaves them in random order.
        kinds: a number for the modalities of every sample; None: all the same.
    """

    def __init__(
        self, streams: Sequence[Stream], batch: int, parts: int, seed: int, rank: int = 0, world: int = 1,
        lengths: Ints | None = None, kinds: Ints | None = None,
    ) -> None:  # fmt: skip
        total = sum(stream.draws for stream in streams)
        if batch % parts or parts % world or total % batch:
            raise ValueError(
                f"{total} draws in batches of {batch}, in {parts} parts on {world} processes do not come out"
            )
        self.streams, self.batch, self.parts, self.seed = streams, batch, parts, seed
        self.rank, self.world, self.lengths, self.kinds = rank, world, lengths, kinds
        self.steps, self.now = total // batch, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that is iterated over next."""
        self.now = epoch

    def __len__(self) -> int:
        """Batches of this process in an epoch."""
        return self.steps * self.parts // self.world

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, size = self.now, self.batch // self.parts
        for step in self.epoch(epoch):
            for part in range(self.rank, self.parts, self.world):
                yield [Draw(int(number), epoch) for number in step[part * size : (part + 1) * size]]

    def epoch(self, epoch: int) -> Ints:
        """Numbers of the samples of every step of an epoch (steps, batch), those alike beside each other."""
        drawn = np.concatenate([s.epoch(epoch, (self.seed, 1, n)) for n, s in enumerate(self.streams)])
        rng = np.random.default_rng((self.seed, 2, epoch))
        drawn = drawn[rng.permutation(len(drawn))]
        if self.lengths is not None:
            drawn = self._grouped(drawn, rng)
        steps = drawn.reshape(self.steps, self.batch)
        return steps if self.lengths is None else np.stack([self._sorted(step) for step in steps])

    def _sorted(self, numbers: Ints) -> Ints:
        assert self.lengths is not None
        keys = (self.lengths[numbers],) if self.kinds is None else (self.lengths[numbers], self.kinds[numbers])
        return numbers[np.lexsort(keys)]

    def _grouped(self, drawn: Ints, rng: np.random.Generator) -> Ints:
        """Within pools of many batches, bundles of like samples; the bundles in random order."""
        bundle = next(size for size in range(min(BUNDLE, self.batch), 0, -1) if self.batch % size == 0)
        pools = [drawn[start : start + POOL * self.batch] for start in range(0, len(drawn), POOL * self.batch)]
        bundles = np.concatenate([self._sorted(pool).reshape(-1, bundle) for pool in pools])
        return bundles[rng.permutation(len(bundles))].reshape(-1)

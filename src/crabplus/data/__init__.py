"""From samples to batches: prompts and targets are made, media are read, and a model's tensors come out."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, Protocol

from torch.utils.data import Dataset

from crabplus.data.mixture import Draw
from crabplus.data.published import as_published
from crabplus.datasets.avuie import open_index
from crabplus.models.source import MediaSource
from crabplus.schema import Sample
from crabplus.tasks import Pack, get_task


class SampleList(Protocol):
    """A list of samples, each with the place where its media come from."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Sample, MediaSource]: ...


class WithSource:
    """Samples that all take their media from one source."""

    def __init__(self, samples: Sequence[Sample], source: MediaSource) -> None:
        self.samples, self.source = samples, source

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Sample, MediaSource]:
        return self.samples[index], self.source


class Folder(Sequence[Sample]):
    """The samples of several keys of an AV-UIE v2 folder, one key behind the other; each is read when asked for.

    Attributes:
        sizes: number of samples of each key; firsts: number of the first of them.

    Raises:
        FileNotFoundError: a key has no such split.
    """

    def __init__(self, root: str | Path, keys: Iterable[str], split: str) -> None:
        self._parts = {key: open_index(root, key, split) for key in keys}
        self.sizes = {key: len(part) for key, part in self._parts.items()}
        self._ends = list(accumulate(self.sizes.values()))
        self.firsts = dict(zip(self.sizes, [0, *self._ends], strict=False))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        n = range(len(self))[number]
        part = bisect_right(self._ends, n)
        return list(self._parts.values())[part][n - (self._ends[part - 1] if part else 0)]


class Chosen(Sequence[Sample]):
    """Those of some samples that have these numbers, in their order."""

    def __init__(self, samples: Sequence[Sample], numbers: Sequence[int]) -> None:
        self.samples, self.numbers = samples, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return Chosen(self.samples, self.numbers[number])
        return self.samples[self.numbers[number]]


@dataclass(frozen=True)
class Unreadable:
    """A sample that gave no tensors, and why."""

    id: str
    task: str
    error: str


def encode(
    encoder: Any, sample: Sample, source: MediaSource, pack: Pack, target: bool, reasoning: bool = True,
    draw: int | None = None,
) -> Any:  # fmt: skip
    """Tensors of one sample; errors name it.

    Args:
        encoder: of a model family; target: with the answer to learn; reasoning: with the reasoning in front of it, and
            a prompt that asks for it; draw: a number that chooses among the wordings, None for the usual one.

    Raises:
        ValueError: media that cannot be read, or text that the model cannot take.
    """
    task = get_task(sample.task)
    try:
        answer = task.target(sample, pack, reasoning) if target else None
        messages = task.prompt(sample, pack, reasoning, draw)
        if pack.media == "published":
            messages, source = as_published(sample, messages, source)
        return encoder.encode(messages, source, answer)
    except (ValueError, OSError) as error:
        raise ValueError(f"sample {sample.id!r} ({sample.task}): {error}") from error


class TrainingData(Dataset[Any]):
    """Encoded samples with their targets, by :class:`~crabplus.data.mixture.Draw`.

    Args:
        encoder: of a model family; samples: what is drawn from; pack: the wording.
        reasoning: ``on``, ``off`` or ``mixed``: in one half of the draws, by chance.
        paraphrases: whether every epoch draws another wording; unreadable: see ``DataSettings``.
    """

    def __init__(self, encoder: Any, samples: SampleList, pack: Pack, reasoning: str = "on", paraphrases: bool = True,
                 unreadable: Literal["stop", "out"] = "stop") -> None:  # fmt: skip
        self.encoder, self.samples, self.pack = encoder, samples, pack
        self.reasoning, self.paraphrases, self.unreadable = reasoning, paraphrases, unreadable

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw) -> Any:
        sample, source = self.samples[draw.number]
        with_reasoning = self.reasoning == "on" or (self.reasoning == "mixed" and _chance(sample, draw.epoch))
        turn = draw.epoch if self.paraphrases else None
        try:
            made = encode(self.encoder, sample, source, self.pack, True, with_reasoning, turn)
        except ValueError as error:
            if self.unreadable == "out":
                return Unreadable(sample.id, sample.task, str(error))
            raise ValueError(f"{error}; mend it, or have such samples left out: data.unreadable=out") from error
        return {**made, "task": sample.task}


class PromptData(Dataset[tuple[Sample, Any]]):
    """Samples with their encoded prompts; a sample that gives no tensors comes with :class:`Unreadable`.

    Args:
        encoder: of a model family; samples: what is asked; pack: the wording; reasoning: whether it is asked for.
    """

    def __init__(self, encoder: Any, samples: SampleList, pack: Pack, reasoning: bool = True) -> None:
        self.encoder, self.samples, self.pack, self.reasoning = encoder, samples, pack, reasoning

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> tuple[Sample, Any]:
        sample, source = self.samples[number]
        try:
            return sample, encode(self.encoder, sample, source, self.pack, False, self.reasoning)
        except ValueError as error:
            return sample, Unreadable(sample.id, sample.task, str(error))


def _chance(sample: Sample, epoch: int) -> bool:
    """Half of all draws, whatever wording they have: another hash decides on that."""
    return sha256(f"{sample.task}/{sample.id}/{epoch}".encode()).digest()[0] % 2 == 0


@dataclass
class Collator:
    """Right-padded training batches with the task key of each row, and what could not be read."""

    encoder: Any

    def __call__(self, items: Sequence[Any]) -> dict[str, Any]:
        good = [item for item in items if not isinstance(item, Unreadable)]
        lost = [item for item in items if isinstance(item, Unreadable)]
        if not good:
            raise ValueError(f"no sample of a batch can be read; the first: {lost[0].error}")
        tasks = [item["task"] for item in good]
        return {**self.encoder.collate(good, side="right"), "tasks": tasks, "unreadable": lost}

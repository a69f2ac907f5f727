"""From samples to batches: prompts and targets are made, media are read, and a model's tensors come out."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch.utils.data import Dataset

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


def encode(model: Any, sample: Sample, source: MediaSource, pack: Pack, target: bool, reasoning: bool = True) -> Any:
    """Tensors of one sample; errors name it.

    Raises:
        ValueError: media that cannot be read, or text that the model cannot take.
    """
    task = get_task(sample.task)
    try:
        answer = task.target(sample, pack, reasoning) if target else None
        return model.encode(task.prompt(sample, pack), source, answer)
    except (ValueError, OSError) as error:
        raise ValueError(f"sample {sample.id!r} ({sample.task}): {error}") from error


class TrainingData(Dataset[Any]):
    """Encoded samples with their targets."""

    def __init__(self, model: Any, samples: SampleList, pack: Pack, reasoning: bool = True) -> None:
        self.model, self.samples, self.pack, self.reasoning = model, samples, pack, reasoning

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        sample, source = self.samples[index]
        return encode(self.model, sample, source, self.pack, target=True, reasoning=self.reasoning)

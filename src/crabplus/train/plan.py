"""A run that can begin: everything but the model itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import TrainingArguments

from crabplus.config import TrainConfig
from crabplus.data import Folder
from crabplus.data.mixture import MixtureSampler, Stream
from crabplus.data.scan import Scan
from crabplus.schema import Sample
from crabplus.tasks import Pack
from crabplus.train.arguments import division_of
from crabplus.train.muon import Muon


@dataclass(frozen=True)
class Plan:
    """A run that can begin: everything but the model itself.

    Attributes:
        arguments: of transformers; pack, encoder: of the model; samples: all that is learned from, key behind key.
        found: what a look at the samples showed; draws, share: of each key in an epoch; hashes: of each index.
        judged: samples that are asked while training; trained: adapted layers and trained parameters of each part.
    """

    config: TrainConfig
    arguments: TrainingArguments
    pack: Pack
    encoder: Any
    samples: Folder
    found: Scan
    draws: dict[str, int]
    share: dict[str, float]
    hashes: dict[str, str]
    judged: list[Sample]
    trained: dict[str, Any]

    @property
    def batch(self) -> int:
        """Samples of a step, on all processes and over all accumulated parts."""
        return division_of(self.arguments).batch

    def overview(self) -> dict[str, Any]:
        """What is learned, and by what, in a few plain numbers: ``keys``, ``parts``, and of the whole run."""
        args, sizes = self.arguments, self.samples.sizes
        tokens = {key: self.found.lengths[first:][: sizes[key]] for key, first in self.samples.firsts.items()}
        steps = sum(self.draws.values()) // self.batch
        return {
            "keys": {
                key: {
                    "samples": sizes[key], "draws": self.draws[key], "share": self.share[key],
                    "tokens": round(float(tokens[key].mean())), "longest": int(tokens[key].max()),
                    "lacking": {sense: count for sense, count in self.found.lacking.get(key, {}).items() if count},
                }
                for key in sizes
            },
            "parts": self.trained, "batch": self.batch, "steps_per_epoch": steps,
            "steps": args.max_steps if args.max_steps > 0 else round(args.num_train_epochs * steps),
            "processes": args.world_size, "pack": f"{self.pack.name} {self.pack.version}", "out": self.config.out,
        }  # fmt: skip

    def optimizer(self) -> Callable[[Any], Any] | None:
        """What makes the optimizer that the settings name from the thinker; None: transformers does."""
        if self.config.optimizer is None:
            return None
        return lambda thinker: Muon(thinker, self.arguments.learning_rate, self.arguments.weight_decay)

    def sampler(self) -> MixtureSampler:
        """The batches of this process."""
        samples = self.samples
        streams = [Stream(samples.firsts[key], size, self.draws[key]) for key, size in samples.sizes.items()]
        grouped = self.config.data.group
        return MixtureSampler(
            streams, self.batch, self.arguments.gradient_accumulation_steps * self.arguments.world_size,
            self.config.seed, self.arguments.process_index, self.arguments.world_size,
            self.found.lengths if grouped else None, self.found.kinds if grouped else None,
        )  # fmt: skip

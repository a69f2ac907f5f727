"""All that can be known to be wrong before a model is loaded."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from crabplus.config import ConfigError, TrainConfig, nearest
from crabplus.data import Folder, pack_for
from crabplus.data.mixture import MixtureSampler, Stream, draws_of, shares
from crabplus.data.scan import Scan, Track, fingerprint, load_scan, mark_of, save_scan, scan
from crabplus.models import family_of, load_encoder, load_skeleton
from crabplus.schema import Sample
from crabplus.tasks import Pack, get_task
from crabplus.train.adapters import check_start, prepare, summary

DEFAULTS: dict[str, Any] = {
    "logging_steps": 10, "save_steps": 500, "save_total_limit": 2, "report_to": "tensorboard",
    "dataloader_num_workers": 2, "disable_tqdm": True,
}  # fmt: skip
"""Where they differ from those of transformers."""


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
        return batch_of(self.arguments)

    def sampler(self) -> MixtureSampler:
        """The batches of this process."""
        firsts = [sum(list(self.samples.sizes.values())[:n]) for n in range(len(self.samples.sizes))]
        streams = [
            Stream(first, size, self.draws[key])
            for first, (key, size) in zip(firsts, self.samples.sizes.items(), strict=True)
        ]
        grouped = self.config.data.group
        return MixtureSampler(
            streams, self.batch, self.arguments.gradient_accumulation_steps * self.arguments.world_size,
            self.config.seed, self.arguments.process_index, self.arguments.world_size,
            self.found.lengths if grouped else None, self.found.kinds if grouped else None,
        )  # fmt: skip


def check(config: TrainConfig, track: Track, save: bool = True) -> Plan:
    """Check everything, from the cheapest to the dearest.

    Args:
        save: whether the look at the samples is saved in the folder of the run, so that the next is quick.

    Raises:
        ConfigError, ValueError, OSError: what is wrong, and what to do.
    """
    check_processes()
    _check_names(config)
    if config.adapter.start:
        check_start(config.adapter.start)
    pack = pack_for(config.model, config.pack)
    samples = Folder(config.data.folder, config.data.keys, config.data.split)
    for key, size in samples.sizes.items():
        if not size:
            raise ConfigError(f"data: {key}/{config.data.split} holds no sample; build it, or leave {key} out")
    judged = _judged(config)
    arguments = arguments_of(config)
    trained = _trained(config)
    share, draws = _mixture(config, samples.sizes, batch_of(arguments))
    encoder = load_encoder(config.model, pack.size)
    hashes = fingerprint(config.data.folder, config.data.keys, config.data.split)
    found = _scan(config, encoder, samples, pack, hashes, track, save)
    return Plan(config, arguments, pack, encoder, samples, found, draws, share, hashes, judged, trained)


def check_processes() -> None:
    """Several accelerators need several processes, and some ways to divide a model are not proven.

    Raises:
        ConfigError: tells the command, or the reason.
    """
    import torch

    if os.environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true":
        raise ConfigError(
            "DeepSpeed is refused: nothing here is proven with it, and under ZeRO-3 a process whose batch lacks a "
            "modality waits for ever for the others; use DDP or FSDP2 (configs/accelerate/)"
        )
    count = torch.cuda.device_count()
    if count > 1 and "WORLD_SIZE" not in os.environ:
        raise ConfigError(
            f"there are {count} GPUs and one process, which splits the pictures of a batch wrongly. Start it with: "
            f"accelerate launch --num_processes {count} -m crabplus train ...  (or show it one: CUDA_VISIBLE_DEVICES=0)"
        )


def arguments_of(config: TrainConfig) -> TrainingArguments:
    """The training arguments, with ours where they differ.

    Raises:
        ConfigError: one that transformers does not know (names the nearest) or does not take.
    """
    known = {field.name for field in dataclasses.fields(TrainingArguments)}
    for name in config.arguments:
        if name not in known:
            raise ConfigError(f"arguments.{name}: transformers has no such training argument{nearest(name, known)}")
    given = {**DEFAULTS, **config.arguments}
    if given.pop("deepspeed", None):
        raise ConfigError("arguments.deepspeed: DeepSpeed is not proven here; use DDP or FSDP2 (configs/accelerate/)")
    if given.get("activation_checkpointing") or given.get("gradient_checkpointing"):
        given.setdefault("activation_checkpointing_kwargs", {"use_reentrant": False})
        if given["activation_checkpointing_kwargs"].get("use_reentrant", True):
            raise ConfigError(
                "arguments.activation_checkpointing_kwargs: with use_reentrant no gradient reaches the adapters of the "
                "towers, and they learn nothing; set use_reentrant to false"
            )
    if config.evaluation:
        given |= {"eval_strategy": "steps", "eval_steps": config.evaluation.every}
        given |= {"metric_for_best_model": "eval_mean_relative", "greater_is_better": True}
        given.setdefault("load_best_model_at_end", True)
        given.setdefault("save_strategy", "steps")
        given["save_steps"] = config.arguments.get("save_steps", config.evaluation.every)
    try:
        return TrainingArguments(
            output_dir=str(Path(config.out) / "checkpoints"), seed=config.seed, remove_unused_columns=False,
            label_names=["labels"], **given,
        )  # fmt: skip
    except (ValueError, TypeError, ImportError, RuntimeError) as error:
        raise ConfigError(f"arguments: {str(error).splitlines()[0]}") from error


def batch_of(arguments: TrainingArguments) -> int:
    """Samples of a step, on all processes and over all accumulated parts."""
    return arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size


def _check_names(config: TrainConfig) -> None:
    for key in (*config.data.keys, *(config.evaluation.keys or () if config.evaluation else ())):
        get_task(key)
    if not Path(config.data.folder).is_dir():
        raise ConfigError(f"data.folder: {config.data.folder} is no folder; build one with: crabplus build ...")
    if config.cache and Path(config.cache.folder).is_file():
        raise ConfigError(f"cache.folder: {config.cache.folder} is a file")


def _judged(config: TrainConfig) -> list[Sample]:
    """The first samples of each key of the split that is looked at while training."""
    if config.evaluation is None:
        return []
    chosen: Sequence[str] = config.evaluation.keys or tuple(config.data.keys)
    parts = [Folder(config.data.folder, [key], config.evaluation.split) for key in chosen]
    samples = [sample for part in parts for sample in part[: config.evaluation.samples]]
    for sample in samples:
        if sample.answer is None:
            raise ConfigError(
                f"evaluation.split: {sample.task} sample {sample.id!r} of {config.evaluation.split} has no true "
                "answer; name a split that has, or leave evaluation out"
            )
    return samples


class Skeleton:
    """A model without weights, on which an adapter is tried."""

    def __init__(self, name: str) -> None:
        family = family_of(name)
        self.thinker, self.parts, self.unused = load_skeleton(name), family.PARTS, family.UNUSED


def _trained(config: TrainConfig) -> dict[str, Any]:
    """Adapted layers and trained parameters, tried on a model without weights."""
    import torch

    model = Skeleton(config.model)
    with torch.device("meta"):
        prepare(model, config.adapter, config.trained, weights=False)
    made = summary(model)
    if not made["parameters"]:
        raise ConfigError("nothing of the model would be trained: name parts in trained, or an adapter")
    return made


def _mixture(config: TrainConfig, sizes: dict[str, int], batch: int) -> tuple[dict[str, float], dict[str, int]]:
    keys = config.data.keys
    share = shares(
        sizes, {key: value.weight for key, value in keys.items()}, {key: value.cap for key, value in keys.items()},
        config.data.temperature,
    )  # fmt: skip
    whole = sum(min(size, keys[key].cap or size) for key, size in sizes.items())
    total = whole // batch * batch
    if total < max(batch, len(keys)):
        raise ConfigError(
            f"a step takes {batch} samples (per_device_train_batch_size x gradient_accumulation_steps x processes), "
            f"and an epoch has {whole} of {len(keys)} keys: make the batch smaller, or give more samples"
        )
    return share, draws_of(share, total)


def _scan(
    config: TrainConfig, encoder: Any, samples: Folder, pack: Pack, hashes: dict[str, str], track: Track, save: bool
) -> Scan:  # fmt: skip
    """A look at all samples, or the one that was saved in the run folder."""
    from accelerate import PartialState

    data, path = config.data, Path(config.out) / "samples.npz"
    mark = mark_of(hashes, pack.digest, config.model, data.reasoning, data.longest, str(Path(data.folder).resolve()))
    with PartialState().main_process_first():
        found = load_scan(path, mark)
        if found is None:
            found = scan(encoder, samples, data.folder, pack, data.reasoning != "off", data.longest, track)
            if save:
                path.parent.mkdir(parents=True, exist_ok=True)
                save_scan(path, found, mark)
    return found

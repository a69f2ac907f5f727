"""All that can be known to be wrong before a model is loaded."""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError
from transformers import TrainingArguments

from crabplus.config import ConfigError, TrainConfig, nearest
from crabplus.data import Folder, pack_for
from crabplus.data.mixture import MixtureSampler, Stream, draws_of, shares
from crabplus.data.scan import Scan, Track, fingerprint, load_scan, mark_of, save_scan, scan
from crabplus.evaluate import evaluate
from crabplus.models import family_of, load_encoder, load_skeleton
from crabplus.schema import Sample
from crabplus.tasks import Pack, get_task
from crabplus.train import record
from crabplus.train.adapters import check_start, prepare, summary
from crabplus.train.judge import mean_relative

DEFAULTS: dict[str, Any] = {
    "logging_steps": 10, "save_steps": 500, "save_total_limit": 2, "report_to": "tensorboard",
    "dataloader_num_workers": 2, "disable_tqdm": True, "ddp_find_unused_parameters": False,
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

    def overview(self) -> dict[str, Any]:
        """What is learned, and by what, in a few plain numbers: ``keys``, ``parts``, and of the whole run."""
        args, sizes = self.arguments, self.samples.sizes
        firsts = [sum(list(sizes.values())[:n]) for n in range(len(sizes))]
        tokens = {key: self.found.lengths[first : first + sizes[key]] for first, key in zip(firsts, sizes, strict=True)}
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


def check(config: TrainConfig, track: Track, fresh: bool = False) -> Plan:
    """Check everything, from the cheapest to the dearest; ``fresh``: whatever the folder of the run holds will go.

    Raises:
        ConfigError, ValueError, OSError: what is wrong, and what to do.
    """
    check_processes()
    _check_names(config)
    if not fresh:
        record.check_same(Path(config.out), config)
    if config.adapter.start:
        check_start(config.adapter.start)
    pack = pack_for(config.model, config.pack)
    samples = _folder(config, config.data.keys, config.data.split, "data.keys, data.split")
    _check_wording(pack, samples)
    judged = _judged(config)
    arguments = arguments_of(config)
    trained = _trained(config)
    share, draws = _mixture(config, samples.sizes, batch_of(arguments))
    encoder = load_encoder(config.model, pack.size)
    hashes = fingerprint(config.data.folder, config.data.keys, config.data.split)
    found = _scan(config, encoder, samples, pack, hashes, track)
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
            f"accelerate launch --num_processes {count} -m crabplus.cli train ...  (or show it one: "
            "CUDA_VISIBLE_DEVICES=0)"
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
    _check_types(config.arguments)
    given = {**DEFAULTS, **config.arguments}
    _check_sharding(given, config)
    _set_checkpointing(given)
    if config.evaluation:
        given |= {"eval_strategy": "steps", "eval_steps": config.evaluation.every}
        given |= {"metric_for_best_model": "eval_mean_relative", "greater_is_better": True}
        given.setdefault("load_best_model_at_end", True)
        every = config.evaluation.every
        if given["load_best_model_at_end"] and config.arguments.get("save_steps", every) != every:
            raise ConfigError(
                f"arguments.save_steps: the best of all looks, every {every} steps (evaluation.every), can only be "
                "kept if it is saved: make both the same, or set load_best_model_at_end to false"
            )
        given["save_steps"] = config.arguments.get("save_steps", every)
    try:
        made = TrainingArguments(
            output_dir=str(Path(config.out) / "checkpoints"), seed=config.seed, remove_unused_columns=False,
            label_names=["labels"], **given,
        )  # fmt: skip
    except (ValueError, TypeError, ImportError, RuntimeError) as error:
        raise ConfigError(f"arguments: {' '.join(str(error).split())}") from error
    _check_machine(made)
    return made


def _check_types(given: dict[str, Any]) -> None:
    """Raise at a value of another type than transformers says: it would only notice when it computes with it."""
    hints = get_type_hints(TrainingArguments)
    for name, value in given.items():
        try:
            TypeAdapter(hints[name]).validate_python(value, strict=True)
        except ValidationError as error:
            raise ConfigError(f"arguments.{name}: {error.errors()[0]['msg']}, got {value!r:.60}") from error
        if name in ("per_device_train_batch_size", "gradient_accumulation_steps") and value < 1:
            raise ConfigError(f"arguments.{name}: at least 1 wanted, got {value}")


def _check_machine(arguments: TrainingArguments) -> None:
    """Raise at what this machine lacks, which the trainer would say only when it has the model."""
    from transformers.integrations import get_available_reporting_integrations

    if arguments.fp16 and arguments.device.type == "cpu":
        raise ConfigError("arguments.fp16: it takes an accelerator, and there is none; leave it out")
    there = get_available_reporting_integrations()
    for name in arguments.report_to or ():
        if name not in there:
            raise ConfigError(f"arguments.report_to: {name} is not installed; there are {', '.join([*there, 'none'])}")


def _check_sharding(given: dict[str, Any], config: TrainConfig) -> None:
    """Refuse the ways to divide a model among processes that are not proven."""
    if given.get("deepspeed"):
        raise ConfigError("arguments.deepspeed: DeepSpeed is not proven here; use DDP or FSDP2 (configs/accelerate/)")
    sharded = given.get("fsdp") or os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    version = (given.get("fsdp_config") or {}).get("version") or os.environ.get("FSDP_VERSION", "2")
    if sharded and int(version) != 2:
        raise ConfigError(f"FSDP version {version} is not proven here; set it to 2 (arguments.fsdp_config.version)")
    if sharded and config.evaluation:
        raise ConfigError(
            "evaluation: processes that share one model would have to ask it equally often, which is not proven; leave "
            "evaluation out under FSDP, and score the checkpoints with crabplus predict and evaluate"
        )


def _set_checkpointing(given: dict[str, Any]) -> None:
    """Where activations are computed again, adapters of the towers must still get their gradients."""
    for name in ("gradient_checkpointing", "gradient_checkpointing_kwargs"):  # names of old
        if name in given:
            given.setdefault(name.replace("gradient", "activation"), given.pop(name))
    if given.get("activation_checkpointing"):
        settings = {"use_reentrant": False, **(given.get("activation_checkpointing_kwargs") or {})}
        given["activation_checkpointing_kwargs"] = settings
        if settings["use_reentrant"]:
            raise ConfigError(
                "arguments.activation_checkpointing_kwargs: with use_reentrant no gradient reaches the adapters of the "
                "towers, and they learn nothing; set use_reentrant to false"
            )


def batch_of(arguments: TrainingArguments) -> int:
    """Samples of a step, on all processes and over all accumulated parts."""
    return arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size


def _check_names(config: TrainConfig) -> None:
    judged = (config.evaluation.keys if config.evaluation else None) or ()
    for where, keys in (("data.keys", tuple(config.data.keys)), ("evaluation.keys", judged)):
        for key in keys:
            try:
                get_task(key)
            except KeyError as error:
                raise ConfigError(f"{where}: {error.args[0]}") from error
    if config.pack and not Path(config.pack).is_file():
        raise ConfigError(f"pack: {config.pack} is not there; name a YAML file, or leave it out for the model's own")
    if not Path(config.data.folder).is_dir():
        raise ConfigError(f"data.folder: {config.data.folder} is no folder; build one with: crabplus build ...")
    if config.cache and Path(config.cache.folder).is_file():
        raise ConfigError(f"cache.folder: {config.cache.folder} is a file")


def _folder(config: TrainConfig, keys: Iterable[str], split: str, where: str) -> Folder:
    """The samples of some keys; each has at least one."""
    try:
        made = Folder(config.data.folder, keys, split)
    except FileNotFoundError as error:
        raise ConfigError(f"{where}: {error}") from error
    for key, size in made.sizes.items():
        if not size:
            raise ConfigError(f"{where}: {key}/{split} holds no sample; build it, or leave {key} out")
    return made


def _check_wording(pack: Pack, samples: Folder) -> None:
    """Raise if the pack does not say how a key is asked."""
    first = 0
    for key, size in samples.sizes.items():
        try:
            get_task(key).prompt(samples[first], pack)
        except KeyError as error:
            raise ConfigError(f"pack: {error.args[0]}") from error
        first += size


def _judged(config: TrainConfig) -> list[Sample]:
    """The first samples of each key of the split that is looked at while training."""
    if config.evaluation is None:
        return []
    chosen: Sequence[str] = config.evaluation.keys or tuple(config.data.keys)
    parts = [_folder(config, [key], config.evaluation.split, "evaluation.split") for key in chosen]
    samples = [sample for part in parts for sample in part[: config.evaluation.samples]]
    for sample in samples:
        if sample.answer is None:
            raise ConfigError(
                f"evaluation.split: {sample.task} sample {sample.id!r} of {config.evaluation.split} has no true "
                "answer; name a split that has, or leave evaluation out"
            )
    mean_relative(evaluate(samples, (), partial=True, rounds=2), config.evaluation.reference)  # raises, if it will
    return samples


class _Skeleton:
    """A model without weights, on which an adapter is tried."""

    def __init__(self, name: str, attention: str) -> None:
        family = family_of(name)
        self.thinker, self.parts, self.unused = load_skeleton(name), family.PARTS, family.UNUSED
        try:
            self.thinker.set_attn_implementation(attention)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"attention: {' '.join(str(error).split())}") from error


def _trained(config: TrainConfig) -> dict[str, Any]:
    """Adapted layers and trained parameters, tried on a model without weights."""
    import torch

    model = _Skeleton(config.model, config.attention)
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
    config: TrainConfig, encoder: Any, samples: Folder, pack: Pack, hashes: dict[str, str], track: Track
) -> Scan:  # fmt: skip
    """A look at all samples, or the one that was saved in the run folder."""
    from accelerate import PartialState

    data, path = config.data, Path(config.out) / "samples.npz"
    mark = mark_of(hashes, pack.digest, config.model, data.reasoning, data.longest, str(Path(data.folder).resolve()))
    with PartialState().main_process_first():
        found = load_scan(path, mark)
        if found is None:
            found = scan(encoder, samples, data.folder, pack, data.reasoning != "off", data.longest, track)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_scan(path, found, mark)
    return found

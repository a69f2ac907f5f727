"""What a run will take: tokens, parameters, memory by formula, and time from a few measured steps."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TrainerCallback

from crabplus.config import ConfigError
from crabplus.data.scan import TOKENS
from crabplus.models import family_of, resolve
from crabplus.train import fit, load, memory, source_of
from crabplus.train.adapters import part_of, prepare, summary
from crabplus.train.arguments import arguments_of
from crabplus.train.plan import Plan
from crabplus.train.preflight import Skeleton
from crabplus.train.sharding import uses_deepspeed, uses_fsdp

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        model, dtype: what is loaded, and the dtype of its weights; processes: how many train together.
        keys: for each key ``samples``, ``draws`` in an epoch, and ``tokens``: of ``all`` and of each kind the ``mean``,
            the 95th percentile ``p95`` and the ``most`` of its samples. By count: in the usual wording, and with the
            reasoning wherever it may be drawn.
        tokens: expected tokens of a ``step`` and an ``epoch``, padding not counted; ``steps`` of an epoch.
        parameters: for each part ``all`` and ``trained`` parameters and adapted ``layers``; and of all in ``total``.
        memory: bytes on one process at the peak of a step, all by formula (:mod:`crabplus.train.memory`): ``weights``,
            ``gradients``, ``optimiser``, ``activations`` of a micro-batch of the longest samples, their sum ``total``,
            and in ``by_part`` what the activations are made of.
        time: None where no step was measured; else ``steps`` measured, ``seconds_per_step``, ``samples_per_second``,
            ``tokens_per_second``, ``waiting`` for data (a share), ``hours_per_epoch``, ``hours`` of the run without
            evaluations and checkpoints, and ``peak_bytes``, which an accelerator measured, or None.
        notes: what the formulas do not know.
    """

    model: str
    dtype: str
    processes: int
    keys: dict[str, Any]
    tokens: dict[str, float]
    parameters: dict[str, dict[str, int]]
    memory: dict[str, Any]
    time: dict[str, Any] | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def estimate(plan: Plan, steps: int) -> Estimate:
    """What a plan will take; nothing is written into the folder of its run.

    Args:
        plan: from :func:`crabplus.train.check`; steps: how many are measured, after one to warm up; 0: none, and no
            weights are read.

    Raises:
        ConfigError: steps are to be measured, and the weights cannot be loaded.
    """
    dtype, notes = _dtype(plan)
    parameters, used, more = _model(plan, dtype)
    keys = _keys(plan)
    steps_per_epoch = plan.sampler().steps
    epoch = sum(row["draws"] * row["tokens"]["all"]["mean"] for row in keys.values())
    return Estimate(
        plan.config.model, str(dtype).removeprefix("torch."), plan.arguments.world_size, keys,
        {"step": epoch / steps_per_epoch, "epoch": epoch, "steps": steps_per_epoch}, parameters, used,
        measure(plan, steps) if steps else None, (*notes, *more),
    )  # fmt: skip


def _dtype(plan: Plan) -> tuple[torch.dtype, list[str]]:
    """The dtype in which the weights will be loaded."""
    if plan.config.dtype != "auto":
        return DTYPES[plan.config.dtype], []
    found = family_of(plan.config.model).saved_dtype(resolve(plan.config.model))
    return (found, []) if found else (torch.float32, ["config.json names no dtype: weights are counted as float32"])


def _keys(plan: Plan) -> dict[str, Any]:
    made, first = {}, 0
    for key, size in plan.samples.sizes.items():
        table = plan.found.tokens[first : first + size]
        kinds = {"all": table.sum(1), **dict(zip(TOKENS, table.T, strict=True))}
        tokens = {kind: _figures(column) for kind, column in kinds.items()}
        made[key] = {"samples": size, "draws": plan.draws[key], "tokens": tokens}
        first += size
    return made


def _figures(column: NDArray[np.int64]) -> dict[str, float]:
    return {"mean": float(column.mean()), "p95": float(np.percentile(column, 95)), "most": int(column.max())}


def _model(plan: Plan, dtype: torch.dtype) -> tuple[dict[str, dict[str, int]], dict[str, Any], list[str]]:
    """Parameters and memory, from the model without weights; PEFT itself decides on the adapter's dtype."""
    config, model = plan.config, Skeleton(plan.config.model, plan.config.attention)
    for parameter in model.thinker.parameters():
        parameter.data = parameter.data.to(dtype)
    base, sizes = model.thinker.config, dict[str, int]()
    for name, parameter in model.thinker.named_parameters():
        part = part_of(name, model.parts)
        sizes[part] = sizes.get(part, 0) + parameter.numel()
    with torch.device("meta"):
        prepare(model, config.adapter, config.trained, weights=False)
    made = summary(model)
    trained, layers = made["parameters_by_part"], made["layers"]
    rows = {p: {"all": n, "trained": trained.get(p, 0), "layers": layers.get(p, 0)} for p, n in sizes.items()}
    rows["total"] = {name: sum(row[name] for row in rows.values()) for name in ("all", "trained", "layers")}
    used, notes = _memory(plan, model, base, dtype)
    return rows, used, notes


def _memory(plan: Plan, model: Skeleton, base: Any, dtype: torch.dtype) -> tuple[dict[str, Any], list[str]]:
    arguments = plan.arguments
    name, notes = plan.config.optimizer or str(getattr(arguments.optim, "value", arguments.optim)), []
    if name not in memory.OPTIMISERS and name not in ("adafactor", "muon"):
        notes.append(f"memory of the optimiser {name} is unknown: counted as AdamW's")
    stacks = family_of(plan.config.model).stacks(base, plan.encoder.size)
    by_part = memory.activations(model.thinker, model.parts, stacks, _pass(plan, base, dtype))
    world = arguments.world_size
    whole = {
        "weights": memory.weights(model.thinker), "gradients": memory.gradients(model.thinker),
        "optimiser": memory.optimiser(model.thinker, name),
    }  # fmt: skip
    if uses_fsdp(arguments.fsdp):
        whole = {part: -(-size // world) for part, size in whole.items()}
        notes.append("FSDP: the layers that are gathered at a time come on top")
    elif uses_deepspeed():
        whole |= {part: -(-whole[part] // world) for part in ("gradients", "optimiser")}
        notes.append("ZeRO-2: its buckets come on top, and with bf16 what is trained once more in float32, divided")
    elif world > 1:
        notes.append("DDP: its buckets for the exchange take as much again as the gradients")
    made = {**whole, "activations": sum(by_part.values())}
    return {**made, "total": sum(made.values()), "by_part": by_part}, notes


def _pass(plan: Plan, base: Any, dtype: torch.dtype) -> memory.Pass:
    """A micro-batch of the longest samples."""
    arguments, found = plan.arguments, plan.found
    samples = arguments.per_device_train_batch_size
    longest = np.argsort(found.lengths)[-samples:]
    tokens = {kind: int(n) for kind, n in zip(TOKENS, found.tokens[longest].sum(0), strict=True)}
    extra: Any = arguments.activation_checkpointing_kwargs or {}
    autocast = arguments.bf16 or arguments.fp16
    return memory.Pass(
        samples, int(found.lengths.max()), tokens, base.text_config.vocab_size, dtype.itemsize,
        2 if autocast else dtype.itemsize,
        extra.get("every_n_layers", 1) if arguments.activation_checkpointing else 0, bool(extra.get("offload")),
        plan.config.attention == "eager",
    )  # fmt: skip


def measure(plan: Plan, steps: int) -> dict[str, Any]:
    """Run one step to warm up and ``steps`` more, in a temporary folder; see :class:`Estimate` for the figures.

    The first samples that the run would draw are taken, and the cache of media, if there is one, as it stands.
    """
    with TemporaryDirectory() as folder:
        config = plan.config.model_copy(
            update={"out": folder, "evaluation": None, "arguments": _few(plan.config.arguments, steps)}
        )
        try:
            model, data = load(plan, source_of(plan.config))
        except OSError as error:
            raise ConfigError(
                f"model: the weights of {plan.config.model} cannot be loaded, so no step can be measured; "
                f"with --steps 0 all else is told: {str(error).splitlines()[0]}"
            ) from error
        clock = _Clock()
        fit(
            model, data, plan.sampler(), Path(folder), arguments_of(config), keys=tuple(plan.samples.sizes),
            optimizer=plan.optimizer(), callbacks=[clock], save=False,
        )  # fmt: skip
    return {"steps": steps, **clock.figures(plan, steps)}


def _few(arguments: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Training arguments for some steps: two logs, behind the first step and behind the last, and nothing saved."""
    return {
        **arguments, "max_steps": steps + 1, "logging_strategy": "steps", "logging_first_step": True,
        "logging_steps": steps + 1, "save_strategy": "no", "eval_strategy": "no", "eval_on_start": False,
        "load_best_model_at_end": False, "report_to": "none", "push_to_hub": False,
    }  # fmt: skip


class _Clock(TrainerCallback):
    """Takes the time between two logs, each of which has waited for the accelerator."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.logs: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        if logs and "loss" in logs:
            self.times.append(time.perf_counter())
            self.logs = logs
            if len(self.times) == 1 and torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()  # without what loading took

    def figures(self, plan: Plan, steps: int) -> dict[str, Any]:
        """What was measured, and how long an epoch and the run take at that pace."""
        seconds = (self.times[-1] - self.times[0]) / steps
        arguments, epoch = plan.arguments, plan.sampler().steps
        total = arguments.max_steps if arguments.max_steps > 0 else arguments.num_train_epochs * epoch
        return {
            "seconds_per_step": seconds, "samples_per_second": plan.batch / seconds,
            "tokens_per_second": self.logs["tokens_per_second"], "waiting": self.logs["waiting"],
            "hours_per_epoch": seconds * epoch / 3600, "hours": seconds * total / 3600,
            "peak_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
        }  # fmt: skip

"""The gradient of each key's training loss at one adapter that all keys share.

Nothing is computed in another way than in training: the trainer itself runs, over steps that each hold one key alone,
with an optimiser that moves nothing. So loss (the mean over the target tokens of a step), wordings, batches, dropout,
precision, accumulation and activation checkpointing are those of the run.

**At which adapter?** Where an adapter starts, every B is zero. Then A and the router get no gradient at all, whatever
the task, and B's gradient only tells how the tasks pull at a random projection of the inputs. So a new adapter first
learns for some steps of the very run, on all keys together, by its own schedule (:data:`WARMUP`; 0 looks at the start).
After them B is small, but points somewhere: cosines do not depend on its size. An adapter that learns on
(``adapter.start``) is taken as it is. What conflicts later in a run may be other than what conflicts near its start: a
second look, at an adapter that has learned for longer, tells.

**Memory.** To compare K keys, each in two halves, 2 K gradients of all trained parameters would have to be kept in
float32: 8 K bytes for each trained parameter, which at 19 keys and the published adapter of a 7 B model (0.68 billion)
is 103 GB. Only inner products are wanted, and these are sums over matrices. So the keys are gone through several times,
each time for as many matrices as fit into a limit, with the same batches and the same random numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import TrainerCallback

from crabplus.analysis.pieces import Cut, Piece, pieces_of
from crabplus.config import ConfigError
from crabplus.data.mixture import Ints, MixtureSampler, Stream
from crabplus.data.scan import Track, untracked
from crabplus.train import fit, load, source_of
from crabplus.train.arguments import arguments_of
from crabplus.train.plan import Plan

WARMUP = 50
"""Steps that a new adapter learns before its gradients are taken."""
HALVES = 2
_FLOAT32 = 4
_OTHER_SEED = 3  # apart from those of the mixture (1, 2): the warm-up has not just learned these samples
_UNCLIPPED = 1e30

Trained = list[tuple[str, Tensor]]


@dataclass(frozen=True)
class Gradients:
    """Inner products of gradients.

    Attributes:
        keys: K task keys; losses: mean training loss of each at this adapter.
        grams: of each piece the inner products (2 K, 2 K) of the keys' mean gradients; row 2 k is that of the even
            batches of key k, row 2 k + 1 that of the odd ones.
        warmup: steps learned before; batches, batch: of each key, and samples in one; passes: over all keys.
        parameters: trained numbers; kept: bytes of gradients held at a time, at most.
    """

    keys: tuple[str, ...]
    losses: dict[str, float]
    grams: dict[Piece, NDArray[np.float64]]
    warmup: int
    batches: int
    batch: int
    passes: int
    parameters: int
    kept: int


class KeyByKey(MixtureSampler):
    """Steps of the first key alone, then of the second, and so on; every stream has the draws of its own steps."""

    def epoch(self, epoch: int) -> Ints:
        """Numbers of the samples of every step (steps, batch)."""
        drawn = [stream.epoch(epoch, (self.seed, _OTHER_SEED, n)) for n, stream in enumerate(self.streams)]
        return np.concatenate(drawn).reshape(self.steps, self.batch)


def gradients(
    plan: Plan, batches: int, warmup: int, limit: float = 8 * 2**30, track: Track = untracked
) -> Gradients:  # fmt: skip
    """Take the gradient of every key of a plan; nothing is written into the folder of its run.

    Args:
        plan: from :func:`crabplus.train.check`; batches: steps of each key, an even number, half of them for each half.
        warmup: steps to learn first.
        limit: bytes of gradients to hold at a time; a single matrix may take more.

    Raises:
        ConfigError: several processes, a key with too few samples, a number that cannot be; OSError: no weights.
    """
    check_batches(plan, batches)
    model, data = load(plan, source_of(plan.config))
    if warmup:
        _learn(plan, model, data, warmup, track)
    keys = tuple(plan.samples.sizes)
    trained = [(name, value) for name, value in model.thinker.named_parameters() if value.requires_grad]
    rows = HALVES * len(keys)
    passes = list(_passes(trained, rows, limit))
    grams: dict[Piece, NDArray[np.float64]] = {}
    losses: dict[str, float] = {}
    for number, chosen in enumerate(passes):
        heading = "gradients" + (f", pass {number + 1} of {len(passes)}" if len(passes) > 1 else "")
        kept = _Kept(chosen, keys, batches)
        _run(
            plan, model, data, _sampler(plan, batches), _still(plan, len(keys) * batches, batches), track, heading, kept
        )
        losses = kept.losses
        grams |= kept.grams(model)
    return Gradients(
        keys, losses, grams, warmup, batches, plan.batch, len(passes), sum(value.numel() for _, value in trained),
        max(_bytes(chosen, rows) for chosen in passes),
    )  # fmt: skip


def warmup_of(plan: Plan) -> int:
    """Steps before the gradients of a plan: none where there is no new adapter."""
    return 0 if plan.config.adapter.start or plan.config.adapter.kind == "none" else WARMUP


def check_batches(plan: Plan, batches: int) -> None:
    """Raise a ConfigError if a plan cannot give so many batches of each key."""
    if batches < HALVES or batches % HALVES:
        raise ConfigError(f"--batches: an even number of at least 2 wanted (two halves tell the noise), got {batches}")
    if len(plan.samples.sizes) < 2:
        raise ConfigError("data.keys: keys are compared with each other, so at least two are wanted")
    if plan.arguments.world_size > 1 or plan.arguments.fsdp:
        raise ConfigError("gradients are taken in one process: start without accelerate launch, and without FSDP")
    for key, size in plan.samples.sizes.items():
        if size < batches * plan.batch:
            raise ConfigError(
                f"{key}: {batches} batches of {plan.batch} take {batches * plan.batch} samples, and {key} has {size}; "
                "give more samples, fewer --batches, or a smaller arguments.per_device_train_batch_size"
            )


def _learn(plan: Plan, model: Any, data: Any, steps: int, track: Track) -> None:
    """The first steps of the run itself."""
    settings = _silent(plan.config.arguments)
    _run(plan, model, data, plan.sampler(), settings, track, "warm-up", _StopAfter(steps), total=steps)


def _run(
    plan: Plan, model: Any, data: Any, sampler: MixtureSampler, settings: dict[str, Any], track: Track, heading: str,
    callback: "_StopAfter | _Kept", total: int | None = None,
) -> None:  # fmt: skip
    """Let the trainer run in a folder that goes afterwards."""
    steps = total or settings["max_steps"]
    with TemporaryDirectory() as folder:
        config = plan.config.model_copy(update={"out": folder, "evaluation": None, "arguments": settings})
        fit(
            model, data, sampler, Path(folder), arguments_of(config), keys=tuple(plan.samples.sizes), save=False,
            optimizer=callback.optimizer or plan.optimizer(), callbacks=[callback, _Ticks(track, heading, steps)],
        )  # fmt: skip


def _silent(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **arguments, "save_strategy": "no", "eval_strategy": "no", "eval_on_start": False, "report_to": "none",
        "load_best_model_at_end": False, "push_to_hub": False, "logging_strategy": "no",
    }  # fmt: skip


def _still(plan: Plan, steps: int, batches: int) -> dict[str, Any]:
    """Arguments for steps that move nothing: the gradients as they are, and a log behind each key."""
    return {
        **_silent(plan.config.arguments), "max_steps": steps, "logging_strategy": "steps", "logging_steps": batches,
        "max_grad_norm": _UNCLIPPED, "lr_scheduler_type": "constant", "lr_scheduler_kwargs": None, "warmup_steps": 0,
    }  # fmt: skip


def _sampler(plan: Plan, batches: int) -> KeyByKey:
    samples, parts = plan.samples, plan.arguments.gradient_accumulation_steps
    streams = [Stream(samples.firsts[key], size, batches * plan.batch) for key, size in samples.sizes.items()]
    return KeyByKey(streams, plan.batch, parts, plan.config.seed)


def _bytes(chosen: Trained, rows: int) -> int:
    return rows * _FLOAT32 * sum(value.numel() for _, value in chosen)


def _passes(trained: Trained, rows: int, limit: float) -> Iterator[Trained]:
    """The parameters in order, as many at a time as fit; at least one."""
    chosen: Trained = []
    for one in trained:
        if chosen and _bytes([*chosen, one], rows) > limit:
            yield chosen
            chosen = []
        chosen.append(one)
    yield chosen


class _Ticks(TrainerCallback):
    """Shows the steps of a run as they begin."""

    def __init__(self, track: Track, heading: str, total: int) -> None:
        self.items = iter(track(range(total), heading, total))

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        next(self.items, None)

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        list(self.items)


class _StopAfter(TrainerCallback):
    """Ends a run after so many steps; its schedule stays that of the whole run."""

    optimizer = None

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        control.should_training_stop = control.should_training_stop or state.global_step >= self.steps


class _Kept(TrainerCallback):
    """Adds up the gradients of some parameters over the batches of each half of each key."""

    def __init__(self, chosen: Trained, keys: Sequence[str], batches: int) -> None:
        self.chosen, self.keys, self.batches = chosen, keys, batches
        self.sums = {name: torch.zeros(HALVES * len(keys), value.numel()) for name, value in chosen}
        self.losses: dict[str, float] = {}

    def optimizer(self, thinker: Any) -> Any:
        """One that moves nothing."""
        return torch.optim.SGD([value for value in thinker.parameters() if value.requires_grad], lr=0.0)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        number, batch = divmod(state.global_step, self.batches)
        for name, value in self.chosen:
            if value.grad is None:
                continue
            row = value.grad.detach().float().flatten().cpu()
            if not row.isfinite().all():
                raise ConfigError(
                    f"the gradient of {self.keys[number]} is not finite in {name}; take arguments.bf16 or dtype "
                    "float32 in place of fp16, or look at the samples of this key"
                )
            self.sums[name][HALVES * number + batch % HALVES] += row / (self.batches // HALVES)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        prefix = "loss_key/"
        self.losses |= {k.removeprefix(prefix): v for k, v in (logs or {}).items() if k.startswith(prefix)}

    def grams(self, model: Any) -> dict[Piece, NDArray[np.float64]]:
        """Inner products of every piece; what was summed up is given free."""
        made = {}
        for name, value in self.chosen:
            rows = self.sums.pop(name)
            for piece, cut in pieces_of(name, value, model.thinker, model.parts):
                made[piece] = _gram(rows, value.shape, cut)
        return made


def _gram(rows: Tensor, shape: Sequence[int], cut: Cut) -> NDArray[np.float64]:
    part = cut.of(rows, shape)
    return (part @ part.T).double().numpy()

"""Training: one task or nineteen, an adapter or the whole model, resumed to the same result."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import PrinterCallback, TrainerCallback, TrainingArguments, set_seed

from crabplus.config import ConfigError, TrainConfig
from crabplus.data import TrainingData, WithSource
from crabplus.data.mixture import MixtureSampler
from crabplus.models import TINY, load_model, resolve
from crabplus.models.source import Files, MediaSource
from crabplus.tasks import get_task
from crabplus.train import checkpoints, elsewhere, record
from crabplus.train.adapters import prepare, summary
from crabplus.train.arguments import division_of
from crabplus.train.judge import FolderJudge
from crabplus.train.logfile import LogFile
from crabplus.train.plan import Plan
from crabplus.train.preflight import check
from crabplus.train.trainer import Judge, MixtureTrainer

__all__ = ["Plan", "check", "fit", "train"]

STEP = "training.json"
"""File in the folder of what was trained that says after which step it is."""
logger = logging.getLogger(__name__)


def train(
    plan: Plan, *, fresh: bool = False, callbacks: Sequence[TrainerCallback] = (),
    optimizer: Callable[[Any], Any] | None = None, model: Any = None,
) -> Path:  # fmt: skip
    """Run a plan; a run that was interrupted goes on to the same result.

    Args:
        plan: from :func:`check`; fresh: leave what the folder of the run holds and begin anew.
        callbacks: for the trainer; optimizer: makes one from the thinker, None for that of the settings.
        model: the base, where it is loaded already; it is changed.

    Returns:
        The folder of the trained adapter (or whole model), ``final`` in the folder of the run.

    Raises:
        ConfigError: the folder holds another run.
    """
    config, out = plan.config, Path(plan.config.out)
    state = PartialState()
    if state.is_main_process:
        begin(plan, fresh)
    state.wait_for_everyone()
    final = out / "final"
    if final.is_dir():
        logger.warning("%s is there: this run has ended, and nothing was done", final)
        return final
    source = source_of(config)
    model, data = load(plan, source, model)
    judge = FolderJudge(plan, source) if config.evaluation else None
    if state.is_main_process:
        record.write_config(out, config)
        if config.pack:  # the wording that is learned goes with the adapter
            shutil.copy(config.pack, out / record.PACK)
        record.write_run(out, _facts(plan, model))
    state.wait_for_everyone()
    if not (out / record.RUN).is_file():
        raise ConfigError(
            f"out: process {state.process_index} does not see what the first one wrote into {out}; name a folder that "
            "all machines share"
        )
    return fit(
        model, data, plan.sampler(), out, plan.arguments, keys=tuple(plan.samples.sizes), judge=judge,
        optimizer=optimizer or plan.optimizer(), callbacks=callbacks,
    )  # fmt: skip


def load(plan: Plan, source: MediaSource, model: Any = None) -> tuple[Any, TrainingData]:
    """The model with what is trained of it, and what it learns from; ``model`` is the base, where it is loaded already.

    Raises:
        OSError: the weights cannot be loaded.
    """
    config = plan.config
    model = model or load_model(config.model, plan.pack.size, dtype=config.dtype, attention=config.attention)
    set_seed(config.seed)  # the adapter starts from random numbers
    prepare(model, config.adapter, config.trained)
    if config.encoded:
        model.keep_outputs(config.encoded.folder, int(config.encoded.gib * 2**30))
    data = TrainingData(
        model.encoder, WithSource(plan.samples, source), plan.pack, config.data.reasoning, config.data.paraphrases,
        config.data.unreadable,
    )  # fmt: skip
    return model, data


def fit(
    model: Any, data: TrainingData, sampler: MixtureSampler, out: Path, arguments: TrainingArguments, *,
    keys: Sequence[str], judge: Judge | None = None, optimizer: Callable[[Any], Any] | None = None,
    callbacks: Sequence[TrainerCallback] = (), save: bool = True,
) -> Path:  # fmt: skip
    """Train what of ``model`` is set to be trained, and save it into ``out/final``; goes on from the last checkpoint.

    Args:
        model: a loaded model; data, sampler: what is learned, and in which batches; keys: task keys that occur.
        out: folder of the run; arguments: whose ``output_dir`` is ``out/checkpoints``; save: at the end.
        judge, optimizer, callbacks: as for :class:`~crabplus.train.trainer.MixtureTrainer`.
    """
    model.run_every_tower()
    made = optimizer(model.thinker) if optimizer else None
    families = {key: get_task(key).family for key in keys}
    with _tensorboard(out):
        trainer = MixtureTrainer(
            model, data, sampler, out, families, judge, args=arguments, optimizers=(made, None),
            callbacks=[LogFile(out / "log.jsonl"), *callbacks],
        )  # fmt: skip
    if arguments.fsdp and not trainer.is_fsdp_enabled:
        raise ConfigError(
            "arguments.fsdp: accelerate divides a model among GPUs alone, in several processes; leave it out"
        )
    trainer.remove_callback(PrinterCallback)  # the file of the log, and whatever shows progress, take its place
    last = _last_checkpoint(trainer, out / "checkpoints")
    model.thinker.train()
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    model.thinker.eval()
    return _save(trainer, model, out) if save else out


def begin(plan: Plan, fresh: bool) -> None:
    """Make the folder of a run ready: it is empty, holds this very run, or is cleared."""
    out = Path(plan.config.out)
    if fresh:
        shutil.rmtree(out / "checkpoints", ignore_errors=True)
        for name in ("final", "tensorboard", "evaluations"):
            shutil.rmtree(out / name, ignore_errors=True)
        for name in (record.CONFIG, record.RUN, record.PACK, "log.jsonl", "unreadable.jsonl"):
            (out / name).unlink(missing_ok=True)
    record.check_same(out, plan.config, division_of(plan.arguments))
    out.mkdir(parents=True, exist_ok=True)


def source_of(config: TrainConfig) -> MediaSource:
    """Where the media come from: the files, or the cache where there is one."""
    if config.cache is None:
        return Files(config.data.folder)
    from crabplus.media.cache import MediaCache
    from crabplus.models.source import CachedFiles

    return CachedFiles(config.data.folder, MediaCache(config.cache.folder, int(config.cache.gib * 2**30)))


@contextmanager
def _tensorboard(out: Path) -> Iterator[None]:
    """While open, a trainer that is made logs into the folder of the run, unless the user's environment says where."""
    name = "TENSORBOARD_LOGGING_DIR"
    given = os.environ.setdefault(name, str(out / "tensorboard"))
    try:
        yield
    finally:
        if given == str(out / "tensorboard"):
            del os.environ[name]


def _last_checkpoint(trainer: MixtureTrainer, folder: Path) -> Path | None:
    """The newest whole checkpoint; says which were passed over."""
    with trainer.accelerator.main_process_first():  # the first moves damaged ones aside, the others find none
        last, remarks = checkpoints.newest(folder) if folder.is_dir() else (None, [])
    for remark in remarks:
        logger.warning("%s", remark)
    if last:
        now = elsewhere.Writers(trainer.args.world_size, trainer.way)
        elsewhere.check_writers(last, now)
        logger.warning("going on from %s%s", last.name, _elsewhere(elsewhere.writers_of(last), now))
    return last


def _elsewhere(then: elsewhere.Writers, now: elsewhere.Writers) -> str:
    """What changes where a run goes on with other processes."""
    if then.processes == now.processes:
        return ""
    return f", which {then.processes} process(es) wrote, with {now.processes}: dropout is drawn anew"


def _save(trainer: MixtureTrainer, model: Any, out: Path) -> Path:
    """Save adapter or model whole or not at all."""
    final, draft = out / "final", out / "final.partial"
    if trainer.args.should_save:
        shutil.rmtree(draft, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()  # else a late process would remove what the first one writes
    trainer.save_model(str(draft))
    if trainer.args.should_save:
        state, best = trainer.state, trainer.args.load_best_model_at_end
        step = state.best_global_step if best and state.best_global_step else state.global_step
        told = {"step": step, "of": state.global_step, "mean_relative": state.best_metric if best else None}
        (draft / STEP).write_text(json.dumps(told) + "\n", encoding="utf-8")
        (draft / "training_args.bin").unlink(missing_ok=True)
        if not hasattr(trainer.accelerator.unwrap_model(trainer.model), "peft_config"):
            model.processor.save_pretrained(draft)
        if (out / record.PACK).is_file():
            shutil.copy(out / record.PACK, draft)
        _name_base(draft / "adapter_config.json")
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
    trainer.accelerator.wait_for_everyone()
    return final


def _name_base(file: Path) -> None:
    """The shipped model by its name, where an adapter's settings tell where it lies on this machine."""
    if file.is_file():
        settings = json.loads(file.read_text(encoding="utf-8"))
        if settings["base_model_name_or_path"] == resolve(TINY):
            settings["base_model_name_or_path"] = TINY
            file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _facts(plan: Plan, model: Any) -> dict[str, Any]:
    config, adapter = plan.config, plan.config.adapter
    commit = getattr(model.base.config, "_commit_hash", None)
    return {
        "model": {"name": config.model, "revision": commit, "folder": resolve(config.model) if not commit else None},
        "adapter": {**adapter.model_dump(mode="json"), **summary(model)},
        "data": {
            "folder": config.data.folder, "split": config.data.split, "pack": f"{plan.pack.name} {plan.pack.version}",
            "keys": {
                key: {"samples": size, "draws": plan.draws[key], "share": plan.share[key], "hash": plan.hashes[key]}
                for key, size in plan.samples.sizes.items()
            },
            "batch": plan.batch, "processes": plan.arguments.world_size,
        },
    }  # fmt: skip

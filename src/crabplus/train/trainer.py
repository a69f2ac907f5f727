"""transformers' ``Trainer`` with the mixture, the loss over answers, and checkpoints to go on from exactly."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.nn.functional import cross_entropy, pad
from torch.utils.data import DataLoader
from transformers import Trainer, set_seed
from transformers.trainer_utils import rotate_checkpoints

from crabplus.data import Collator, TrainingData
from crabplus.data.mixture import MixtureSampler
from crabplus.models.head import IGNORED, logits_at
from crabplus.train import checkpoints, elsewhere
from crabplus.train.tally import Tally

Judge = Callable[[Any, int], Mapping[str, float]]
"""Scores of a model after a step: names to numbers."""


class EpochLoader(DataLoader[Any]):
    """A loader whose batches are those of the mixture in a given epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Passed on to the sampler."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


class MixtureTrainer(Trainer):
    """Trains the thinker of ``model`` on batches of a :class:`~crabplus.data.mixture.MixtureSampler`.

    Args:
        model: of a model family; data, sampler: what is learned, and in which batches; out: folder of the run.
        families: the family of each task key, for the log; judge: scores while training.
        settings: further arguments of ``Trainer``.
    """

    def __init__(
        self, model: Any, data: TrainingData, sampler: MixtureSampler, out: Path, families: Mapping[str, str],
        judge: Judge | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        self.av, self.sampler, self.out, self.judge = model, sampler, out, judge
        self.tally = Tally(families)
        self._waited, self._since, self._samples, self._tokens = 0.0, time.perf_counter(), 0, 0
        super().__init__(
            model=model.thinker, train_dataset=data, data_collator=Collator(model.encoder),
            eval_dataset=[] if judge else None, **settings,
        )  # fmt: skip
        # the loss below is over all target tokens of a step, on all processes and over all accumulated parts
        self.model_accepts_loss_kwargs, self.loss_is_scaled_for_ga = True, True

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches of this process; nothing that draws random numbers shares the generator that training uses."""
        args = self.args
        more: dict[str, Any] = {}
        if args.dataloader_num_workers:
            more = {
                "prefetch_factor": args.dataloader_prefetch_factor,
                "persistent_workers": args.dataloader_persistent_workers,
                "multiprocessing_context": args.dataloader_multiprocessing_context,
            }
        return EpochLoader(
            self.train_dataset, batch_sampler=self.sampler, collate_fn=self.data_collator,  # type: ignore[arg-type]
            num_workers=args.dataloader_num_workers, pin_memory=args.dataloader_pin_memory,
            generator=torch.Generator().manual_seed(args.seed), **more,
        )  # fmt: skip

    def num_examples(self, dataloader: DataLoader[Any]) -> int:
        """Draws of an epoch."""
        return self.sampler.steps * self.sampler.batch

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device) -> Any:
        """See ``Trainer``; here the time is taken that the step waits for its data."""
        start = time.perf_counter()
        found = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._waited += time.perf_counter() - start
        return found

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Cross-entropy over the tokens of the answers; logits are computed only there."""
        tasks, labels = inputs.pop("tasks"), inputs.pop("labels")
        self._note(inputs.pop("unreadable"), len(tasks), int(inputs["attention_mask"].sum()))
        targets = labels[:, 1:]
        wanted = targets != IGNORED
        with logits_at(self.av.head, pad(wanted, (0, 1))):
            logits = model(**inputs).logits[0]
        smoothing = self.args.label_smoothing_factor
        losses = cross_entropy(logits.float(), targets[wanted], reduction="none", label_smoothing=smoothing)
        self.tally.add(tasks, losses.detach(), wanted.sum(1))
        count = num_items_in_batch if num_items_in_batch is not None else wanted.sum()
        # several processes average their gradients: each counts as many times as there are
        return losses.sum() / count * self.accelerator.num_processes

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the estimate of transformers knows nothing of towers and frozen layers."""
        return 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """See ``Trainer``; losses are means over target tokens since the last log: of all, of a key, of a family."""
        if "loss" in logs:
            logs = {**logs, **self.tally.means(self.accelerator), **self._speed()}
            self.tally.clear()
        super().log(logs, start_time)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Official scores of unseen samples."""
        if self.judge is None:
            return {}
        start, thinker, training = time.perf_counter(), self.av.thinker, self.av.thinker.training
        thinker.eval()
        metrics = {f"eval_{name}": value for name, value in self.judge(self.av, self.state.global_step).items()}
        thinker.train(training)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self._since += time.perf_counter() - start  # the speed of training is told, without this
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """See ``Trainer``; of equal scores the later one counts, for it has learned longer."""
        best = super()._determine_best_metric(metrics, trial)
        if not best and metrics.get("eval_mean_relative") == self.state.best_metric:
            self.state.best_global_step = self.state.global_step
            return True
        return best

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """See ``Trainer``; older checkpoints go only when this one is sealed."""
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.save_total_limit = limit
        folder = self.out / "checkpoints" / f"checkpoint-{self.state.global_step}"
        mine = folder / elsewhere.tally_name(self.args.process_index)
        mine.write_text(json.dumps(self.tally.state()), encoding="utf-8")
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            checkpoints.seal(folder)
            rotate_checkpoints(str(folder.parent), limit, self.state.best_model_checkpoint)
        self.accelerator.wait_for_everyone()

    @property
    def way(self) -> elsewhere.Way:
        """How the model lies on its processes."""
        if self.is_deepspeed_enabled:
            return "DeepSpeed"
        return "FSDP" if self.is_fsdp_enabled else "whole"

    def _moved(self, checkpoint: str) -> bool:
        """Whether the model lay on the processes that wrote a checkpoint in another way than it does now."""
        return elsewhere.writers_of(Path(checkpoint)).way != self.way

    def _prepare_for_training(self, max_steps: int, train_dataloader: Any, resume_from_checkpoint: str | None) -> Any:
        """See ``Trainer``; what was whole is read before it is divided."""
        if resume_from_checkpoint and self.way == "FSDP" and self._moved(resume_from_checkpoint):
            self._load_whole(resume_from_checkpoint, self.model)
        return super()._prepare_for_training(max_steps, train_dataloader, resume_from_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """See ``Trainer``, which under FSDP reads nothing but files of FSDP, and else none of them."""
        if self.is_deepspeed_enabled or (self.is_fsdp_enabled and not self._moved(resume_from_checkpoint)):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        elif not self.is_fsdp_enabled:
            self._load_whole(resume_from_checkpoint, model or self.model)

    def _load_whole(self, checkpoint: str, model: Any) -> None:
        """Weights as ``save_pretrained`` writes them into every checkpoint, by names that its own readers know."""
        if self._adapted():
            model.load_adapter(checkpoint, model.active_adapters[0], is_trainable=True)
            return
        saved = type(model).from_pretrained(checkpoint, dtype=torch.float32)
        model.load_state_dict(saved.state_dict())

    def _load_best_model(self) -> None:
        """See ``Trainer``; a whole model is read as above."""
        if self.is_fsdp_enabled or self.is_deepspeed_enabled or self._adapted():
            return super()._load_best_model()
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def _adapted(self) -> bool:
        return hasattr(self.model, "peft_config")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or not self._moved(checkpoint):
            return super()._load_optimizer_and_scheduler(checkpoint)
        folder = Path(checkpoint)
        assert self.model is not None and self.lr_scheduler is not None
        elsewhere.load_optimizer(folder, self.model, self.optimizer, self.way, self.args.process_index == 0)
        self.lr_scheduler.load_state_dict(torch.load(folder / "scheduler.pt", weights_only=True))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """See ``Trainer``, which where a process has no state of its own goes on with whatever numbers there are."""
        if checkpoint is None:
            return
        folder, rank, processes = Path(checkpoint), self.args.process_index, self.args.world_size
        if elsewhere.writers_of(folder).processes == processes:
            super()._load_rng_state(checkpoint)
        else:
            set_seed(elsewhere.seed_of(self.args.seed, self.state.global_step, processes, rank))
        self.tally.load(elsewhere.tally_of(folder, rank, processes))

    def _note(self, unreadable: list[Any], samples: int, tokens: int) -> None:
        self._samples, self._tokens = self._samples + samples, self._tokens + tokens
        if unreadable:
            with (self.out / "unreadable.jsonl").open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({"step": self.state.global_step, **vars(lost)}) + "\n" for lost in unreadable
                )

    def _speed(self) -> dict[str, float]:
        """Samples and tokens per second on all processes, the share of time spent waiting for data, and memory."""
        now = time.perf_counter()
        passed = max(now - self._since, 1e-9)
        made = {
            "samples_per_second": self._samples * self.args.world_size / passed,
            "tokens_per_second": self._tokens * self.args.world_size / passed,
            "waiting": self._waited / passed,
            "memory_gib": _memory() / 2**30,
        }
        self._waited, self._since, self._samples, self._tokens = 0.0, now, 0, 0
        return {name: round(value, 4) for name, value in made.items()}


def _memory() -> int:
    """Bytes at the peak on the accelerator; without one, bytes that this process holds now."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    return int(psutil.Process(os.getpid()).memory_info().rss)

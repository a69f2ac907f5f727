"""Training with transformers' ``Trainer``: the whole model, or an adapter on a frozen one."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainingArguments

from crabplus.config import AdapterSettings, TrainSettings
from crabplus.data import SampleList, TrainingData
from crabplus.tasks import Pack


@dataclass
class Collator:
    """Right-padded training batches of one model."""

    model: Any

    def __call__(self, items: list[Any]) -> dict[str, Any]:
        return self.model.collate(items, side="right")


class LogFile(TrainerCallback):
    """Appends what the trainer logs to a file, a line of JSON each time, so that a killed run keeps its record."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """See ``transformers.TrainerCallback``."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def add_adapter(model: Any, settings: AdapterSettings) -> Any:
    """Put an adapter on ``model.thinker`` and freeze the rest; ``none`` leaves it as it is, to be trained whole."""
    if settings.kind == "none":
        return model
    from peft import get_peft_model

    from crabplus.ilora import ILoraConfig, baselines

    config = ILoraConfig(
        r=settings.r, lora_alpha=settings.alpha, num_heads=settings.heads, lora_dropout=settings.dropout,
        target_modules=settings.targets,
    )  # fmt: skip
    made = {
        "ilora": lambda: config,
        "lora": lambda: baselines.lora(config),
        "lora-equal": lambda: baselines.equal_lora(config, model.thinker),
        "moe-lora": lambda: baselines.experts(config),
    }[settings.kind]
    model.thinker = get_peft_model(model.thinker, made())
    return model


def train(
    model: Any, samples: SampleList, pack: Pack, settings: TrainSettings, resume: bool = False,
    optimizer: Callable[[Any], Any] | None = None, callbacks: Sequence[TrainerCallback] = (),
) -> Path:  # fmt: skip
    """Train and save into ``settings.out``: ``settings.json``, ``log.jsonl``, and adapter or model in ``final``.

    Args:
        model: a loaded model; samples: what it learns; pack: the wording; resume: go on from the last checkpoint.
            optimizer: makes one from the model; None for that of the arguments; callbacks: for the trainer.

    Returns:
        The folder of the trained adapter (or whole model).
    """
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(settings.as_dict(), indent=1) + "\n", encoding="utf-8")
    add_adapter(model, settings.adapter)
    arguments = TrainingArguments(
        output_dir=str(out / "checkpoints"), seed=settings.seed, remove_unused_columns=False, report_to=[],
        label_names=["labels"], **settings.arguments,
    )  # fmt: skip
    made = optimizer(model.thinker) if optimizer else None
    trainer = Trainer(
        model=model.thinker, args=arguments, data_collator=Collator(model),
        train_dataset=TrainingData(model, samples, pack, settings.reasoning), optimizers=(made, None),
        callbacks=[LogFile(out / "log.jsonl"), *callbacks],
    )  # fmt: skip
    model.thinker.train()
    trainer.train(resume_from_checkpoint=resume or None)
    model.thinker.eval()
    final = out / "final"
    model.thinker.save_pretrained(final)
    return final

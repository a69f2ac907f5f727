"""Settings of a training run."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class AdapterSettings:
    """Which adapter is trained and how large it is; ``targets`` is what ``target_modules`` takes.

    ``kind``: ``ilora``; to compare with, ``lora`` (PEFT's, of the same rank), ``lora-equal`` (PEFT's, of about as many
    parameters) and ``moe-lora`` (full LoRA experts under the same router); ``none`` trains the whole model.
    """

    kind: Literal["ilora", "lora", "lora-equal", "moe-lora", "none"] = "ilora"
    r: int = 128
    alpha: int = 256
    heads: int = 3
    dropout: float = 0.1
    targets: str = "language-model-only"


@dataclass(frozen=True)
class TrainSettings:
    """One run: ``adapter.kind`` ``none`` trains the whole model.

    ``arguments`` are ``transformers.TrainingArguments`` as they are, such as ``max_steps`` or ``learning_rate``.
    """

    out: str
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    reasoning: bool = True
    seed: int = 0
    arguments: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the record in the run folder."""
        return asdict(self)

"""The settings of an I-LoRA adapter."""

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import inf
from os import PathLike
from pathlib import Path
from typing import Any

from peft.config import PeftConfig

from crabplus.ilora.card import note_import
from crabplus.ilora.peft_type import ILORA
from crabplus.ilora.presets import PRESETS


@dataclass
class ILoraConfig(PeftConfig):
    """The settings of an I-LoRA adapter. Published: r 128, lora_alpha 256, num_heads 3, lora_dropout 0.1.

    Attributes:
        r: rank R of the shared matrix A (R x in) and of every head B_i (out x R).
        lora_alpha: the update is scaled by lora_alpha / r.
        num_heads: heads H of the adapter (not of attention); the router has one row for each.
        lora_dropout: probability of dropout before A; the router sees the input without it.
        share_a: True is I-LoRA; False gives every head an A of its own, a mixture of full LoRA experts (A is H*R x in).
        router_temperature: divides the router's logits; above 1 the heads are mixed more evenly.
        target_modules: names (suffix match), a regular expression over full names, ``all-linear``, or the name of a
            preset: ``language-model-only`` or ``as-published``.
        exclude_modules: names (suffix match) or a regular expression; these are left alone.
        modules_to_save: modules trained and saved whole beside the adapter.
        init_weights: True starts every head at zero, so that the adapted model equals its base; False draws it.
        layers_to_transform: layer numbers to adapt, with ``target_modules`` as names.
        layers_pattern: name of the list that ``layers_to_transform`` counts in.

    Raises:
        ValueError: a setting out of range, or two that exclude each other.
    """

    r: int = field(default=16, metadata={"help": "Rank of the shared matrix A and of every head."})
    lora_alpha: float = field(default=32, metadata={"help": "The update is scaled by lora_alpha / r."})
    num_heads: int = field(default=3, metadata={"help": "Number of heads B that the router mixes."})
    lora_dropout: float = field(default=0.0, metadata={"help": "Dropout before A; the router sees none."})
    share_a: bool = field(default=True, metadata={"help": "One A for all heads; False: one for each."})
    router_temperature: float = field(default=1.0, metadata={"help": "Divides the router's logits."})
    target_modules: Collection[str] | str | None = field(
        default=None, metadata={"help": "Names, a regular expression, 'all-linear', or the name of a preset."}
    )
    exclude_modules: Collection[str] | str | None = field(
        default=None, metadata={"help": "Names or a regular expression."}
    )
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained and saved whole."})
    init_weights: bool = field(default=True, metadata={"help": "Start every head at zero."})
    layers_to_transform: list[int] | int | None = field(default=None, metadata={"help": "Layer numbers to adapt."})
    layers_pattern: list[str] | str | None = field(default=None, metadata={"help": "Name of the list of layers."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = ILORA
        if isinstance(self.target_modules, str):
            near = get_close_matches(self.target_modules, PRESETS, n=1, cutoff=0.8)
            if near and self.target_modules not in PRESETS:
                raise ValueError(f"target_modules: no preset {self.target_modules!r}; did you mean {near[0]!r}?")
            self.target_modules = PRESETS.get(self.target_modules, self.target_modules)
        self.target_modules = _as_set(self.target_modules)
        self.exclude_modules = _as_set(self.exclude_modules)
        self._check_numbers()
        self._check_layers()

    def save_pretrained(self, save_directory: str | PathLike[str], **kwargs: Any) -> None:
        """As PEFT's; the model card in the folder says that the method has to be imported first."""
        super().save_pretrained(str(save_directory), **kwargs)
        note_import(Path(save_directory))

    def _check_numbers(self) -> None:
        for name in ("r", "num_heads"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name}: a whole number from 1 on wanted, got {value!r}")
        for name in ("share_a", "init_weights"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}: True or False wanted, got {getattr(self, name)!r}")
        for name in ("lora_alpha", "router_temperature"):
            if not _is_number(getattr(self, name)) or not 0 < getattr(self, name) < inf:
                raise ValueError(f"{name}: a number above 0 wanted, got {getattr(self, name)!r}")
        if not _is_number(self.lora_dropout) or not 0.0 <= self.lora_dropout < 1.0:
            raise ValueError(f"lora_dropout: a probability below 1 wanted, got {self.lora_dropout!r}")

    def _check_layers(self) -> None:
        if isinstance(self.target_modules, str):
            for name in ("layers_to_transform", "layers_pattern"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} goes with target_modules as a list of names, not as a string")
        if self.layers_pattern is not None and self.layers_to_transform is None:
            raise ValueError("layers_pattern goes with layers_to_transform")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_set(names: Collection[str] | str | None) -> Collection[str] | str | None:
    """PEFT keeps names as a set, and writes that to JSON as a list."""
    return set(names) if isinstance(names, list | tuple) else names

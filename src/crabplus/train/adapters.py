"""What of a model is trained: an adapter on some of its parts, some parts whole, or all of it."""

import json
import re
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any

from crabplus.config import AdapterSettings, ConfigError
from crabplus.generate import load_adapter
from crabplus.ilora import ILoraConfig, baselines
from crabplus.ilora.presets import PRESETS


def prepare(model: Any, settings: AdapterSettings, trained: tuple[str, ...], weights: bool = True) -> None:
    """Put the adapter on ``model.thinker`` and set what is trained; the rest is frozen.

    Args:
        model: a model, or anything with its ``thinker``, ``parts`` and ``unused``; trained: parts trained whole.
        weights: whether those of an adapter that learns on are read.

    Raises:
        ConfigError: an unknown part, targets that fit no layer, a part that is adapted and trained whole.
    """
    _check_parts(model.parts, "trained", trained)
    if settings.kind == "none":
        _train_whole(model, trained)
        return
    from peft import PeftConfig, get_peft_model

    if settings.start and weights:
        load_adapter(model, settings.start, learns=True)
        for config in model.thinker.peft_config.values():  # where the base lies: PEFT looks there when it saves
            config.base_model_name_or_path = model.thinker.get_base_model().name_or_path
        return
    if settings.start:
        config = PeftConfig.from_pretrained(settings.start)
        config.inference_mode = False  # it was saved as one that has learned
        config.base_model_name_or_path = None  # the name of this model takes its place
        _check_layers(model, config, "adapter.start", ())
    else:
        config = _config(settings, model, trained)
    try:
        model.thinker = get_peft_model(model.thinker, config)
    except ValueError as error:
        raise ConfigError(f"adapter: {error}") from error
    for part in settings.parts or ():
        if not any(f".{model.parts[part]}." in f".{name}" for name in adapted_layers(model.thinker)):
            raise ConfigError(
                f"adapter.parts: none of the layers that adapter.targets names ({settings.targets}) is in {part}; the "
                "preset as-published reaches language, vision and audio"
            )


def check_start(path: str | Path) -> None:
    """Raise a ConfigError if a folder holds no adapter that can learn on."""
    file = Path(path) / "adapter_config.json"
    if not file.is_file():
        raise ConfigError(f"adapter.start: {path} holds no adapter_config.json; name the folder that training wrote")
    try:
        kind = json.loads(file.read_text(encoding="utf-8")).get("peft_type")
    except ValueError as error:
        raise ConfigError(f"adapter.start: {file} is not JSON: {error}") from error
    if kind not in ("ILORA", "LORA"):
        raise ConfigError(
            f"adapter.start: {path} holds an adapter of type {kind}, and only ILORA and LORA can learn on"
        )


def _config(settings: AdapterSettings, model: Any, trained: tuple[str, ...]) -> Any:
    """The settings that PEFT takes."""
    targets = _targets(settings, model.parts)
    try:
        config = ILoraConfig(
            r=settings.r, lora_alpha=settings.alpha, num_heads=settings.heads, lora_dropout=settings.dropout,
            router_temperature=settings.router_temperature, target_modules=targets,
            modules_to_save=[model.parts[part] for part in trained] or None,
        )  # fmt: skip
    except ValueError as error:
        raise ConfigError(f"adapter.{error}".replace("target_modules", "targets")) from error
    _check_layers(model, config, "adapter.targets", trained)
    if settings.kind == "lora":
        return baselines.lora(config)
    if settings.kind == "lora-equal":
        return baselines.equal_lora(config, model.thinker)
    return baselines.experts(config) if settings.kind == "moe-lora" else config


def _targets(settings: AdapterSettings, parts: Mapping[str, str]) -> str | list[str]:
    """The layers to adapt; confined to some parts by a look ahead in the regular expression."""
    targets = settings.targets
    if settings.parts is None:
        return targets if isinstance(targets, str) else list(targets)
    _check_parts(parts, "adapter.parts", settings.parts)
    if targets == "all-linear":
        raise ConfigError("adapter.parts cannot confine all-linear; name the layers in adapter.targets")
    if isinstance(targets, str):
        layers = PRESETS.get(targets, targets)
    else:
        layers = rf"(?:.*\.)?(?:{'|'.join(map(re.escape, targets))})"
    inside = "|".join(re.escape(parts[part]) for part in settings.parts)
    return rf"(?=(?:.*\.)?(?:{inside})\.)(?:{layers})"


def _train_whole(model: Any, trained: tuple[str, ...]) -> None:
    """Train these parts and freeze the rest; without any, train all."""
    model.thinker.requires_grad_(not trained)
    for part in trained:
        model.thinker.get_submodule(model.parts[part]).requires_grad_(True)
    for name in model.unused:  # no gradient ever reaches them, which several processes would wait for
        model.thinker.get_parameter(name).requires_grad_(False)


def _check_parts(parts: Mapping[str, str], where: str, named: tuple[str, ...]) -> None:
    for part in named:
        if part not in parts:
            raise ConfigError(f"{where}: no part {part!r}; the model has {', '.join(parts)}")


def _check_layers(model: Any, config: Any, where: str, trained: tuple[str, ...]) -> None:
    """Raise if the targets fit no layer, or one of a part that is trained whole, which PEFT would pass over."""
    from peft.tuners.tuners_utils import check_target_module_exists

    if config.target_modules == "all-linear":
        return
    alone = copy(config)
    alone.modules_to_save = None  # in these it finds nothing
    names = [name for name, _ in model.thinker.named_modules() if name and check_target_module_exists(alone, name)]
    if not names:
        raise ConfigError(f"{where}: {config.target_modules} fits no layer of the model; see its named_modules()")
    for part in trained:
        if any(f"{name}.".startswith(f"{model.parts[part]}.") for name in names):
            raise ConfigError(
                f"trained: {part} has adapted layers; confine adapter.parts, or leave {part} out of trained"
            )


def adapted_layers(thinker: Any) -> list[str]:
    """Names of the layers that carry an adapter."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [name for name, module in thinker.named_modules() if isinstance(module, BaseTunerLayer)]


def part_of(name: str, parts: Mapping[str, str]) -> str:
    """The part that a layer or parameter belongs to: the one with the longest path in its name."""
    inside = [part for part, path in parts.items() if f".{path}." in f".{name}."]
    return max(inside, key=lambda part: len(parts[part]), default="other")


def summary(model: Any) -> dict[str, Any]:
    """Adapted layers, and trained parameters, of each part."""
    layers: dict[str, int] = {}
    for name in adapted_layers(model.thinker):
        part = part_of(name, model.parts)
        layers[part] = layers.get(part, 0) + 1
    numbers: dict[str, int] = {}
    for name, parameter in model.thinker.named_parameters():
        if parameter.requires_grad:
            part = part_of(name, model.parts)
            numbers[part] = numbers.get(part, 0) + parameter.numel()
    return {"layers": layers, "parameters_by_part": numbers, "parameters": sum(numbers.values())}

"""Audio-visual language models: one file per family, all with the same face."""

import importlib
import json
import pkgutil
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

TINY = "tiny"


def resolve(name_or_path: str | Path) -> str:
    """The folder of the shipped model for ``tiny``; anything else as it is: a folder or a hub name."""
    return str(resources.files("crabplus.assets") / "tiny") if str(name_or_path) == TINY else str(name_or_path)


def load_model(name_or_path: str | Path, size: tuple[int, int], **settings: Any) -> Any:
    """Load a model by its family file.

    Args:
        name_or_path: ``tiny``, a folder, or a hub name; size: width and height of pictures in pixels.
        settings: ``dtype``, ``device``, ``attention``.

    Raises:
        ValueError: no family takes this type of model.
    """
    return family_of(name_or_path).load(resolve(name_or_path), size, **settings)


def load_encoder(name_or_path: str | Path, size: tuple[int, int]) -> Any:
    """The part of a model that makes tensors out of messages; no weights are read. Raises as :func:`load_model`."""
    return family_of(name_or_path).load_encoder(resolve(name_or_path), size)


def load_skeleton(name_or_path: str | Path) -> Any:
    """The model without weights, on the ``meta`` device. Raises as :func:`load_model`."""
    return family_of(name_or_path).skeleton(resolve(name_or_path))


def families() -> dict[str, ModuleType]:
    """Every family file by its name."""
    found = {info.name: importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
    return {name: module for name, module in found.items() if hasattr(module, "MODEL_TYPES")}


def family_of(name_or_path: str | Path) -> ModuleType:
    """The family file whose ``MODEL_TYPES`` names the type in a model's config.

    Raises:
        ValueError: there is none.
    """
    kind = _model_type(resolve(name_or_path))
    for info in pkgutil.iter_modules(__path__):
        family = importlib.import_module(f"{__name__}.{info.name}")
        if kind in getattr(family, "MODEL_TYPES", ()):
            return family
    raise ValueError(f"{name_or_path}: no family file in crabplus.models takes model type {kind!r}")


def _model_type(path: str) -> str:
    config = Path(path) / "config.json"
    if config.is_file():
        return str(json.loads(config.read_text(encoding="utf-8")).get("model_type"))
    if Path(path).is_dir() or str(path)[:1] in "/.~":
        raise ValueError(f"{path}: no config.json in there; name 'tiny', the folder of a model, or a hub name")
    from transformers import AutoConfig

    try:
        return str(AutoConfig.from_pretrained(path).model_type)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: there is no such folder, and the hub gives no such model: {said:.300}") from error

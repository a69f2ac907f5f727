"""Audio-visual language models: one file per family, all with the same face."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import shorten
from types import ModuleType
from typing import Any

TINY = "tiny"
FACE = ("MODEL_TYPES", "PARTS", "UNUSED", "PROVEN", "load", "load_encoder", "skeleton", "saved_dtype", "stacks")
"""What every family file has."""
_TAKEN: dict[str, ModuleType] = {}


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
    """Every family file by its name: those that were taken, those of other packages, and those of this one."""
    return dict(_named())


def family_of(name_or_path: str | Path) -> ModuleType:
    """The family file whose ``MODEL_TYPES`` names the type in a model's config.

    Raises:
        ValueError: there is none.
    """
    kind = _model_type(resolve(name_or_path))
    for _, family in _named(kind):
        if kind in family.MODEL_TYPES:
            return family
    raise ValueError(
        f"{name_or_path}: no family of models takes type {kind!r}; crabplus ls models names those that there are, and "
        "docs/add-a-model.md tells how to add one"
    )


def take(module: ModuleType) -> list[str]:
    """Take the family that a module is, if it is one; returns the types of models that it takes."""
    if not hasattr(module, "MODEL_TYPES"):
        return []
    missing = [name for name in FACE if not hasattr(module, name)]
    if missing:
        raise ValueError(f"{module.__name__}: a family of models also has {', '.join(missing)}")
    _TAKEN[module.__name__.removeprefix("crabplus_plugin_")] = module
    return list(module.MODEL_TYPES)


def _named(kind: str = "") -> Iterator[tuple[str, ModuleType]]:
    """One by one, for importing a family may take seconds; at first those whose name the type begins with."""
    yield from _TAKEN.items()
    for point in entry_points(group="crabplus.models"):
        yield point.name, point.load()
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: not kind.startswith(info.name)):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "MODEL_TYPES"):
            yield info.name, module


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
        said = shorten(str(error), 300, placeholder=" ...")
        raise ValueError(f"{path}: there is no such folder, and the hub gives no such model: {said}") from error

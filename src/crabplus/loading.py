"""Which model and adapter are meant: known without torch, before any weights are read."""

import json
from hashlib import file_digest
from pathlib import Path

from crabplus.models import TINY, resolve

__all__ = ["adapter_for", "base_for", "check_adapter", "origin_of"]


def check_adapter(path: str | Path) -> None:
    """Raise a ValueError if a folder holds no adapter."""
    if not Path(path).is_dir():
        raise ValueError(f"{path}: there is no such folder; an adapter lies in the folder final that training wrote")
    if not (Path(path) / "adapter_config.json").is_file():
        inside = Path(path) / "final"
        named = inside if (inside / "adapter_config.json").is_file() else "the folder final that training wrote"
        raise ValueError(f"{path}: no adapter_config.json in there; name {named}")


def base_for(name_or_path: str | Path | None, adapter: str | Path | None) -> str:
    """The model that is meant: the one named, else that on which the adapter was trained, else the shipped one.

    Raises:
        ValueError: the folder holds no adapter, or its settings name no model.
    """
    if name_or_path is not None:
        return str(name_or_path)
    if adapter is None or str(adapter) == "none":
        return TINY
    check_adapter(adapter)
    file = Path(adapter) / "adapter_config.json"
    base = json.loads(file.read_text(encoding="utf-8")).get("base_model_name_or_path")
    if not base:
        raise ValueError(f"{file} does not tell on which model it was trained; name that (--model)")
    return str(base)


def adapter_for(name_or_path: str | Path, adapter: str | Path | None) -> str | Path:
    """The folder of the adapter that is meant; ``"none"`` for the bare base.

    Raises:
        ValueError: the folder holds no adapter.
    """
    if adapter is None:
        shipped = Path(resolve(name_or_path)) / "adapter"
        return shipped if shipped.is_dir() else "none"
    if str(adapter) != "none":
        check_adapter(adapter)
    return adapter


def origin_of(name_or_path: str | Path, adapter: str | Path) -> dict[str, str]:
    """Which model and adapter these are, without loading them: commit of the hub, hash of the config, of the weights.

    Args:
        name_or_path: as for :meth:`crabplus.CrabPlus.from_pretrained`; adapter: what :func:`adapter_for` gave.
    """
    config = Path(resolve(name_or_path)) / "config.json"
    revision = f"config {_hash(config)}" if config.is_file() else str(_commit(str(name_or_path)))
    weights = Path(adapter) / "adapter_model.safetensors"
    named = f"{Path(adapter).name} {_hash(weights)}" if weights.is_file() else str(adapter)
    return {"model": str(name_or_path), "revision": revision, "adapter": named}


def _commit(name: str) -> str | None:
    from transformers import AutoConfig

    commit: str | None = AutoConfig.from_pretrained(name)._commit_hash
    return commit


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:12]

"""Which model and adapter are meant, and where they run: known before any weights are read."""

from hashlib import file_digest
from pathlib import Path

from crabplus.generate import check_adapter
from crabplus.models import resolve

__all__ = ["adapter_for", "origin_of"]


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

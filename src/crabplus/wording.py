"""Which pack words the questions to a model; known without torch, so that mistakes are told at once."""

from pathlib import Path

from crabplus.models import resolve
from crabplus.tasks.packs import Pack, default_pack, load_pack

__all__ = ["pack_for"]


def pack_for(model: str | Path, pack: str | Path | None = None, adapter: str | Path | None = None) -> Pack:
    """The pack in a file; without one that which lies beside the adapter, or else the model, else the default one."""
    folders = [Path(adapter)] if adapter else []
    beside = [folder / "pack.yaml" for folder in (*folders, Path(resolve(model)))]
    path = pack or next((file for file in beside if file.is_file()), None)
    return load_pack(path) if path else default_pack()

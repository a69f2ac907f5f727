"""Which pack words the questions to a model; known without torch, so that mistakes are told at once."""

from pathlib import Path

from crabplus.models import resolve
from crabplus.tasks.packs import Pack, default_pack, load_pack

__all__ = ["pack_for"]


def pack_for(model: str | Path, pack: str | Path | None = None) -> Pack:
    """The pack in a file; without one that which lies beside a model, else the default one."""
    beside = Path(resolve(model)) / "pack.yaml"
    path = pack or (beside if beside.is_file() else None)
    return load_pack(path) if path else default_pack()

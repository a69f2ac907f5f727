"""crabplus: one audio-visual language model for many tasks at once (Crab+, arXiv 2603.04128)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crabplus.api import CrabPlus

__version__ = "0.1.0"
__all__ = ["CrabPlus", "__version__"]


def __getattr__(name: str) -> Any:
    """Load :class:`CrabPlus` when it is first asked for: it brings torch along, which takes seconds."""
    if name == "CrabPlus":
        from crabplus.api import CrabPlus

        return CrabPlus
    raise AttributeError(f"module 'crabplus' has no attribute {name!r}")

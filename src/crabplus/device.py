"""Where models run."""

import os

__all__ = ["default_device", "no_search"]


def default_device() -> str:
    """The kind of accelerator that this machine has, such as ``cuda`` or ``mps``; ``cpu`` where there is none."""
    import torch

    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found else "cpu"


def no_search() -> None:
    """Tell DeepSpeed, where it is installed, that there is no accelerator: else it says that it has looked for one."""
    if default_device() == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")

"""Where models run."""

__all__ = ["default_device"]


def default_device() -> str:
    """The kind of accelerator that this machine has, such as ``cuda`` or ``mps``; ``cpu`` where there is none."""
    import torch

    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found else "cpu"

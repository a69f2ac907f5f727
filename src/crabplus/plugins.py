"""Python files of other people."""

import importlib.util
from pathlib import Path
from types import ModuleType

__all__ = ["PluginError", "load"]


class PluginError(ValueError):
    """A file that cannot be taken."""


def load(path: str | Path) -> ModuleType:
    """Run a Python file as a module.

    Raises:
        PluginError: no such file, or whatever is wrong in it.
    """
    path = Path(path)
    spec = importlib.util.spec_from_file_location(f"crabplus_plugin_{path.stem}", path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise PluginError(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever is wrong in a file of someone else
        raise PluginError(f"{path}: cannot be taken: {type(error).__name__}: {error}") from error
    return module

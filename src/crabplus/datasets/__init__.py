"""Where samples come from: one file and one class for each original dataset, and the AV-UIE v2 folder (``avuie``).

Datasets are found by listing this folder and the entry points ``crabplus.datasets``; :func:`add_plugin` takes a file.
"""

import difflib
import importlib
import pkgutil
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from crabplus.datasets.base import Dataset, DatasetError
from crabplus.plugins import PluginError, load
from crabplus.tasks import add_task

__all__ = ["DATASETS", "Dataset", "DatasetError", "add_plugin", "get_dataset", "take"]

DATASETS: dict[str, type[Dataset]] = {}
"""Class of each task key."""


def get_dataset(key: str, **options: str) -> Dataset:
    """The dataset of a task key, with the variants that are wanted.

    Raises:
        KeyError: no dataset for the key; the message names the nearest.
        DatasetError: an option or choice that the dataset does not have.
    """
    if key not in DATASETS:
        near = difflib.get_close_matches(key, DATASETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"no dataset for key {key!r}; there is one for {', '.join(DATASETS)}{hint}")
    return DATASETS[key](**options)


def add_plugin(path: str | Path) -> list[str]:
    """Take the datasets of a Python file; returns their keys.

    Raises:
        DatasetError: no such file, or no dataset in it.
    """
    try:
        keys = take(load(path))
    except PluginError as error:
        raise DatasetError(str(error)) from error
    if not keys:
        raise DatasetError(f"{path}: no subclass of crabplus.datasets.Dataset with a key in it")
    return keys


def take(added: ModuleType | type[Dataset]) -> list[str]:
    """Take the datasets that a module defines, or one class."""
    values = [added] if isinstance(added, type) else [
        value for value in vars(added).values() if getattr(value, "__module__", None) == added.__name__
    ]  # fmt: skip
    found = [v for v in values if isinstance(v, type) and issubclass(v, Dataset) and hasattr(v, "key")]
    DATASETS.update({dataset.key: dataset for dataset in found})
    for dataset in found:
        if dataset.task:
            add_task(dataset.task)
    return [dataset.key for dataset in found]


for _info in pkgutil.iter_modules(__path__):
    take(importlib.import_module(f"{__name__}.{_info.name}"))
for _point in entry_points(group="crabplus.datasets"):
    take(_point.load())

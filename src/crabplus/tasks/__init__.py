"""What is asked and what an answer looks like: prompt, target and parser of every task key, together."""

import difflib
import importlib

from crabplus.tasks.base import Pair, Task
from crabplus.tasks.caption import CAPTION
from crabplus.tasks.label import LABEL
from crabplus.tasks.matching import MATCHING
from crabplus.tasks.packs import Pack, default_pack, load_pack
from crabplus.tasks.perception import PERCEPTION
from crabplus.tasks.question import QUESTION
from crabplus.tasks.spatial import SPATIAL
from crabplus.tasks.temporal import TEMPORAL

__all__ = ["TASKS", "Pack", "Pair", "Task", "add_task", "default_pack", "get_task", "load_pack"]

TASKS: dict[str, Task] = {task.key: task for task in (*MATCHING, *LABEL, *QUESTION, *TEMPORAL, *SPATIAL, *CAPTION)}


_ADDED: dict[str, Task] = {}


def add_task(task: Task) -> None:
    """Take a task of a key that is none of the nineteen, from a dataset that brings its own.

    Raises:
        ValueError: the key is one of the nineteen.
    """
    if task.key in TASKS or task.key in PERCEPTION:
        raise ValueError(f"key {task.key!r} has its task already; take another key for another task")
    _ADDED[task.key] = task


def get_task(key: str) -> Task:
    """The task of a key; the perception prompts of a base model and the tasks of added datasets are found too.

    Raises:
        KeyError: no such key; the message names the nearest.
    """
    known = {**TASKS, **PERCEPTION, **_ADDED}
    if key not in known:  # a dataset that is installed beside this package may bring it
        importlib.import_module("crabplus.datasets")
        known.update(_ADDED)
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"unknown task key {key!r}; known: {', '.join(TASKS)}{hint}")
    return known[key]

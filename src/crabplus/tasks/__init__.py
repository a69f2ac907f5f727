"""What is asked and what an answer looks like: prompt, target and parser of every task key, together."""

import difflib

from crabplus.tasks.base import Pair, Task
from crabplus.tasks.caption import CAPTION
from crabplus.tasks.label import LABEL
from crabplus.tasks.matching import MATCHING
from crabplus.tasks.packs import Pack, default_pack, load_pack
from crabplus.tasks.perception import PERCEPTION
from crabplus.tasks.question import QUESTION
from crabplus.tasks.spatial import SPATIAL
from crabplus.tasks.temporal import TEMPORAL

__all__ = ["TASKS", "Pack", "Pair", "Task", "default_pack", "get_task", "load_pack"]

TASKS: dict[str, Task] = {task.key: task for task in (*MATCHING, *LABEL, *QUESTION, *TEMPORAL, *SPATIAL, *CAPTION)}


def get_task(key: str) -> Task:
    """The task of a key; the perception prompts of a base model are found too.

    Raises:
        KeyError: no such key; the message names the nearest.
    """
    known = {**TASKS, **PERCEPTION}
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"unknown task key {key!r}; known: {', '.join(TASKS)}{hint}")
    return known[key]

"""Which single-task run is compared with which multi-task run, and which of them are not there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, NamedTuple

from crabplus.analysis.runs import Run, RunsError
from crabplus.tasks import TASKS

__all__ = ["Lack", "Pairing", "pair"]


class Lack(NamedTuple):
    """Something that cannot be compared: ``kind`` is ``single-task`` or ``multi-task``; no key: all."""

    key: str | None
    method: str
    seed: int
    kind: str
    why: str
    folder: str | None = None


@dataclass(frozen=True)
class Pairing:
    """The runs by what they are compared in.

    Attributes:
        singles: the baseline: single-task runs by key, group and seed.
        methods: multi-task runs by the column of the report that they belong to.
        notes: on runs that are used in no comparison.
    """

    baseline: str
    singles: Mapping[tuple[str, Any, int], Run]
    methods: Mapping[str, Sequence[Run]]
    notes: tuple[str, ...]

    @property
    def used(self) -> list[Run]:
        """All runs that are compared."""
        return [*self.singles.values(), *(run for runs in self.methods.values() for run in runs)]

    def singles_of(self, method: str) -> list[Run]:
        """The single-task runs of the same reasoning and model as a method."""
        return [run for (_, group, _), run in self.singles.items() if group == self._first(method).group]

    def baseline_of(self, method: str) -> str:
        """Name of the single-task runs that a method is compared with."""
        return replace(self._first(method), method=self.baseline).column

    def _first(self, method: str) -> Run:
        """A run of the method; all have the same group."""
        return self.methods[method][0]

    def keys_of(self, method: str) -> list[str]:
        """Keys that are trained alone or in a run of the method, in the order of the tasks."""
        runs = [*self.singles_of(method), *self.methods[method]]
        keys, order = dict.fromkeys(key for run in runs for key in run.keys), list(TASKS)
        return sorted(keys, key=lambda key: order.index(key) if key in order else len(order))

    def seeds_of(self, method: str) -> list[int]:
        """Seeds of the runs of a method."""
        return sorted({run.seed for run in self.methods[method]})

    def sides(self, method: str, key: str, seed: int) -> tuple[Run | Lack, Run | Lack]:
        """The single-task and the multi-task run of a key, or what is not there."""
        single = self.singles.get((key, self._first(method).group, seed))
        multi = next((run for run in self.methods[method] if run.seed == seed and key in run.keys), None)
        return (
            single or Lack(key, self.baseline_of(method), seed, "single-task", "there is no such run"),
            multi or Lack(key, method, seed, "multi-task", "no run of this seed was trained on the key"),
        )

    def unmatched(self) -> list[Lack]:
        """Seeds of single-task runs that a method has no run of."""
        return [
            Lack(None, method, seed, "multi-task", "there is no such run, and there are single-task runs of this seed")
            for method in self.methods
            for seed in sorted({run.seed for run in self.singles_of(method)} - set(self.seeds_of(method)))
        ]


def pair(runs: Iterable[Run], baseline: str) -> Pairing:
    """Put runs where they belong.

    Args:
        baseline: method of the single-task runs; where none of the same group has this name, the kind of their
            adapter. Where single-task runs start from several models, others are compared with those of their own.

    Raises:
        RunsError: no run of one of the two sorts, or two of one place; names the folders.
    """
    runs = _with_bases(list(runs))
    alone, joint = [run for run in runs if run.single], [run for run in runs if not run.single]
    chosen = _baseline(alone, baseline)
    if not joint:
        raise RunsError("there are single-task runs only; name runs that were trained on several keys, too")
    singles: dict[tuple[str, str, int], Run] = {}
    for run in chosen:
        _put(singles, (run.keys[0], run.group, run.seed), run)
    methods: dict[str, list[Run]] = {}
    taken: dict[tuple[Any, ...], Run] = {}
    for run in joint:
        methods.setdefault(run.column, []).append(run)
        for key in run.keys:
            _put(taken, (key, run.column, run.seed), run)
    unused = [run.column for run in alone if run not in chosen]
    notes = [
        f"{unused.count(name)} single-task runs of {name} are not compared; --baseline takes them as the baseline"
        for name in dict.fromkeys(unused)
    ]
    return Pairing(baseline, singles, methods, tuple(notes))


def _with_bases(runs: list[Run]) -> list[Run]:
    """The runs, told apart by their models if those on one key start from several."""
    if len({run.model for run in runs if run.single and run.model}) < 2:
        return runs
    words = {run.model or "": PurePath(run.model or "no known model").name for run in runs}
    unique = len(set(words.values())) == len(words)
    return [replace(run, base=words[run.model or ""] if unique else run.model) for run in runs]


def _baseline(alone: Sequence[Run], baseline: str) -> list[Run]:
    if not alone:
        raise RunsError("no run was trained on one key alone, and these are what the others are compared with")
    chosen = []
    for group in dict.fromkeys(run.group for run in alone):
        same = [run for run in alone if run.group == group]
        chosen += [run for run in same if run.method == baseline] or [run for run in same if run.kind == baseline]
    if not chosen:
        known = ", ".join(dict.fromkeys(run.method for run in alone))
        raise RunsError(f"no single-task run of {baseline!r}; there are those of {known}: name one with --baseline")
    return chosen


def _put(places: dict[Any, Run], place: tuple[Any, ...], run: Run) -> None:
    if other := places.get(place):
        raise RunsError(
            f"{other.folder} and {run.folder} are both runs of {run.column} on {place[0]} with seed {run.seed}; name "
            f"one of them, or give one another method in its cell.json"
        )
    places[place] = run

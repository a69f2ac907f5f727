"""What can be known to be wrong with a suite before its first cell is trained."""

from collections.abc import Sequence

from crabplus.analysis.suite import SuiteCell
from crabplus.config import ConfigError
from crabplus.data import Folder
from crabplus.data.scan import Track, missing_file, untracked
from crabplus.schema import Sample
from crabplus.train import check

__all__ = ["asked_of", "check_suite"]


def check_suite(cells: Sequence[SuiteCell], track: Track = untracked) -> None:
    """Check settings, data and model as ``crabplus train`` does, of cells that between them have every key and method.

    Raises:
        ConfigError: what is wrong, with the method; what to do.
    """
    for cell in _chosen(cells):
        try:
            check(cell.config, track, fresh=True, save=False)
            for key in cell.keys:
                asked_of(cell, key)
        except (ValueError, OSError) as error:
            raise ConfigError(f"{cell.method}: {error}") from error


def _chosen(cells: Sequence[SuiteCell]) -> list[SuiteCell]:
    """The cells of most keys until each key is among them, then the shortest of each method that is not."""
    chosen: list[SuiteCell] = []
    for cell in sorted(cells, key=lambda cell: -len(cell.keys)):
        if not set(cell.keys) <= {key for other in chosen for key in other.keys}:
            chosen.append(cell)
    for cell in sorted(cells, key=lambda cell: len(cell.keys)):
        if cell.method not in {other.method for other in chosen}:
            chosen.append(cell)
    return chosen


def asked_of(cell: SuiteCell, key: str) -> Sequence[Sample]:
    """The samples of a key that a cell is asked.

    Raises:
        ConfigError: there are none, or some whose media are not there.
    """
    data = cell.config.data
    try:
        found = Folder(data.folder, [key], cell.ask.split)[: cell.ask.samples]
    except FileNotFoundError as error:
        raise ConfigError(f"ask.split: {error}") from error
    if not found:
        raise ConfigError(f"ask.split: {key}/{cell.ask.split} holds no sample; build it, or leave {key} out")
    if data.unreadable == "stop":
        refuse(key, {sample.id: missing_file(sample, data.folder) for sample in found})
    return found


def refuse(key: str, problems: dict[str, str | None]) -> None:
    """Raise if there are samples that cannot be asked, unless all are None."""
    told = {name: problem for name, problem in problems.items() if problem is not None}
    if told:
        name, problem = next(iter(told.items()))
        raise ConfigError(
            f"{len(told)} of {len(problems)} samples of {key} cannot be asked, such as {name!r}: {problem}; mend the "
            "media, take such samples out of the index, or count them as wrong with base.data.unreadable=out"
        )

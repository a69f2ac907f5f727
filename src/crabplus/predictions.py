"""The file of predictions: lines are added as answers come, and stand in the order of the data at the end.

Of several processes the first adds to the file itself and process r to ``<file>.rank<r>`` beside it. Whatever ends a
run, what was written is kept, and another run goes on from it, with any number of processes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from crabplus.schema import Prediction, SchemaError, from_json, to_json
from crabplus.whole import write_lines

__all__ = ["Line", "Name", "PredictionFile", "PredictionsError"]

Name = tuple[str, str]
"""Task key and id."""
_REMEDY = "name another file (--out), or begin anew (--overwrite)"


class PredictionsError(ValueError):
    """A file of predictions that a run cannot go on with; the message says why and what to do."""


class Line(NamedTuple):
    """A line of the file: its text, and what is asked of it."""

    text: str
    settings: dict[str, Any]
    error: bool
    unparsable: bool


class PredictionFile:
    """What a run has answered so far.

    Args:
        path: of the file; names: all samples that are asked, in the order of the data.

    Attributes:
        lines: what was there at the last :meth:`read`.

    Raises:
        PredictionsError: two samples of one name.
    """

    def __init__(self, path: str | Path, names: Sequence[Name]) -> None:
        self.path, self.names, self.lines = Path(path), list(names), dict[Name, Line]()
        self._known = Counter(self.names)
        for (key, name), count in self._known.most_common(1):
            if count > 1:
                raise PredictionsError(f"{key}: id {name!r} stands {count} times in the data; predictions go by it")

    def read(self) -> None:
        """Read the file and the parts beside it; a last line that was cut off counts as not there.

        Raises:
            PredictionsError: a line that is no prediction; names file and line.
        """
        self.lines.clear()
        for part in (self.path, *self._parts()):
            for number, text in _lines(part):
                try:
                    made = from_json(text, Prediction)
                except SchemaError as error:
                    raise PredictionsError(f"{part}, line {number}: {error}; {_REMEDY}") from error
                unparsable = made.answer is None and made.error is None
                line = Line(text, made.settings, made.error is not None, unparsable)
                self.lines.setdefault((made.task, made.id), line)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise if what was read is not of these samples, or was made with other settings.

        Raises:
            PredictionsError: names the sample or the setting.
        """
        for (key, name), line in self.lines.items():
            if (key, name) not in self._known:
                raise PredictionsError(f"{self.path} holds {key} {name!r}, which is not asked for; {_REMEDY}")
            for setting, wanted in settings.items():
                if (found := line.settings.get(setting)) != wanted:
                    raise PredictionsError(
                        f"{self.path} was made with {setting} {found!r}, and {wanted!r} is asked for; {_REMEDY}"
                    )

    def forget_errors(self) -> None:
        """Take the samples that have an error as not answered."""
        self.lines = {name: line for name, line in self.lines.items() if not line.error}

    def remaining(self) -> list[int]:
        """Which samples have no line, by their number."""
        return [number for number, name in enumerate(self.names) if name not in self.lines]

    def add(self, made: Iterable[Prediction], rank: int = 0) -> Iterator[Prediction]:
        """The predictions of a process, each written before it is passed on."""
        with self._part(rank).open("a", encoding="utf-8", newline="\n") as file:
            for prediction in made:
                file.write(f"{to_json(prediction)}\n")
                file.flush()
                yield prediction

    def gather(self) -> None:
        """Write what was read as one file, in the order of the data; the parts are then taken away."""
        write_lines(self.path, (self.lines[name].text for name in self.names if name in self.lines))
        for part in self._parts():
            part.unlink()

    def summary(self) -> str:
        """How many predictions were read, and how many are none."""
        errors, unparsable = (sum(getattr(line, kind) for line in self.lines.values()) for kind in Line._fields[2:])
        return f"{len(self.lines)} predictions in {self.path}: {errors} with an error, {unparsable} unparsable"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other commands from the file; the system frees it when this process ends, however that is.

        Raises:
            PredictionsError: another one has it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise PredictionsError(f"{self.path}: another command writes to it; wait, or name another --out") from error
        try:
            yield
        finally:
            lock.release()

    def _part(self, rank: int) -> Path:
        return self.path.with_name(f"{self.path.name}.rank{rank}") if rank else self.path

    def _parts(self) -> list[Path]:
        """The parts of further processes that are there."""
        begin = f"{self.path.name}.rank"
        found = [path for path in self.path.parent.iterdir() if path.name.startswith(begin)]
        return sorted(path for path in found if path.name.removeprefix(begin).isdecimal())


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The whole lines of a file that may not be there, with their numbers from 1."""
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith("\n") and line.strip():
                    yield number, line.rstrip("\n")

"""What teachers wrote, a line of JSON for each call, only ever added to: no answer is paid for twice."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType


@dataclass(frozen=True)
class Entry:
    """One call of a teacher.

    Attributes:
        id, teacher: sample and who was asked; attempt: from 1.
        text: what was written; None where the call failed, then ``error`` says how.
        problems: why it may not stand; accepted where there are none and no error.
        tokens_in, tokens_out: what was used, as the teacher says; cost: in the currency of the price list.
    """

    id: str
    teacher: str
    attempt: int
    text: str | None = None
    error: str | None = None
    problems: tuple[str, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the text may stand."""
        return self.text is not None and not self.problems


class Journal:
    """The entries of a file; every added one is on disk before :meth:`add` returns."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.entries = list(_read(self.path))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut = self.path.is_file() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
        self._file = self.path.open("a", encoding="utf-8")
        if cut:  # the last line was being written when a run was ended
            self._file.write("\n")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, entry: Entry) -> None:
        """Keep an entry."""
        self._file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
        self._file.flush()
        self.entries.append(entry)

    @property
    def cost(self) -> float:
        """What all calls cost so far."""
        return sum(entry.cost for entry in self.entries)

    def of(self, name: str) -> list[Entry]:
        """The entries of a sample, in order."""
        return [entry for entry in self.entries if entry.id == name]


def _read(path: Path) -> Iterator[Entry]:
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                made = json.loads(line)
                yield Entry(**{**made, "problems": tuple(made["problems"])})
            except (ValueError, TypeError, KeyError):
                continue

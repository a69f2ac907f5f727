"""What teachers wrote, a line of JSON for each call, only ever added to: no answer is paid for twice."""

import json
import os
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
    """The entries of a file and what they cost; every added one is on disk before :meth:`add` returns."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _end_cleanly(self.path)
        self.entries = list(_read(self.path))
        self.cost = sum(entry.cost for entry in self.entries)
        self._file = self.path.open("a", encoding="utf-8")

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
        self.cost += entry.cost

    def by_sample(self, teacher: str) -> dict[str, list[Entry]]:
        """What a teacher wrote for each sample, in order."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.teacher == teacher:
                found.setdefault(entry.id, []).append(entry)
        return found


def _end_cleanly(path: Path) -> None:
    """Take away a last line that was being written when a run was ended."""
    if path.is_file():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)


def _read(path: Path) -> Iterator[Entry]:
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                made = json.loads(line)
                yield Entry(**{**made, "problems": tuple(made["problems"])})
            except (ValueError, TypeError, KeyError):
                continue

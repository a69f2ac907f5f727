"""What every dataset offers: the samples of its official splits, read from the original files, and its origin."""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pydantic import ValidationError

from crabplus.schema import Sample
from crabplus.tasks import Task

FOLDER = "any folder below the root"
"""Among the choices of an option: the name of a folder is taken too, whatever it is."""
VIDEOS = (".mp4", ".avi", ".mkv", ".webm", ".mov", ".flv")


class DatasetError(ValueError):
    """Original files that are missing or not as expected; the message names file, line and remedy."""


class Dataset(ABC):
    """The samples of one task key, out of one dataset as its authors publish it.

    Attributes:
        key: task key; name: of the dataset; homepage, paper, licence: where it comes from and what may be done with it
            ("not stated" where its authors say nothing).
        splits: official splits with their number of samples; None where that number could not be established.
        untold: splits whose truth the original files do not hold; their samples have no answer.
        options: variants in use, each with its choices; the first is the default.
        needs: what lies in the root folder, in words, for the error when it does not.
        task: the task of a key that is none of the nineteen, from a family class of ``crabplus.tasks``.
    """

    key: ClassVar[str]
    name: ClassVar[str]
    homepage: ClassVar[str]
    paper: ClassVar[str]
    licence: ClassVar[str] = "not stated"
    splits: Mapping[str, int | None]
    untold: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    needs: ClassVar[str]
    task: ClassVar[Task | None] = None

    def __init__(self, **chosen: str) -> None:
        for option, choice in chosen.items():
            known = self.options.get(option)
            if known is None:
                raise DatasetError(
                    f"{self.name}: no option {option!r}; options are {', '.join(self.options) or 'none'}"
                )
            path = PurePosixPath(choice)
            if choice not in known and (FOLDER not in known or not choice or path.is_absolute() or ".." in path.parts):
                raise DatasetError(f"{self.name}: {option} is one of {', '.join(known)}, not {choice!r}")
        self.chosen = {option: chosen.get(option, known[0]).rstrip("/") for option, known in self.options.items()}
        self.notes: list[str] = []
        self._names: dict[str, int] = {}

    def read(self, root: str | Path, split: str) -> Iterator[Sample]:
        """The samples of a split, in the order of the original files; media paths are relative to ``root``.

        What the original files hold and no sample shows (rows of no split, doubled rows) is told in ``notes``.

        Raises:
            DatasetError: an unknown split, a missing file, a row that is not as expected.
        """
        if split not in self.splits:
            raise DatasetError(f"{self.name} has no split {split!r}; it has {', '.join(self.splits)}")
        if not Path(root).is_dir():
            raise DatasetError(f"{root} is no folder; {self.name} needs one with {self.needs}")
        self.notes.clear()
        self._names.clear()
        try:
            yield from self.samples(Path(root), split)
        except ValidationError as error:
            first = error.errors()[0]
            raise DatasetError(f"{self.name}, {split}: {first['msg']}, got {first['input']!r:.80}") from error

    @abstractmethod
    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """The samples of a known split."""

    def sample(self, name: str, split: str, **fields: Any) -> Sample:
        """A sample of this dataset."""
        return Sample(id=name, dataset=self.name, task=self.key, split=split, **fields)

    def distinct(self, name: str) -> str:
        """The name and, where a sample has it already, with ``-2``, ``-3`` and so on behind it."""
        self._names[name] = count = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}-{count}"

    def note(self, count: int, what: str) -> None:
        """Tell of ``count`` rows (or whatever it is) that no sample shows; nothing where there are none."""
        if count:
            self.notes.append(f"{count} {what}")

    def place(self, root: Path, name: str, *folders: str) -> str:
        """The path of a media file in the first folder that has it; in the first one where none has."""
        paths = [f"{folder}/{name}" if folder else name for folder in folders]
        return next((path for path in paths if (root / path).is_file()), paths[0])

    def find(self, root: Path, *names: str) -> Path:
        """The first of some files that is there."""
        for name in names:
            if (root / name).is_file():
                return root / name
        raise DatasetError(f"{self.name}: {' or '.join(names)} is not in {root}; it needs {self.needs}")

    def once(self, path: Path, rows: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
        """Rows of line, clip and label without those that stand twice, which ``notes`` tells.

        Raises:
            DatasetError: a clip has two labels.
        """
        seen, doubled = dict[str, str](), 0
        for line, clip, label in rows:
            if clip not in seen:
                seen[clip] = label
                yield line, clip, label
            elif label == seen[clip]:
                doubled += 1
            else:
                raise DatasetError(f"{path}, line {line}: {clip} is {label!r} here and {seen[clip]!r} further up")
        self.note(doubled, "rows that stand twice: each read once")

    def clips(self, root: Path, folder: str) -> dict[str, str]:
        """Videos in a folder and below it: path relative to the root, by name without ending; none if it is not there.

        For original files whose folders or endings are not established, or were changed by who keeps them.
        """
        found = sorted(path for path in (root / folder).rglob("*") if path.suffix.lower() in VIDEOS)
        return {path.stem: path.relative_to(root).as_posix() for path in found}

    def heard(self, root: Path, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The samples whose first file has a sound track, found by opening each; ``notes`` tells the others."""
        from crabplus.media import MediaError, probe  # decoding is needed by those alone who ask for it

        silent = unread = 0
        for sample in samples:
            try:
                has_sound = probe(root / sample.media[0].path).has_sound
            except MediaError:
                unread, has_sound = unread + 1, True
            silent += not has_sound
            if has_sound:
                yield sample
        self.note(silent, "clips without a sound track: left out")
        self.note(unread, "clips that are missing or cannot be read, so that nothing tells whether they sound: kept")


def read_rows(path: Path, delimiter: str = ",", header: Sequence[str] = (), fields: int | None = None,
              quoted: bool = True) -> Iterator[tuple[int, list[str]]]:  # fmt: skip
    """Rows of a table with their line numbers from 1; empty lines and a first line that is the header are passed over.

    Args:
        header: how the header begins, if there may be one; fields: how many a row has, None for any number.
        quoted: whether ``"`` quotes.

    Raises:
        DatasetError: another number of fields; names file and line.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
        for number, row in enumerate(_decoded(table, path)):
            if not row or (not number and header and [cell.strip() for cell in row[: len(header)]] == list(header)):
                continue
            if fields is not None and len(row) != fields:
                raise DatasetError(f"{path}, line {table.line_num}: {fields} fields wanted, got {len(row)}: {row}")
            yield table.line_num, row


def _decoded(table: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    try:
        yield from table
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: no table of text: {error}") from error


def read_table(path: Path, *columns: str, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table with a header, as name to cell, with their line numbers; these columns have to be there.

    Raises:
        DatasetError: a column is missing, or a row has another number of fields than the header.
    """
    rows = read_rows(path, delimiter)
    _, header = next(rows, (0, []))
    if missing := [name for name in columns if name not in header]:
        raise DatasetError(f"{path}: no column {', '.join(missing)} among {', '.join(header) or 'none'}")
    for line, row in rows:
        if len(row) != len(header):
            raise DatasetError(f"{path}, line {line}: {len(header)} fields wanted, got {len(row)}: {row}")
        yield line, dict(zip(header, row, strict=True))


def read_json(path: Path, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    """What a JSON file holds, which is a list or an object.

    Raises:
        DatasetError: no JSON, or the other of the two.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, kind):
        raise DatasetError(f"{path}: a {kind.__name__} wanted, got a {type(content).__name__}")
    return content

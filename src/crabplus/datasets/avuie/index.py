"""Our own index of samples, ``<key>/<split>.jsonl``: written whole, opened at once, parsed sample by sample."""

import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from crabplus.schema import Sample, SchemaError, from_json, to_json
from crabplus.whole import write_lines


class Index(Sequence[Sample]):
    """The samples of an index file, each parsed when it is asked for; the file is mapped, not read.

    Raises:
        SchemaError: when a sample is asked for whose line is none; names file and line.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self.path.open("rb") as file:
            empty = os.fstat(file.fileno()).st_size == 0
            self._map = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        ends = np.flatnonzero(np.frombuffer(self._map, np.uint8) == ord("\n")) if not empty else np.empty(0, np.int64)
        if not empty and (not len(ends) or ends[-1] != len(self._map) - 1):
            ends = np.append(ends, len(self._map))
        starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        kept = ends > starts  # lines without anything on them are none
        self._lines = np.flatnonzero(kept) + 1
        self._starts, self._ends = starts[kept].astype(np.int64), ends[kept].astype(np.int64)

    def __reduce__(self) -> tuple[type["Index"], tuple[Path]]:
        return type(self), (self.path,)  # a map of a file does not travel to another process; its path does

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, number: int) -> Sample: ...
    @overload
    def __getitem__(self, number: slice) -> list[Sample]: ...
    def __getitem__(self, number: int | slice) -> Sample | list[Sample]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        n = range(len(self))[number]
        line = self._map[int(self._starts[n]) : int(self._ends[n])]
        try:
            return from_json(line, Sample)
        except SchemaError as error:
            raise SchemaError(f"{self.path}, line {self._lines[n]}: {error}") from error

    def __iter__(self) -> Iterator[Sample]:
        return (self[n] for n in range(len(self)))


def write_index(path: str | Path, samples: Iterable[Sample]) -> Path:
    """Write an index; it appears whole or not at all."""
    return write_lines(Path(path), map(to_json, samples))

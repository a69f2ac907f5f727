"""The AV-UIE v2 folder: an index of every key and split, and media files beside it.

An index is ``<key>/<split>.jsonl`` with a sample a line, which holds all that we know of a sample, or the published
``<key>/<split>.json`` (:mod:`~crabplus.datasets.avuie.published`). Both are read; where both are there, the first is.
Paths in a sample are relative to the folder.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from crabplus.datasets.avuie.index import Index, write_index
from crabplus.datasets.avuie.published import is_published, published_path, read_published, write_published
from crabplus.schema import Sample

__all__ = [
    "Index",
    "index_path",
    "is_published",
    "open_index",
    "published_path",
    "read",
    "read_published",
    "write",
    "write_published",
]


def index_path(root: str | Path, key: str, split: str) -> Path:
    """Where the index of a key and split is."""
    return Path(root) / key / f"{split}.jsonl"


def write(root: str | Path, key: str, split: str, samples: Iterable[Sample]) -> Path:
    """Write an index; it appears whole or not at all."""
    return write_index(index_path(root, key, split), samples)


def read(root: str | Path, key: str, split: str) -> Iterator[Sample]:
    """The samples of a key and split, one by one; raises as :func:`open_index`."""
    yield from open_index(root, key, split)


def open_index(root: str | Path, key: str, split: str) -> Sequence[Sample]:
    """The samples of a key and split, by number; it travels by pickle.

    Raises:
        FileNotFoundError: there is no such index; names those that are there.
        SchemaError: a line that is no sample, a record that is none; names file and line or record.
    """
    path = index_path(root, key, split)
    if path.is_file():
        return Index(path)
    if published_path(root, key, split).is_file():
        return list(read_published(root, key, split))
    if not Path(root).is_dir():
        raise FileNotFoundError(f"{root}: no such data folder")
    found = sorted(item.relative_to(root).as_posix() for item in Path(root).glob("*/*.json*"))
    raise FileNotFoundError(f"{path} is not there; {root} holds {', '.join(found) or 'no index'}")

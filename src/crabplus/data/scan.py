"""A look at every sample before training: is there an answer, are the media there, how long will it be?"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.datasets.avuie import index_path, published_path
from crabplus.schema import Media, Sample
from crabplus.tasks import Pack, get_task
from crabplus.whole import write_whole

Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Passes an iterable on while it shows progress under a heading, out of a total."""


def untracked(items: Iterable[Any], heading: str, total: int) -> Iterable[Any]:
    """Shows nothing."""
    return items


TOKENS = ("text", "target", "image", "video", "audio")
SENSES = ("picture", "film", "sound")
_SHOWN = 3  # problems that are told one by one


class DataError(ValueError):
    """Samples that cannot be learned from; the message names them."""


@dataclass
class Scan:
    """What was found, sample by sample.

    Attributes:
        tokens: (N, 5) tokens of each sample, by kind as in :data:`TOKENS`; kinds: (N,) bits for image, video, audio.
        lacking: for each key, how many samples lack a sense that the key needs.
    """

    tokens: NDArray[np.int64]
    lacking: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """All tokens of each sample."""
        return self.tokens.sum(1)

    @property
    def kinds(self) -> NDArray[np.int64]:
        """A number for the modalities that each sample has."""
        return (self.tokens[:, 2:] > 0) @ np.array([1, 2, 4])


def scan(
    encoder: Any, samples: Sequence[Sample], root: str | Path, pack: Pack, reasoning: bool, longest: int | None,
    track: Track, lost: bool = False,
) -> Scan:  # fmt: skip
    """Look at all samples; no media file is opened. With ``lost`` files that are not there are no problem.

    Raises:
        DataError: samples without answer, with an answer that cannot be written, with missing files, or that are longer
            than ``longest`` tokens; names some and counts all. A key none of whose samples has what it needs.
    """
    rows, problems, files = np.zeros((len(samples), len(TOKENS)), np.int64), _Problems(), dict[str, bool]()
    lacking: dict[str, dict[str, int]] = {}
    sizes: dict[str, int] = {}
    for number in track(range(len(samples)), "looking at samples", len(samples)):
        sample = samples[number]
        sizes[sample.task] = sizes.get(sample.task, 0) + 1
        for sense in _lacks(sample):
            lacking.setdefault(sample.task, dict.fromkeys(SENSES, 0))[sense] += 1
        problem = None if lost else missing_file(sample, root, files)
        if problem is None:
            rows[number], problem = _count(encoder, sample, pack, reasoning)
        if problem is None and longest and rows[number].sum() > longest:
            problem = f"{rows[number].sum()} tokens are more than data.longest {longest}"
        problems.add(sample, problem)
    problems.tell()
    _need(lacking, sizes)
    return Scan(rows, lacking)


def _count(encoder: Any, sample: Sample, pack: Pack, reasoning: bool) -> tuple[Any, str | None]:
    task = get_task(sample.task)
    try:
        counts = encoder.count(task.prompt(sample, pack, reasoning), task.target(sample, pack, reasoning), pack.longest)
    except ValueError as error:
        return 0, str(error).removeprefix(f"{sample.id}: ")
    return [counts[name] for name in TOKENS], None


def missing_file(sample: Sample, root: str | Path, seen: dict[str, bool] | None = None) -> str | None:
    """In words which media file of a sample is not there; ``seen`` keeps what is known of files."""
    seen = {} if seen is None else seen
    for media in sample.media:
        path = Path(root, media.path)
        if media.path not in seen:
            seen[media.path] = os.path.isfile(path)
        if not seen[media.path]:
            return f"media file {path} is not there"
    return None


def _lacks(sample: Sample) -> set[str]:
    """What the task of a sample needs and its media do not have."""
    return set(get_task(sample.task).needs) - {sense for media in sample.media for sense in _senses(media)}


def _senses(media: Media) -> set[str]:
    if media.kind == "image":
        return {"picture"}
    sound = {"sound"} if media.sound == "track" else set()
    return sound | ({"picture", "film"} if media.kind == "video" else set())


def _need(lacking: Mapping[str, Mapping[str, int]], sizes: Mapping[str, int]) -> None:
    """Raise if a key has no sample at all with what it needs."""
    for key, senses in lacking.items():
        for sense, count in senses.items():
            if count == sizes[key]:
                raise DataError(f"{key} needs {sense}, and none of its {count} samples has any; leave {key} out")


class _Problems:
    """The first problems in words, and how many there are."""

    def __init__(self) -> None:
        self.count, self.words = 0, list[str]()

    def add(self, sample: Sample, problem: str | None) -> None:
        if problem is not None:
            self.count += 1
            if len(self.words) < _SHOWN:
                self.words.append(f"{sample.task} sample {sample.id!r}: {problem}")

    def tell(self) -> None:
        if self.count:
            more = f"; and {self.count - len(self.words)} more" if self.count > len(self.words) else ""
            raise DataError("; ".join(self.words) + more)


def fingerprint(root: str | Path, keys: Iterable[str], split: str) -> dict[str, str]:
    """Of each key, a hash of its index file."""
    made = {}
    for key in keys:
        own = index_path(root, key, split)
        with (own if own.is_file() else published_path(root, key, split)).open("rb") as file:
            made[key] = file_digest(file, "sha256").hexdigest()[:16]
    return made


def load_scan(path: Path, mark: str) -> Scan | None:
    """A scan that was saved under the same mark, if there is one."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as saved:
        if str(saved["mark"]) != mark:
            return None
        table = saved["lacking"]
        keys = [str(key) for key in saved["keys"]]
        lacking = {key: dict(zip(SENSES, map(int, row), strict=True)) for key, row in zip(keys, table, strict=True)}
        return Scan(saved["tokens"], lacking)


def save_scan(path: Path, made: Scan, mark: str) -> None:
    """Save a scan, whole or not at all."""
    table = np.array([[row[sense] for sense in SENSES] for row in made.lacking.values()]).reshape(-1, len(SENSES))
    content = BytesIO()
    np.savez_compressed(content, tokens=made.tokens, lacking=table, keys=np.array(list(made.lacking), str), mark=mark)
    write_whole(path, content.getvalue())


def mark_of(*parts: Any) -> str:
    """A mark that changes with any of the parts."""
    return sha256(repr(parts).encode()).hexdigest()[:16]

"""From original files to an AV-UIE v2 folder: an index for each split, media looked at once, and what came of it."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from crabplus.datasets.avuie import Index, index_path, is_published, write, write_published
from crabplus.datasets.base import Dataset, DatasetError
from crabplus.datasets.medialist import Entry, Spread, Track, look
from crabplus.schema import Answer, EventsAnswer, Media, Sample
from crabplus.tasks import get_task

Place = Literal["reference", "link", "copy"]
_PATH = re.compile(rb'"path":"((?:[^"\\]|\\.)*)"')
_SOURCE = re.compile(r"(?:null_[cm]-)?([\w-]{11})(?:_[\d.]+)*$")


@dataclass
class Counts:
    """What became of the samples of a split: ``official`` is None where their number is not established.

    ``missing``, ``unreadable`` and ``silent`` count samples with a media file that is not there, cannot be read, or
    has no sound where the task needs it; ``written`` those in the index.
    """

    official: int | None
    found: int = 0
    missing: int = 0
    unreadable: int = 0
    silent: int = 0
    written: int = 0


@dataclass
class Built:
    """What a build found out: counts per split, notes of the dataset, and clips that splits share."""

    splits: dict[str, Counts] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def build(
    dataset: Dataset, root: Path, out: Path, splits: Sequence[str] = (), *, place: Place = "reference",
    probe: bool = True, keep: bool = False, published: bool = False, shard: tuple[int, int] = (0, 1), workers: int = 2,
    track: Track = lambda items, heading, total: iter(items), spread: Spread | None = None,
) -> Built:  # fmt: skip
    """Write the index of some splits, by default of all.

    A run that was ended goes on where it was, and gives the same files. Media are looked at before an index is written.

    Args:
        root: folder of the original files; out: AV-UIE v2 folder.
        place: whether media are named where they are, linked or copied into ``out``.
        probe: look at every media file; else none is, and all samples are written.
        keep: write also samples whose media are missing or cannot be read.
        published: write the published layout too.
        shard: which of how many parts to build; :func:`merge` joins them.
        workers: how many files are looked at at a time; spread: looks at them in place of threads, see
            :func:`crabplus.datasets.medialist.look`.

    Raises:
        DatasetError: original files that are missing or not as expected.
    """
    made = Built()
    for split in splits or tuple(dataset.splits):
        counts = made.splits[split] = Counts(dataset.splits.get(split))
        block = _block(dataset, root, split, shard)
        notes = list(dataset.notes)  # of the whole split, where a part alone is read next
        seen = _look(dataset, root, out, split, block, shard, workers, track, spread) if probe else None
        samples = _kept(_part(dataset, root, split, block), seen, keep, counts)
        name = split if shard[1] == 1 else f"{split}.{shard[0] + 1}-of-{shard[1]}"
        reasoning = _reasoning(index_path(out, dataset.key, name))
        placed = (_reasoned(_placed(sample, root, out, place), reasoning) for sample in samples)
        path = write(out, dataset.key, name, placed)
        made.notes += [f"{split}: {note}" for note in notes or dataset.notes]
        if published and shard[1] == 1:
            made.notes += _publish(out, dataset, split, Index(path))
        made.errors += [problem for entry in (seen or {}).values() if (problem := _problem(entry))]
        made.notes += _late(Index(path), split)
    made.shared = shared_sources(out)
    return made


def _problem(entry: Entry) -> str:
    """What is wrong with a media file; empty if nothing is."""
    return f"{entry.path}: is not there" if entry.bytes is None else entry.error or ""


def _late(index: Index, split: str) -> list[str]:
    """How many samples have an event behind the end of their clip, by more than a second."""
    late = 0
    for sample in index:
        ends = [item.duration for item in sample.media if item.duration is not None]
        events = sample.answer.events if isinstance(sample.answer, EventsAnswer) else ()
        late += bool(ends) and any(event.end > max(ends) + 1 for event in events)
    return [f"{split}: {late} samples with an event behind the end of their clip: kept"] if late else []


def _publish(out: Path, dataset: Dataset, split: str, index: Index) -> list[str]:
    """Write the published layout where it can hold the split; else the reason."""
    if not is_published(dataset.key, split):
        return [f"{split}: no part of the published layout: no {split}.json"]
    if split == "train" and split in dataset.untold:
        return [f"{split}: the published layout holds true answers, and there are none: no {split}.json"]
    write_published(out, dataset.key, split, index)
    return []


def merge(dataset: Dataset, out: Path, split: str, published: bool = False) -> list[str]:
    """Join the parts of an index that ``build`` wrote with ``shard``, and write the published layout if wanted.

    Returns:
        Remarks, as of :func:`build`.

    Raises:
        DatasetError: a part is missing; names it.
    """
    key = dataset.key
    parts = sorted((out / key).glob(f"{split}.*-of-*.jsonl"))
    total = int(parts[0].stem.rsplit("-", 1)[1]) if parts else 0
    wanted = [index_path(out, key, f"{split}.{number}-of-{total}") for number in range(1, total + 1)]
    if not parts or (missing := [path for path in wanted if not path.is_file()]):
        raise DatasetError(f"{missing[0] if parts else out / key}: no such part of {split}; build it with --shard")
    whole = write(out, key, split, (sample for path in wanted for sample in Index(path)))
    return _publish(out, dataset, split, Index(whole)) if published else []


def _block(dataset: Dataset, root: Path, split: str, shard: tuple[int, int]) -> tuple[int, int | None]:
    """Number of the first sample of a part, and of the first one behind it; None for the end."""
    number, count = shard
    if not 0 <= number < count:
        raise DatasetError(f"shard: 1/{count} to {count}/{count} wanted, got {number + 1}/{count}")
    if count == 1:
        return 0, None
    total = sum(1 for _ in dataset.read(root, split))
    return total * number // count, total * (number + 1) // count


def _part(dataset: Dataset, root: Path, split: str, block: tuple[int, int | None]) -> Iterator[Sample]:
    return islice(dataset.read(root, split), *block)


def _look(
    dataset: Dataset, root: Path, out: Path, split: str, block: tuple[int, int | None], shard: tuple[int, int],
    workers: int, track: Track, spread: Spread | None,
) -> dict[str, Entry]:  # fmt: skip
    paths = dict.fromkeys(item.path for s in _part(dataset, root, split, block) for item in s.media)
    part = "" if shard[1] == 1 else f".{shard[0] + 1}-of-{shard[1]}"
    journal = out / dataset.key / "journal" / f"media-{split}{part}.jsonl"
    return look(root, list(paths), journal, workers, track, spread)


def _kept(samples: Iterable[Sample], seen: dict[str, Entry] | None, keep: bool, counts: Counts) -> Iterator[Sample]:
    """Samples whose media can be read, with what was found of these; all are counted."""
    for sample in samples:
        counts.found += 1
        entries = [seen[item.path] for item in sample.media] if seen is not None else []
        missing, unreadable = any(e.bytes is None for e in entries), any(e.error for e in entries)
        counts.missing += missing
        counts.unreadable += unreadable and not missing
        good = not (missing or unreadable)
        if seen is not None and good:
            sample = replace(sample, media=tuple(map(_told, sample.media, entries)))
            counts.silent += "sound" in get_task(sample.task).needs and not any(e.sound for e in entries)
        if good or keep:
            counts.written += 1
            yield sample


def _reasoning(path: Path) -> dict[str, tuple[Answer | None, str]]:
    """The reasoning of an index that is there already, with the answer that it leads to."""
    return {s.id: (s.answer, s.reasoning) for s in Index(path) if s.reasoning} if path.is_file() else {}


def _reasoned(sample: Sample, known: dict[str, tuple[Answer | None, str]]) -> Sample:
    """The sample with the reasoning that an index had for it, if its answer is the same."""
    answer, reasoning = known.get(sample.id, (None, None))
    return replace(sample, reasoning=reasoning) if reasoning and answer == sample.answer else sample


def _told(item: Media, entry: Entry) -> Media:
    silent = item.kind == "video" and item.sound == "track" and not entry.sound
    return replace(
        item, duration=entry.duration, fps=entry.fps, size=entry.size, sound="none" if silent else item.sound
    )  # fmt: skip


def _placed(sample: Sample, root: Path, out: Path, place: Place) -> Sample:
    """The sample with paths that hold from ``out``, that of a true mask among them."""
    mask = {"mask": _put(sample.meta["mask"], sample.task, root, out, place)} if "mask" in sample.meta else {}
    return replace(
        sample, media=tuple(replace(i, path=_put(i.path, sample.task, root, out, place)) for i in sample.media),
        meta={**sample.meta, **mask},
    )  # fmt: skip


def _put(path: str, key: str, root: Path, out: Path, place: Place) -> str:
    source = root / path
    if place == "reference":
        return Path(os.path.relpath(source, out)).as_posix()
    target = out / key / "media" / path
    if source.is_file() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        if place == "link":
            target.symlink_to(source.resolve())
        else:
            partial = target.with_name(f"{target.name}.partial")
            shutil.copy2(source, partial)
            os.replace(partial, target)
    return target.relative_to(out).as_posix()


def shared_sources(out: Path) -> list[str]:
    """In words, which splits of a folder show clips of the same source video, if one of them is for training."""
    sources: dict[str, set[str]] = {}
    for path in sorted(out.glob("*/*.jsonl")):
        if path.name.count(".") == 1:
            found = set(_PATH.findall(path.read_bytes()))  # not parsed: there may be millions of lines
            names = {name for item in found if (name := source(item.decode()))}
            sources[f"{path.parent.name}/{path.stem}"] = names
    return [
        f"{len(common)} source videos of {one} are in {other} too"
        for one, mine in sources.items() if one.endswith("/train")
        for other, theirs in sources.items() if not other.endswith("/train") and (common := mine & theirs)
    ]  # fmt: skip


def source(path: str) -> str | None:
    """The YouTube id in the name of a clip, such as ``<id>_000030.mp4`` or ``<id>_30.000_40.000.mp4``."""
    found = _SOURCE.fullmatch(Path(path).stem)
    return found[1] if found else None

"""The published AV-UIE v2 layout: ``<key>/train.json`` and ``<key>/test.json``, each a list of flat records.

Files of clips lie in ``<key>/video/`` and ``<key>/audio/``, those of pictures anywhere below ``<key>/``; boxes are in
pixels of a picture of 224 x 224. Training and test files of a key name their fields differently, and only training
files hold a target text. Source: the fields that the loaders of GeWu-Lab/Crab_Plus read
(``dataset/qwen2_5_omni/omni_dataset.py``).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crabplus.datasets.avuie.clips import CLIPS
from crabplus.datasets.avuie.fields import Fields, Layout
from crabplus.datasets.avuie.pictures import PICTURES
from crabplus.schema import Sample, SchemaError
from crabplus.tasks import get_task
from crabplus.whole import write_lines

LAYOUTS: dict[str, Layout] = {**CLIPS, **PICTURES}
IDS = ("vid", "uid", "fid", "filename")
VIDEOS = ("video_id", "video_name")
UNSAID = {"frame_idx": 0, "split": "test_s", "question_relation": "Both"}
"""What a sample of other origin does not know: the fields for which its id, its video and these values stand."""
SHOWN = 5  # so many bad records are named in an error


def published_path(root: str | Path, key: str, split: str) -> Path:
    """Where the published file of a key and split is."""
    return Path(root) / key / f"{split}.json"


def read_published(root: str | Path, key: str, split: str, strict: bool = True) -> Iterator[Sample]:
    """The samples of a published file, in its order.

    A sample is named by the id that its record holds; a name that comes again gets ``-2``, ``-3`` and so on. Fields
    that only the dataset knows are kept in ``meta``. Where the truth is not in the file (masks, dense events of
    ``avvp``), ``answer`` is None. The labels that occur in a file of actions or emotions are its vocabulary.

    Args:
        root: folder that holds ``<key>/<split>.json``; key: task key; split: ``train`` or ``test``.
        strict: a field that the layout does not know is an error; else it is kept in ``meta``.

    Raises:
        SchemaError: the file is no list of such records; names file, record number (from 0) and field.
    """
    path = published_path(root, key, split)
    layout, loaded = _layout(key, split), _load(path)
    problems = [f"record {n}, {odd}" for n, record in enumerate(loaded) for odd in _odd(record, layout, split, strict)]
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise SchemaError(f"{path}: {'; '.join(problems[:SHOWN])}{more}")
    taken: set[str] = set()
    labels = _vocabulary(loaded, layout)
    for number, record in enumerate(loaded):
        try:
            fields = Fields(record, key, split)
            found = layout.read(fields)
            name = next(name for name in _names(found["id"]) if name not in taken)
            fixed = {"id": name, "dataset": "avuie", "task": key, "split": split}
            sample = Sample(**{**found, **({"options": labels} if labels else {}), **fixed})
            sample = _reasoned(sample, layout.target, fields.text(layout.target)) if split == "train" else sample
        except (SchemaError, ValidationError) as error:
            raise SchemaError(f"{path}: record {number}, {_problem(error)}") from error
        taken.add(name)
        yield sample


def write_published(root: str | Path, key: str, split: str, samples: Iterable[Sample]) -> Path:
    """Write samples as a published file; it appears whole or not at all.

    The layout has no place for some things, which are not written: datasets, vocabularies, reasoning in test files, and
    the truth of ``avvp``, ``s4``, ``ms3`` and ``ref_avs`` in test files, which upstream takes from elsewhere.

    Raises:
        SchemaError: a sample that the layout cannot hold; names sample and field.
    """
    path = published_path(root, key, split)
    layout, records = _layout(key, split), []
    for sample in samples:
        try:
            record = {**dict.fromkeys(layout.names(split), ""), **UNSAID, **dict.fromkeys(IDS, sample.id)}
            record.update(dict.fromkeys(VIDEOS, sample.meta.get("video", sample.id)))
            record.update({**sample.meta, **layout.write(sample)})
            record[layout.target] = get_task(key).target(sample) if split == "train" else ""
        except ValueError as error:
            raise SchemaError(f"{path}: sample {sample.id!r}: {error}") from error
        records.append({name: record[name] for name in layout.names(split)})
    return write_lines(path, [json.dumps(records, ensure_ascii=False, indent=1)])


def _layout(key: str, split: str) -> Layout:
    if not is_published(key, split):
        test = ", ".join(name for name, item in LAYOUTS.items() if item.test)
        raise SchemaError(f"{key}/{split}.json: published are train.json of {', '.join(LAYOUTS)}; test.json of {test}")
    return LAYOUTS[key]


def is_published(key: str, split: str) -> bool:
    """Whether there is such a file in the published layout."""
    layout = LAYOUTS.get(key)
    return layout is not None and (split == "train" or (split == "test" and layout.test is not None))


def _load(path: Path) -> list[dict[str, Any]]:
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path}: not JSON: {error}") from error
    if not isinstance(records, list):
        raise SchemaError(f"{path}: a list of records wanted, got {type(records).__name__}")
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise SchemaError(f"{path}: record {number}: an object wanted, got {record!r:.80}")
    return records


def _odd(record: dict[str, Any], layout: Layout, split: str, strict: bool) -> list[str]:
    """What is wrong with the names of the fields."""
    wanted = layout.names(split)
    missing = [f"{name}: is missing" for name in wanted if name not in record]
    unknown = [name for name in record if name not in (*wanted, *layout.optional)] if strict else []
    return missing + [f"{name}: is no field of this file (strict=False keeps it in meta)" for name in unknown]


def _vocabulary(records: list[dict[str, Any]], layout: Layout) -> tuple[str, ...]:
    """The labels of a file, in order of the alphabet, where its answers are labels."""
    return tuple(sorted({str(record[layout.label]).strip() for record in records})) if layout.label else ()


def _reasoned(sample: Sample, target: str, text: str) -> Sample:
    """The sample with the reasoning of its target text; a text without a readable answer is kept in ``meta``."""
    said = get_task(sample.task).read(text, sample)
    if said.answer is None:
        return sample
    meta = {name: value for name, value in sample.meta.items() if name != target}
    return replace(sample, reasoning=said.reasoning, meta=meta)


def _names(first: str) -> Iterator[str]:
    """The name and, where it is taken, further ones."""
    yield first
    yield from (f"{first}-{number}" for number in count(2))


def _problem(error: SchemaError | ValidationError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{first['msg']}, got {first['input']!r:.80}"
    return str(error)

"""Samples for other software: ms-swift, LLaMA-Factory, and a Hugging Face ``datasets`` folder.

All hold what the task of a sample says: prompt with media in their order, and the target with reasoning. What these
formats have no place for is told: windows in time, of which the whole file would be shown.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from crabplus.schema import Message, Sample, to_json
from crabplus.tasks import Pack, default_pack, get_task
from crabplus.whole import write_lines

Format = Literal["ms-swift", "llama-factory", "parquet"]
_PLACES = {"video": "<video>", "audio": "<audio>", "image": "<image>"}
_LISTS = {"video": "videos", "audio": "audios", "image": "images"}


def conversation(sample: Sample, folder: Path, pack: Pack | None = None) -> dict[str, Any]:
    """A sample as messages with placeholders, and the files that stand for them, in the form that both trainers read.

    The track of a video is named as an audio behind it. Heard and seen events stand in ``<audio_event>`` and
    ``<visual_event>`` tags, since ``<audio>`` is a placeholder there; our parser reads both. Media paths of the sample
    are relative to ``folder``.

    Raises:
        ValueError: a sample without a true answer.
    """
    task, pack = get_task(sample.task), pack or default_pack()
    made: dict[str, Any] = {"messages": [], **{name: [] for name in _LISTS.values()}}
    for message in task.prompt(sample, pack):
        made["messages"].append({"role": message.role, "content": _content(message, folder, made)})
    made["messages"].append({"role": "assistant", "content": _apart(task.target(sample, pack))})
    return {name: value for name, value in made.items() if value}


def _apart(text: str) -> str:
    """Text in which ``<audio>`` is no placeholder: the tags of heard events are written in their longer form."""
    for tag in ("audio", "visual"):
        text = text.replace(f"<{tag}>", f"<{tag}_event>").replace(f"</{tag}>", f"</{tag}_event>")
    return text


def _content(message: Message, folder: Path, made: dict[str, Any]) -> str:
    text = ""
    for part in message.parts:
        if part.media is None:
            text += _apart(part.text or "")
            continue
        kinds = ["video", "audio"] if part.kind == "video" and part.media.sound == "track" else [part.kind]
        for kind in kinds:
            text += _PLACES[kind]
            made[_LISTS[kind]].append(str((folder / part.media.path).resolve()))
    return text


def export(
    samples: Iterable[Sample], folder: Path, out: Path, name: str, form: Format, pack: Pack | None = None
) -> list[str]:
    """Write samples under ``out``; each file appears whole or not at all. Returns remarks on what could not be said.

    Args:
        samples: those without a true answer are left out, which is told. folder: their media paths are relative to it.
        name: of the set, as ``ave_train``.
    """
    chosen = list(samples)
    told = [sample for sample in chosen if sample.answer is not None]
    remarks = [f"{len(chosen) - len(told)} samples without a true answer are left out"] if told != chosen else []
    windowed = sum(any(i.start is not None or i.end is not None for i in sample.media) for sample in told)
    remarks += [f"{windowed} samples mean a window of a file; the whole file is named"] if windowed else []
    if not told:
        return [*remarks, "nothing to write"]
    if form == "parquet":
        _parquet(told, folder, out / f"{name}.parquet", pack)
        return remarks
    rows = [conversation(sample, folder, pack) for sample in told]
    if form == "llama-factory":  # it asks every row for every column of its list
        rows = [{**dict.fromkeys(_LISTS.values(), []), **row} for row in rows]
        _register(out / "dataset_info.json", name)
    write_lines(out / f"{name}.jsonl", (json.dumps(row, ensure_ascii=False) for row in rows))
    return remarks


def _register(path: Path, name: str) -> None:
    """Add the set to the list that LLaMA-Factory reads."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known[name] = {
        "file_name": f"{name}.jsonl", "formatting": "sharegpt",
        "columns": {"messages": "messages", **{kind: kind for kind in _LISTS.values()}},
        "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
                 "system_tag": "system"},
    }  # fmt: skip
    write_lines(path, [json.dumps(known, indent=1)])


def _parquet(samples: Sequence[Sample], folder: Path, path: Path, pack: Pack | None) -> None:
    """One row a sample: what one wants to filter by, the conversation with its files, and all of it as JSON.

    Columns and their types are the same for every key, so that several files load as one.
    """
    from datasets import Dataset, Features, List, Value

    text, texts = Value("string"), List(Value("string"))
    features = Features({
        **dict.fromkeys(("id", "task", "dataset", "split", "question", "reasoning"), text),
        "messages": List({"role": text, "content": text}), **dict.fromkeys(_LISTS.values(), texts), "sample": text,
    })  # fmt: skip
    rows = [
        {
            "id": s.id, "task": s.task, "dataset": s.dataset, "split": s.split, "question": s.question,
            "reasoning": s.reasoning, **dict.fromkeys(_LISTS.values(), []), **conversation(s, folder, pack),
            "sample": to_json(s),
        }
        for s in samples
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    Dataset.from_list(rows, features=features).to_parquet(str(partial))
    os.replace(partial, path)

"""The command that makes masks of what predictions name: segment."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from crabplus.cli.options import Plugin, Split, clear_errors, keys_in, take_plugin, track


def segment(
    predictions: Annotated[list[Path], typer.Argument(help="Files of predictions, a line of JSON each.")],
    out: Annotated[Path, typer.Option(help="Folder for masks, overlays, masks.jsonl and coco.json.")],
    data: Annotated[
        Path | None, typer.Option(help="AV-UIE v2 folder; without it predictions name their files.")
    ] = None,
    split: Split = "test",
    keys: Annotated[str | None, typer.Option(help="Task keys; default: those with boxes or points.")] = None,
    model: Annotated[str, typer.Option(help="'grabcut', or a folder or hub name of a SAM2 model.")] = "grabcut",
    device: Annotated[str | None, typer.Option(help="Such as cuda, mps or cpu; default: what is there.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Predictions at a time; fewer where memory is short.")] = 8,
    video: Annotated[bool, typer.Option("--video", help="Follow things through whole videos (SAM2).")] = False,
    plugin: Plugin = None,
) -> None:
    """Make masks from the boxes and points of predictions; the same command goes on where it was interrupted."""
    with clear_errors():
        take_plugin(plugin)
        from crabplus.predictions import PredictionFile
        from crabplus.segment.folder import MaskFolder

        asked = _asked(predictions, data, split, keys_in(keys) if keys else None)
        folder = MaskFolder(out)
        with PredictionFile(out / "masks.jsonl", [(reply.task, reply.id) for reply in asked]).alone():
            folder.open({"model": model, "video": video})
            left = [reply for reply in asked if not folder.has(reply)]
            if left:
                made = _follow(folder, left, model, device) if video else _cut(folder, left, model, device, batch_size)
                for _ in track(made, "segmenting", len(asked), len(asked) - len(left)):
                    pass
            folder.write_coco()
            typer.echo(folder.summary())


def _asked(paths: Sequence[Path], data: Path | None, split: str, keys: Sequence[str] | None) -> list[Any]:
    """The predictions whose answers have places, each with the files that it is about."""
    from dataclasses import replace

    from crabplus.schema import ObjectsAnswer
    from crabplus.tasks import get_task

    replies = [reply for path in paths for reply in _read(path)]
    wanted = keys or [key for key in dict.fromkeys(r.task for r in replies) if get_task(key).answers is ObjectsAnswer]
    replies = [reply for reply in replies if reply.task in wanted]
    if not replies:
        raise ValueError(f"{', '.join(map(str, paths))}: no prediction of a key whose answers have boxes or points")
    if data is not None:
        replies = _with_media(replies, data, split)
    asked = []
    for reply in replies:
        if not reply.media and reply.error is None:
            raise ValueError(f"{reply.task} {reply.id!r} names no file of its own: name the data folder (--data)")
        if reply.error is not None:
            reply = replace(reply, answer=None)
        elif reply.answer is None and reply.reason is None:
            found = get_task(reply.task).read(reply.text or "")
            reply = replace(reply, answer=found.answer, reason=found.reason)
        asked.append(reply)
    return asked


def _read(path: Path) -> Iterator[Any]:
    """The lines of a file; a prediction of a data folder is a reply that names no file."""
    from crabplus.schema import Reply, SchemaError, from_json

    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield from_json(line, Reply)
                except SchemaError as error:
                    raise SchemaError(f"{path}, line {number}: {error}") from error


def _with_media(replies: Sequence[Any], data: Path, split: str) -> list[Any]:
    """The replies with the media of their samples; paths lead to the files."""
    from dataclasses import replace

    from crabplus.datasets.avuie import read

    keys = dict.fromkeys(reply.task for reply in replies)
    media = {(sample.task, sample.id): sample.media for key in keys for sample in read(data, key, split)}
    for reply in replies:
        if (reply.task, reply.id) not in media:
            raise ValueError(f"{reply.task} {reply.id!r} is no sample of split {split!r} in {data}")
    return [replace(r, media=tuple(replace(m, path=str(data / m.path)) for m in media[r.task, r.id])) for r in replies]


def _cut(folder: Any, left: Sequence[Any], model: str, device: str | None, batch_size: int) -> Iterator[Any]:
    """Masks of pictures, in batches; each is on disk before it is passed on."""
    from crabplus.segment import load_segmenter
    from crabplus.segment.answers import segment_replies, things_of
    from crabplus.segment.overlay import draw

    segmenter = load_segmenter(model, device, batch_size)
    for start in range(0, len(left), batch_size):
        for made in segment_replies(segmenter, left[start : start + batch_size]):
            things = things_of(made.reply)
            at = {time: [n for n, thing in enumerate(things) if thing.time == time] for time in made.pictures}
            drawn = (
                draw(picture, [things[n] for n in at[time]], [made.masks[n] for n in at[time]])
                for time, picture in made.pictures.items()
            )
            folder.add(made.reply, enumerate(made.masks), drawn, made.error)
            yield made.reply


def _follow(folder: Any, left: Sequence[Any], model: str, device: str | None) -> Iterator[Any]:
    """Masks of all pictures of videos, one prediction after the other."""
    from crabplus.segment.answers import follow_reply
    from crabplus.segment.video import load_tracker

    tracker = load_tracker(model, device)
    for reply in left:
        first: dict[int, Any] = {}
        try:
            masks = _noting(follow_reply(tracker, reply), first)
            folder.add(reply, masks, _prompted(reply, first), reply.error, moving=True)
        except (ValueError, OSError) as error:
            folder.add(reply, error=str(error), moving=True)
        yield reply


def _noting(masks: Iterator[tuple[int, Any]], first: dict[int, Any]) -> Iterator[tuple[int, Any]]:
    """The masks; the first of each thing, that of the picture in which it is known, is kept in ``first``."""
    for number, mask in masks:
        first.setdefault(number, mask)
        yield number, mask


def _prompted(reply: Any, first: dict[int, Any]) -> Iterator[Any]:
    """Overlays of the pictures in which things are known; drawn when all masks are there."""
    from crabplus.segment.answers import picture_of, things_of
    from crabplus.segment.overlay import draw

    things = things_of(reply)
    for time in dict.fromkeys(thing.time for thing in things):
        numbers = [number for number, thing in enumerate(things) if thing.time == time]
        yield draw(picture_of(reply, time), [things[n] for n in numbers], [first[n] for n in numbers])

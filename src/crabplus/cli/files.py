"""What predict does with people's own files: plan, windows, replies, and all that is written of them."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from crabplus.cli.options import names_in, one_of, track

WRITTEN = ("csv", "srt", "coco", "html", "video")
"""What can be written beside the replies."""


def plan_files(out: Path, files: Sequence[Path], asked: Any, pack: Any, overwrite: bool) -> list[Any]:
    """The plan of every file, kept in ``plan.jsonl`` so that a run that goes on need not look at the files again.

    Raises:
        ValueError: the folder is of another question, or a file has changed since.
    """
    from crabplus.own import check_sounds, find_files
    from crabplus.whole import write_lines

    path = out / "plan.jsonl"
    heading = json.dumps({"asked": vars(asked), "pack": pack.digest}, sort_keys=True)
    kept = {} if overwrite else _kept(path, heading)
    named = find_files(files)
    check_sounds(asked, len(named))
    write_lines(path, [heading, *map(json.dumps, kept.values())])  # without a line that was cut off
    plans = []
    with path.open("a", encoding="utf-8") as file:
        for plan, line in track(_plans(named, asked, pack, kept), "looking at files", len(named)):
            plans.append(plan)
            if line:
                file.write(f"{line}\n")
                file.flush()
    return plans


def _kept(path: Path, heading: str) -> dict[str, Any]:
    """Lines of an earlier run of the same question by name of the file."""
    if not path.is_file():
        return {}
    first, *lines = path.read_text(encoding="utf-8").splitlines() or [heading]
    if first != heading:
        raise ValueError(f"{path}: something else was asked there: name another folder (--out), or --overwrite")
    rows = {}
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
        rows[row["name"]] = row
    return rows


def _plans(named: Sequence[Any], asked: Any, pack: Any, kept: dict[str, Any]) -> Iterator[tuple[Any, str | None]]:
    """Plans, each with the line to keep of it where it is new."""
    from crabplus.answers import Plan, plan_of
    from crabplus.schema import from_json, to_json

    for one in named:
        mark, row = _mark(one.path), kept.get(one.name)
        if row and row["error"] and row["mark"] != mark:
            row = None  # it could not be asked about, and may have been mended
        if row and row["mark"] != mark:
            raise ValueError(f"{one.path} has changed since it was asked about: name another --out, or --overwrite")
        if row:
            yield Plan(from_json(row["sample"]), tuple(map(tuple, row["windows"])), row["error"]), None
            continue
        plan = plan_of(one, asked, pack)
        line = {"name": one.name, "mark": mark, "sample": json.loads(to_json(plan.sample)),
                "windows": plan.windows, "error": plan.error}  # fmt: skip
        yield plan, json.dumps(line)


def _mark(path: str) -> list[int]:
    try:
        found = os.stat(path)
    except OSError:
        return [0, 0]
    return [found.st_mtime_ns, found.st_size]


def exports_in(names: str) -> tuple[str, ...]:
    """What is to be written beside the replies."""
    return tuple(one_of(name, *WRITTEN) for name in names_in(names))


def check_files(files: Sequence[Path], out: Path) -> None:
    """Refuse files that are not there, and a place that cannot be a folder, before anything else is loaded."""
    from crabplus.own import find_files

    find_files(files)
    blocked = next((place for place in (out, *out.parents) if place.exists() and not place.is_dir()), None)
    if blocked:
        raise ValueError(f"--out {out}: {blocked} is a file, and a folder is wanted")


def answer_files(
    run: Any, files: Sequence[Path], asked: Any, out: Path, written: Sequence[str], segmenter: str | None
) -> None:
    """Answer people's own files into a folder: ``replies.jsonl``, and what else is to be written."""
    from crabplus.schema import to_json
    from crabplus.whole import write_lines

    _check(asked, segmenter)
    settings = run.settings  # before files are looked at: a model or adapter that is not there is told at once
    with run.processes():
        plans = _planned(run, out, files, asked)
        samples = [sample for plan in plans for sample in plan.samples]
        file = run.answer(samples, Path(), out / "windows.jsonl")
        replies = []
        if run.first:
            replies = list(_replies(run, plans, file, settings))
            write_lines(out / "replies.jsonl", map(to_json, replies))
            typer.echo(_summary(replies, out))
            export(run, replies, out, written, segmenter)
    if replies and all(reply.error for reply in replies):
        raise typer.Exit(1)


def _check(asked: Any, segmenter: str | None) -> None:
    """Refuse what many files cannot be asked, and masks of what has no places."""
    from crabplus.own import MATCHING
    from crabplus.schema import ObjectsAnswer
    from crabplus.segment import check_segmenter
    from crabplus.tasks import get_task

    if asked.key in MATCHING:
        raise ValueError(f"{asked.key} compares files that belong together: ask about them with 'crabplus ask'")
    if segmenter:
        check_segmenter(segmenter)
    if segmenter and get_task(asked.key).answers is not ObjectsAnswer:
        raise ValueError(f"--segment makes masks of boxes, and answers to {asked.key} have none: --task boxes or masks")


def _planned(run: Any, out: Path, files: Sequence[Path], asked: Any) -> list[Any]:
    """The plans; the first process makes them, and the others read them."""
    plans = plan_files(out, files, asked, run.wording, run.overwrite) if run.first else []
    run.state.wait_for_everyone()
    return plans or plan_files(out, files, asked, run.wording, False)


def _replies(run: Any, plans: Sequence[Any], file: Any, settings: dict[str, Any]) -> Iterator[Any]:
    """A reply to every plan, out of the predictions of its windows."""
    from crabplus.answers import needs_sum, reply_to, summed_up
    from crabplus.schema import Prediction, from_json

    for plan in plans:
        said = [from_json(file.lines[sample.task, sample.id].text, Prediction) for sample in plan.samples]
        reply = reply_to(plan, said, settings)
        if needs_sum(reply, run.wording):
            plus = run.load()
            reply = summed_up(plus.model, plus.pack, reply, plus.origin, run.options["batch_size"])
        yield reply


def _summary(replies: Sequence[Any], out: Path) -> str:
    errors = sum(reply.error is not None for reply in replies)
    unread = sum(reply.answer is None and reply.error is None for reply in replies)
    return (
        f"{len(replies)} files in {out / 'replies.jsonl'}: {errors} with an error, {unread} without a readable answer"
    )


def export(run: Any, replies: Sequence[Any], out: Path, written: Sequence[str], segmenter: str | None) -> None:
    """Write what people can use elsewhere: see :data:`WRITTEN`."""
    from crabplus.report.coco import write_coco
    from crabplus.report.own import write_replies
    from crabplus.report.sheet import write_csv
    from crabplus.report.subtitles import write_srt

    masks = make_masks(out, segmenter, run.device) if segmenter else None
    if "csv" in written:
        write_csv(out / "replies.csv", replies)
    if "srt" in written and not write_srt(out / "srt", replies):
        typer.secho("no subtitles: there are neither events nor words in the answers", err=True, fg="yellow")
    if "coco" in written:
        write_coco(out / "coco.json", replies, masks, write_pictures(out, replies))
    if "html" in written:
        write_replies(out / "report.html", replies, f"{len(replies)} files")
        typer.echo(f"report: {out / 'report.html'}")
    if "video" in written:
        write_copies(out / "copies", replies)


def make_masks(out: Path, segmenter: str, device: str | None) -> dict[tuple[str, int], Any]:
    """Masks of all things, in the folder ``masks``: run lengths by id of the reply and number of the thing."""
    from crabplus.cli.segment import segment
    from crabplus.segment.folder import MaskFolder

    segment([out / "replies.jsonl"], out / "masks", model=segmenter, device=device)
    folder = MaskFolder(out / "masks")
    folder.read()
    return {
        (line.id, number): mask.rle for line in folder.lines.values() for number, mask in enumerate(line.masks)
    }  # fmt: skip


def write_pictures(out: Path, replies: Sequence[Any]) -> dict[tuple[str, float | None], str]:
    """The pictures of videos on which boxes lie, as files in ``pictures``; their names by path and second."""
    import cv2

    from crabplus.report.subtitles import file_names
    from crabplus.report.windows import path_of
    from crabplus.schema import ObjectsAnswer
    from crabplus.segment.answers import picture_of
    from crabplus.whole import write_whole

    boxed = [reply for reply in replies if isinstance(reply.answer, ObjectsAnswer)]
    made: dict[tuple[str, float | None], str] = {}
    for name, reply in zip(file_names(map(path_of, boxed)), boxed, strict=True):
        for time in dict.fromkeys(thing.time for thing in reply.answer.objects if thing.time is not None):
            made[path_of(reply), time] = f"pictures/{name}-{time:.3f}.jpg"
            coded = cv2.imencode(".jpg", picture_of(reply, time)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
            write_whole(out / made[path_of(reply), time], coded.tobytes())
    return made


def write_copies(folder: Path, replies: Sequence[Any]) -> None:
    """A copy of each film and picture with the answer drawn over it; one that cannot be made is told."""
    from crabplus.report.film import annotate
    from crabplus.report.subtitles import file_names
    from crabplus.report.windows import path_of

    shown = [reply for reply in replies if reply.media and reply.media[0].kind != "audio" and not reply.error]
    names = file_names(map(path_of, shown))
    for reply, name in track(zip(shown, names, strict=True), "drawing copies", len(shown)):
        path = folder / f"{name}{'.jpg' if reply.media[0].kind == 'image' else '.mp4'}"
        try:
            annotate(reply, path)
        except (ValueError, OSError) as error:
            typer.secho(f"{reply.id}: no copy: {error}", err=True, fg="yellow")

"""Commands that answer people's own files: ask, and what predict does with files."""

import json as plain_json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from crabplus.cli.options import Adapter, Model, PackFile, clear_errors, names_in, one_of, track

Files = Annotated[list[Path], typer.Argument(help="Videos, sounds or pictures; folders; patterns such as '*.mp4'.")]
Task = Annotated[str, typer.Option(
    help="events, boxes, masks, action, emotion, question, caption, match; or a task key such as ave.")]  # fmt: skip
Question = Annotated[str | None, typer.Option(help="For tasks that answer one.")]
Labels = Annotated[str, typer.Option(help="Own labels, with commas between them: answers are held to these.")]
Sound = Annotated[list[Path] | None, typer.Option(
    help="Sound that goes with a picture or a silent video; for match, what to choose from.")]  # fmt: skip
Start = Annotated[float | None, typer.Option(help="Seconds of the file from which on it is meant.")]
End = Annotated[float | None, typer.Option(help="Seconds up to which it is meant.")]
WindowLength = Annotated[float | None, typer.Option(help="Seconds that the model is shown at a time.")]
Overlap = Annotated[float | None, typer.Option(help="Seconds that two windows have in common.")]
Cuts = Annotated[bool, typer.Option(help="End windows at hard cuts of a video where they can.")]

WRITTEN = ("csv", "srt", "coco", "html", "video")
"""What can be written beside the replies."""


def ask(
    files: Files,
    task: Task,
    question: Question = None,
    labels: Labels = "",
    sound: Sound = None,
    start: Start = None,
    end: End = None,
    window: WindowLength = None,
    overlap: Overlap = None,
    cuts: Cuts = True,
    model: Model = "tiny",
    adapter: Adapter = None,
    pack: PackFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print each reply as a line of JSON.")] = False,
) -> None:
    """Ask a model about media files of any length, and print what it says."""
    with clear_errors():
        from dataclasses import replace

        from crabplus.data import pack_for
        from crabplus.loading import adapter_for
        from crabplus.own import MATCHING, find_files, sample_of, windows_of
        from crabplus.schema import to_json

        chosen = pack_for(model, pack)
        asked = asked_of(chosen, task, question, labels, sound, start, end, window, overlap, cuts)
        matching = asked.key in MATCHING
        named = find_files(files)
        if matching or len(named) == 1:  # refuse before the model loads
            sample = sample_of(named[0], asked, files[1:] if matching else ())
            windows_of(sample, replace(asked, cuts=False), chosen)
        adapter_for(model, adapter)
        from crabplus.api import CrabPlus

        plus = CrabPlus.from_pretrained(model, adapter, pack=pack)
        options: dict[str, Any] = {
            "task": asked.key, "question": question, "labels": asked.labels, "sound": asked.sounds, "start": start,
            "end": end, "window": window, "overlap": overlap, "cuts": cuts, "track": track,
        }  # fmt: skip
        single = matching or len(named) == 1
        replies = (
            [plus.ask(files if matching else named[0].path, **options)] if single else plus.predict(files, **options)
        )
        failed = 0
        for reply in replies:
            failed += bool(reply.error)
            typer.echo(to_json(reply) if json else in_words(reply, not single))
    if task == "masks":
        typer.secho("these are the boxes; 'crabplus predict' with --segment writes the masks", err=True, fg="yellow")
    if failed:
        raise typer.Exit(1)


def asked_of(
    pack: Any, task: str, question: str | None, labels: str, sound: Sequence[Path] | None, start: float | None,
    end: float | None, window: float | None, overlap: float | None, cuts: bool,
) -> Any:  # fmt: skip
    """What the options ask; refuses what no file could answer."""
    from crabplus.own import Asked, check_question, key_of

    names = names_in(labels)
    key = key_of(task, pack, names)
    check_question(key, question)
    sounds = tuple(str(path) for path in sound or ())
    return Asked(key, question, names, sounds, start, end, window, overlap, cuts)


def in_words(reply: Any, named: bool = False) -> str:
    """A reply for people to read; ``named`` puts the file in front."""
    from crabplus.report.card import describe
    from crabplus.schema import Sample

    sample = Sample(reply.id, "own", reply.task, "own", options=reply.options)
    lines = [describe(reply.answer, sample) if reply.answer else f"no answer: {reply.error or reply.reason}"]
    if named:
        lines[0] = f"{reply.id}: {lines[0]}"
    for box in reply.pixel_boxes if reply.answer else ():
        width, height = next(media.size for media in reply.media if media.size)
        across, down = (f"{100 * a / side:.0f} to {100 * b / side:.0f} %" for a, b, side in (
            (box.x1, box.x2, width), (box.y1, box.y2, height)))  # fmt: skip
        when = "" if box.time is None else f" at {box.time:g} s"
        lines.append(f"  {box.label}{when}: {across} across and {down} down, pixels ({box.x1}, {box.y1}) to "
                     f"({box.x2}, {box.y2}) of {width} x {height}")  # fmt: skip
    if reply.reasoning:
        lines.append(f"  {reply.reasoning}")
    if reply.windows:
        unsaid = sum(window.answer is None for window in reply.windows)
        lines.append(
            f"  from {len(reply.windows)} windows" + (f", {unsaid} of them without an answer" if unsaid else "")
        )
    return "\n".join(lines)


def plan_files(out: Path, files: Sequence[Path], asked: Any, pack: Any, overwrite: bool) -> list[Any]:
    """The plan of every file, kept in ``plan.jsonl`` so that a run that goes on need not look at the files again.

    Raises:
        ValueError: the folder is of another question, or a file has changed since.
    """
    from crabplus.own import find_files

    path = out / "plan.jsonl"
    heading = plain_json.dumps({"asked": vars(asked), "pack": pack.digest}, sort_keys=True)
    kept = {} if overwrite else _kept(path, heading)
    out.mkdir(parents=True, exist_ok=True)
    named = find_files(files)
    plans = []
    with path.open("a" if kept else "w", encoding="utf-8") as file:
        if not kept:
            file.write(f"{heading}\n")
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
            row = plain_json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
        rows[row["name"]] = row
    return {"": None, **rows}


def _plans(named: Sequence[Any], asked: Any, pack: Any, kept: dict[str, Any]) -> Iterator[tuple[Any, str | None]]:
    """Plans, each with the line to keep of it where it is new."""
    from crabplus.answers import Plan, plan_of
    from crabplus.schema import from_json, to_json

    for one in named:
        mark, row = _mark(one.path), kept.get(one.name)
        if row and row["mark"] != mark:
            raise ValueError(f"{one.path} has changed since it was asked about: name another --out, or --overwrite")
        if row:
            yield Plan(from_json(row["sample"]), tuple(map(tuple, row["windows"])), row["error"]), None
            continue
        plan = plan_of(one, asked, pack)
        line = {"name": one.name, "mark": mark, "sample": plain_json.loads(to_json(plan.sample)),
                "windows": plan.windows, "error": plan.error}  # fmt: skip
        yield plan, plain_json.dumps(line)


def _mark(path: str) -> list[int]:
    try:
        found = os.stat(path)
    except OSError:
        return [0, 0]
    return [found.st_mtime_ns, found.st_size]


def exports_in(names: str) -> tuple[str, ...]:
    """What is to be written beside the replies."""
    return tuple(one_of(name, *WRITTEN) for name in names_in(names))


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
        if run.first:
            replies = list(_replies(run, plans, file, settings))
            write_lines(out / "replies.jsonl", map(to_json, replies))
            typer.echo(_summary(replies, out))
            export(run, replies, out, written, segmenter)


def _check(asked: Any, segmenter: str | None) -> None:
    """Refuse what many files cannot be asked, and masks of what has no places."""
    from crabplus.own import MATCHING
    from crabplus.schema import ObjectsAnswer
    from crabplus.tasks import get_task

    if asked.key in MATCHING:
        raise ValueError(f"{asked.key} compares files that belong together: ask about them with 'crabplus ask'")
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
    if "srt" in written:
        write_srt(out / "srt", replies)
    if "coco" in written:
        write_coco(out / "coco.json", replies, masks)
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


def write_copies(folder: Path, replies: Sequence[Any]) -> None:
    """A copy of each film and picture with the answer drawn over it; one that cannot be made is told."""
    from crabplus.report.film import annotate
    from crabplus.segment.folder import safe_name

    shown = [reply for reply in replies if reply.media and reply.media[0].kind != "audio" and not reply.error]
    for reply in track(shown, "drawing copies", len(shown)):
        still = reply.media[0].kind == "image" and reply.media[0].start is None
        path = folder / f"{safe_name(reply.id)}{'.jpg' if still else '.mp4'}"
        try:
            annotate(reply, path)
        except (ValueError, OSError) as error:
            typer.secho(f"{reply.id}: no copy: {error}", err=True, fg="yellow")

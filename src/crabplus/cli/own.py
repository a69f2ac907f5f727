"""The command that asks about people's own files, ask; and the options that it shares with predict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from crabplus.cli.options import Adapter, Model, PackFile, clear_errors, clock, names_in, track

Files = Annotated[list[Path], typer.Argument(help="Videos, sounds or pictures; folders; patterns such as '*.mp4'.")]
Task = Annotated[str, typer.Option(
    help="events, boxes, masks, action, emotion, question, caption, match; or a task key such as ave.")]  # fmt: skip
Question = Annotated[str | None, typer.Option(help="For tasks that answer one.")]
Labels = Annotated[str, typer.Option(help="Own labels, with commas between them: answers are held to these.")]
Sound = Annotated[list[Path] | None, typer.Option(
    help="Sound that goes with a picture or a silent video; for match, what to choose from.")]  # fmt: skip
Start = Annotated[float | None, typer.Option(parser=clock, help="From when on it is meant: seconds, or h:mm:ss.")]
End = Annotated[float | None, typer.Option(parser=clock, help="Up to when.")]
WindowLength = Annotated[float | None, typer.Option(help="Seconds that the model is shown at a time.")]
Overlap = Annotated[float | None, typer.Option(help="Seconds that two windows have in common.")]
Cuts = Annotated[bool, typer.Option(help="End windows at hard cuts of a video where they can.")]


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
    model: Model = None,
    adapter: Adapter = None,
    pack: PackFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print each reply as a line of JSON.")] = False,
) -> None:
    """Ask a model about media files of any length, and print what it says."""
    with clear_errors():
        from dataclasses import replace

        from crabplus.loading import adapter_for, base_for
        from crabplus.own import MATCHING, find_files, sample_of, windows_of
        from crabplus.schema import to_json
        from crabplus.wording import pack_for

        model = base_for(model, adapter)
        chosen = pack_for(model, pack, adapter)
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
    if reply.confidence is not None:
        lines.append(f"  confidence {reply.confidence:.2f}")
    if reply.windows:
        unsaid = sum(window.answer is None for window in reply.windows)
        lines.append(
            f"  from {len(reply.windows)} windows" + (f", {unsaid} of them without an answer" if unsaid else "")
        )
    return "\n".join(lines)

"""Commands that put single files and unseen clips to a model: demo, ask."""

from pathlib import Path
from typing import Annotated, Any

import typer

from crabplus.cli.options import Adapter, Model, Out, PackFile, Seed, clear_errors, track


def demo(
    out: Out = Path("demo"),
    samples: Annotated[int, typer.Option(min=1, help="Clips of each task key.")] = 16,
    seed: Seed = 0,
) -> None:
    """Make unseen clips, answer every key, and write report.html and scores.json."""
    from rich.console import Console

    from crabplus.demo import run_demo
    from crabplus.report.table import score_table

    made = run_demo(out, samples, seed, track)
    Console().print(score_table(made.scores, made.off, title="crabplus-tiny on unseen Tidepool clips"))
    typer.echo(f"report: {made.report}\nscores: {made.numbers}")


def ask(
    file: Annotated[Path, typer.Argument(help="Video, audio or picture.")],
    task: Annotated[str, typer.Option(help="Task key, such as ave, avqa or arig.")],
    question: Annotated[str | None, typer.Option(help="For avqa.")] = None,
    sound: Annotated[Path | None, typer.Option(help="Sound that goes with a picture or a silent video.")] = None,
    start: Annotated[float | None, typer.Option(help="Window in seconds: start.")] = None,
    end: Annotated[float | None, typer.Option(help="Window in seconds: end.")] = None,
    model: Model = "tiny",
    adapter: Adapter = None,
    pack: PackFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print the prediction as JSON.")] = False,
) -> None:
    """Ask a model about one media file."""
    with clear_errors():
        from crabplus.api import CrabPlus, check_question, media_for
        from crabplus.data import pack_for
        from crabplus.schema import to_json

        chosen = pack_for(model, pack)
        check_question(task, question)  # refuse before the model loads
        media_for(task, file, sound, start, end, chosen.longest)
        chosen.wording(task)
        plus = CrabPlus.from_pretrained(model, adapter, pack=pack)
        made = plus.ask(file, task=task, question=question, sound=sound, start=start, end=end)
    typer.echo(to_json(made) if json else _in_words(made))


def _in_words(made: Any) -> str:
    from crabplus.report.card import describe
    from crabplus.schema import Sample

    sample = Sample(id=made.id, dataset="own", task=made.task, split="own")
    answer = describe(made.answer, sample) if made.answer else f"no answer: {made.reason}"
    for thing in getattr(made.answer, "objects", ()):
        if thing.box:
            x1, y1, x2, y2 = (f"{100 * side:.0f}" for side in thing.box)
            answer += f"\n  {thing.label}: {x1} to {x2} % across and {y1} to {y2} % down the picture"
    return f"{answer}\n  {made.reasoning}" if made.reasoning else answer

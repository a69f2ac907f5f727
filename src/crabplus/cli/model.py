"""Commands that ask a model and judge its answers: demo, ask, predict, evaluate."""

from pathlib import Path
from typing import Annotated, Any

import typer

from crabplus.cli.options import (
    Adapter,
    Data,
    Keys,
    Model,
    Out,
    PackFile,
    Plugin,
    Seed,
    Split,
    clear_errors,
    keys_in,
    take_plugin,
    track,
)


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


def predict(
    data: Data,
    keys: Keys,
    out: Annotated[Path, typer.Option(help="File for the predictions, a line of JSON each.")],
    split: Split = "test",
    model: Model = "tiny",
    adapter: Adapter = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 8,
    pack: PackFile = None,
    plugin: Plugin = None,
) -> None:
    """Answer every sample of a data folder."""
    with clear_errors():
        take_plugin(plugin)
        from crabplus.api import CrabPlus
        from crabplus.data import WithSource
        from crabplus.datasets.avuie import read
        from crabplus.generate import predict as answer
        from crabplus.models.source import Files
        from crabplus.schema import to_json

        samples = [sample for key in keys_in(keys) for sample in read(data, key, split)]
        plus = CrabPlus.from_pretrained(model, adapter, pack=pack)
        made = answer(plus.model, WithSource(samples, Files(data)), plus.pack, batch_size, plus.origin)
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", encoding="utf-8") as file:
            for prediction in track(made, "answering", len(samples)):
                file.write(to_json(prediction) + "\n")
                file.flush()
    typer.echo(f"{len(samples)} predictions in {out}")


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="File that 'predict' wrote.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="File for the scores.")] = Path("scores.json"),
    split: Split = "test",
    keys: Annotated[str | None, typer.Option(help="Task keys; default: those of the predictions.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Score although ids do not match the split.")] = False,
    plugin: Plugin = None,
) -> None:
    """Score predictions with the official metric of each key."""
    with clear_errors():
        take_plugin(plugin)
        from rich.console import Console

        from crabplus.datasets.avuie import read
        from crabplus.evaluate import evaluate as judge
        from crabplus.evaluate import read_predictions, write_scores
        from crabplus.report.table import score_table

        said = read_predictions(predictions)
        names = keys_in(keys) if keys else tuple(dict.fromkeys(prediction.task for prediction in said))
        said = [prediction for prediction in said if prediction.task in names]
        scores = judge([sample for key in names for sample in read(data, key, split)], said, partial=partial)
        write_scores(out, scores)
    Console().print(score_table(scores))
    typer.echo(f"scores: {out}")


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

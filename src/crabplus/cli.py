"""The ``crabplus`` command. Everything heavy is imported inside the commands, so that ``--help`` answers at once."""

import logging
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from crabplus import __version__

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None,  # laying help out with Rich takes a third of a second
    help="One audio-visual language model for many tasks: what is heard and seen, when, and where.",
)  # fmt: skip


class KeyGroup(TyperGroup):
    """Takes a task key where the name of a command stands: ``build ave`` is ``build original ave``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See ``click.Group``."""
        named = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if named else ["original", *args])


build_app = typer.Typer(
    cls=KeyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Build a folder of samples: 'tidepool', or a task key (see 'ls datasets' and 'build KEY --help').",
)
app.add_typer(build_app, name="build")

ls_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List what there is.")
app.add_typer(ls_app, name="ls")

Out = Annotated[Path, typer.Option(help="Folder to write to.")]
Seed = Annotated[int, typer.Option(help="Another seed makes other clips.")]
Keys = Annotated[str, typer.Option(help="Task keys, with commas between them.")]
Model = Annotated[str, typer.Option(help="'tiny' for the shipped model, a folder, or a hub name.")]
Adapter = Annotated[str | None, typer.Option(help="Folder of an adapter; 'none' for the bare base.")]
Data = Annotated[Path, typer.Option(help="AV-UIE v2 folder.")]
Split = Annotated[str, typer.Option(help="Split of the data.")]
PackFile = Annotated[Path | None, typer.Option("--pack", help="Wording pack (YAML); default: the model's own.")]
Plugin = Annotated[Path | None, typer.Option(help="Python file with a dataset, and perhaps a task, of your own.")]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"crabplus {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Out = Path("demo"),
    samples: Annotated[int, typer.Option(min=1, help="Clips of each task key.")] = 16,
    seed: Seed = 0,
) -> None:
    """Make unseen clips, answer every key, and write report.html and scores.json."""
    from rich.console import Console

    from crabplus.demo import run_demo
    from crabplus.report.table import score_table

    made = run_demo(out, samples, seed, _track)
    Console().print(score_table(made.scores, made.off, title="crabplus-tiny on unseen Tidepool clips"))
    typer.echo(f"report: {made.report}\nscores: {made.numbers}")


@app.command()
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
    with _clear_errors():
        from crabplus.api import CrabPlus, check_question, media_for, pack_for
        from crabplus.schema import to_json
        from crabplus.tasks import load_pack

        chosen = load_pack(pack) if pack else pack_for(model)
        check_question(task, question)  # refuse before the model loads
        media_for(task, file, sound, start, end, chosen.longest)
        chosen.wording(task)
        plus = CrabPlus.from_pretrained(model, adapter, pack=pack)
        made = plus.ask(file, task=task, question=question, sound=sound, start=start, end=end)
    typer.echo(to_json(made) if json else _in_words(made))


@build_app.command("tidepool")
def build_tidepool(
    out: Out,
    keys: Keys = "ave,avqa,arig",
    split: Split = "train",
    samples: Annotated[int, typer.Option(min=1, help="Clips of each key.")] = 100,
    seed: Seed = 0,
    level: Annotated[str, typer.Option(help="How hard the world is.")] = "standard",
) -> None:
    """Film Tidepool clips with exact ground truth."""
    with _clear_errors():
        from crabplus.tidepool.build import build

        names = _split(keys)
        made = sum(1 for _ in _track(build(out, names, split, samples, seed, level), "filming", samples * len(names)))
    typer.echo(f"{made} samples of {', '.join(names)} in {out}")


@build_app.command("original", hidden=True)
def build_original(
    key: Annotated[str, typer.Argument(help="Task key.")],
    out: Out,
    root: Annotated[Path | None, typer.Option(help="Folder of the original files.")] = None,
    splits: Annotated[str | None, typer.Option(help="Splits, with commas between them; default: all.")] = None,
    media: Annotated[str, typer.Option(help="reference, link or copy.")] = "reference",
    probe: Annotated[bool, typer.Option(help="Look at every media file.")] = True,
    keep_missing: Annotated[bool, typer.Option(help="Write also samples whose media cannot be read.")] = False,
    published: Annotated[bool, typer.Option(help="Write the published JSON layout too.")] = False,
    option: Annotated[list[str] | None, typer.Option(help="A variant, as name=choice; may be repeated.")] = None,
    shard: Annotated[str, typer.Option(help="Which part of how many, as 2/8.")] = "1/1",
    merge: Annotated[bool, typer.Option("--merge", help="Join the parts that --shard wrote.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Files looked at at a time.")] = 2,
    plugin: Plugin = None,
) -> None:
    """Read an original dataset: build KEY --root FOLDER --out FOLDER."""
    with _clear_errors():
        from rich.console import Console

        from crabplus.datasets import get_dataset
        from crabplus.datasets.build import build
        from crabplus.datasets.build import merge as join
        from crabplus.report.table import build_table

        _take(plugin)
        dataset = get_dataset(key, **dict(_pair(text, "=", "--option name=choice") for text in option or ()))
        names = _split(splits) if splits else tuple(dataset.splits)
        if merge:
            for split in names:
                for remark in (f"joined: {split}", *join(dataset, out, split, published)):
                    typer.echo(remark)
            return
        if root is None:
            raise ValueError(f"--root FOLDER is missing: where {dataset.name} was unpacked, with {dataset.needs}")
        number, count = (int(text) for text in _pair(shard, "/", "--shard 2/8"))
        made = build(
            dataset, root, out, names, place=_one_of(media, "reference", "link", "copy"), probe=probe,
            keep=keep_missing, published=published, shard=(number - 1, count), workers=workers, track=_track,
        )  # fmt: skip
    Console().print(build_table(made, title=f"{dataset.name}, {dataset.homepage}; licence: {dataset.licence}"))


@app.command()
def annotate(
    data: Data,
    keys: Keys,
    split: Split = "train",
    teacher: Annotated[str, typer.Option(help="'template', 'local:MODEL', or a model behind --url.")] = "template",
    url: Annotated[str | None, typer.Option(help="OpenAI-compatible endpoint; its key is OPENAI_API_KEY.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Pictures of a video that are sent.")] = 8,
    sound: Annotated[bool, typer.Option(help="Send the sound.")] = True,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts for a sample.")] = 3,
    concurrency: Annotated[int, typer.Option(min=1, help="Calls at a time.")] = 8,
    budget: Annotated[float | None, typer.Option(help="Stop when the calls have cost so much.")] = None,
    price_in: Annotated[float, typer.Option(help="Price of a million tokens sent.")] = 0.0,
    price_out: Annotated[float, typer.Option(help="Price of a million tokens written.")] = 0.0,
    audit: Annotated[Path | None, typer.Option(help="Page with 2 % of the samples, to look through.")] = None,
    plugin: Plugin = None,
) -> None:
    """Write explicit reasoning that leads to the true answers of a data folder."""
    with _clear_errors():
        from crabplus.models.source import Files
        from crabplus.reasoning.annotate import Rules
        from crabplus.reasoning.folder import annotate_folder, audited
        from crabplus.reasoning.teacher import Endpoint, Local, by_template
        from crabplus.report.html import write_gallery

        _take(plugin)
        if budget is not None and not (price_in or price_out):
            raise ValueError("--budget needs prices: --price-in and --price-out, for a million tokens")
        if teacher == "template":
            asked: Any = by_template
        elif teacher.startswith("local:"):
            asked = Local(*_local(teacher.removeprefix("local:"), data))
        else:
            asked = Endpoint(teacher, Files(data), url, frames=frames, sound=sound)
        rules = Rules(attempts, concurrency, budget, price_in, price_out)
        shown, outcomes = [], []
        for key in _known(keys):
            outcomes.append(annotate_folder(data, key, split, asked, teacher, rules, _track))
            typer.echo(outcomes[-1].words)
            shown += audited(data, key, split) if audit else []
        if audit:
            write_gallery(audit, *_audited(shown, data), title=f"Reasoning in {data.name}")
            typer.echo(f"audit: {audit}")
        if any(outcome.made.failed or outcome.made.stopped for outcome in outcomes):
            raise typer.Exit(1)


@app.command()
def export(
    data: Data,
    keys: Keys,
    out: Out,
    to: Annotated[str, typer.Option(help="ms-swift, llama-factory or parquet (for Hugging Face datasets).")],
    split: Split = "train",
    pack: PackFile = None,
    plugin: Plugin = None,
) -> None:
    """Write samples in the form of other training software."""
    with _clear_errors():
        from crabplus.datasets.avuie import read
        from crabplus.datasets.export import export as write
        from crabplus.tasks import load_pack

        _take(plugin)
        form = _one_of(to, "ms-swift", "llama-factory", "parquet")
        for key in _known(keys):
            for remark in write(
                read(data, key, split), data, out, f"{key}_{split}", form, load_pack(pack) if pack else None
            ):
                typer.echo(f"{key}: {remark}")
    typer.echo(f"{keys} in {out}")


@app.command()
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
    with _clear_errors():
        _take(plugin)
        from crabplus.api import CrabPlus
        from crabplus.data import WithSource
        from crabplus.datasets.avuie import read
        from crabplus.generate import predict as answer
        from crabplus.models.source import Files
        from crabplus.schema import to_json

        samples = [sample for key in _known(keys) for sample in read(data, key, split)]
        plus = CrabPlus.from_pretrained(model, adapter, pack=pack)
        made = answer(plus.model, WithSource(samples, Files(data)), plus.pack, batch_size, plus.origin)
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", encoding="utf-8") as file:
            for prediction in _track(made, "answering", len(samples)):
                file.write(to_json(prediction) + "\n")
                file.flush()
    typer.echo(f"{len(samples)} predictions in {out}")


@app.command()
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
    with _clear_errors():
        _take(plugin)
        from rich.console import Console

        from crabplus.datasets.avuie import read
        from crabplus.evaluate import evaluate as judge
        from crabplus.evaluate import read_predictions, write_scores
        from crabplus.report.table import score_table

        said = read_predictions(predictions)
        names = _known(keys) if keys else tuple(dict.fromkeys(prediction.task for prediction in said))
        said = [prediction for prediction in said if prediction.task in names]
        scores = judge([sample for key in names for sample in read(data, key, split)], said, partial=partial)
        write_scores(out, scores)
    Console().print(score_table(scores))
    typer.echo(f"scores: {out}")


@ls_app.command("data")
def ls_data(
    folder: Annotated[Path, typer.Argument(help="AV-UIE v2 folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with some samples to look at.")] = None,
    cards: Annotated[int, typer.Option(min=0, help="Samples of each split on that page.")] = 6,
    plugin: Plugin = None,
) -> None:
    """Counts, labels and durations of a data folder."""
    with _clear_errors():
        import json as writer

        from rich.console import Console

        from crabplus.datasets.summary import summaries
        from crabplus.report.table import data_table

        _take(plugin)
        made = summaries(folder)
        if html:
            _gallery(folder, html, made, cards)
        if json:
            typer.echo(writer.dumps([summary.as_dict() for summary in made], ensure_ascii=False, indent=1))
        else:
            Console().print(data_table(made, title=str(folder)))


@ls_app.command("datasets")
def ls_datasets(
    json: Annotated[bool, typer.Option("--json", help="Print as JSON, with all that is known.")] = False,
    plugin: Plugin = None,
) -> None:
    """Every dataset that can be built: its key, splits, variants, licence and what files it needs."""
    with _clear_errors():
        import json as writer

        from rich.console import Console
        from rich.table import Table

        from crabplus.datasets import DATASETS, get_dataset

        _take(plugin)
        known = {key: get_dataset(key) for key in DATASETS}
        if json:
            names = ("name", "splits", "options", "needs", "licence", "homepage", "paper")
            made = {key: {name: getattr(item, name) for name in names} for key, item in known.items()}
            typer.echo(writer.dumps(made, indent=1))
            return
        table = Table("key", "dataset", "splits", "needs")
        for key, item in known.items():
            splits = ", ".join(f"{split} {count or '?'}" for split, count in item.splits.items())
            table.add_row(key, f"{item.name}\n{item.licence}", splits, item.needs)
        Console().print(table)
        typer.echo("options, homepages and papers: --json")


def _local(model: str, data: Path) -> Any:
    """A function that gives the answer of a model to a conversation, and its pack."""
    from crabplus.api import CrabPlus
    from crabplus.generate import generate
    from crabplus.models.source import Files

    plus = CrabPlus.from_pretrained(model)

    def answer(messages: Any) -> str:
        return generate(plus.model, [plus.model.encode(messages, Files(data))], plus.pack.max_new_tokens)[0]

    return answer, plus.pack


def _audited(shown: list[Any], folder: Path) -> Any:
    from itertools import groupby

    from crabplus.datasets.summary import summarise
    from crabplus.report.html import Card

    groups = groupby((sample for sample, _ in shown), key=lambda sample: (sample.task, sample.split))
    summaries = [summarise(key, split, group) for (key, split), group in groups]
    return summaries, [Card(sample, said, folder, asked=said is not None) for sample, said in shown]


def _gallery(folder: Path, page: Path, summaries: Any, count: int) -> None:
    from itertools import islice

    from crabplus.datasets.avuie import read
    from crabplus.report.html import Card, write_gallery

    shown = [
        Card(sample, None, folder, asked=False)
        for made in summaries
        for sample in islice(read(folder, made.key, made.split), count)
    ]
    write_gallery(page, summaries, shown, title=f"What is in {folder.name}")


def main() -> None:
    """Entry point of the console script."""
    # it is imported by PEFT where it is installed, and then tells of kernels that nothing here uses
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # of transformers to itself: nothing that a user of these commands could change
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    app()


class _clear_errors:
    """Ends the command with the message of an error that a user can mend, in place of a traceback."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, KeyboardInterrupt):
            typer.secho("interrupted; what was done is kept, and the same command goes on", err=True, fg="yellow")
            raise typer.Exit(130) from None
        if isinstance(error, ValueError | KeyError | OSError):
            typer.secho(f"error: {error.args[0] if isinstance(error, KeyError) else error}", err=True, fg="red")
            raise typer.Exit(2) from None


def _split(keys: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key.strip() for key in keys.split(",") if key.strip()))


def _known(keys: str) -> tuple[str, ...]:
    from crabplus.tasks import get_task

    return tuple(get_task(key).key for key in _split(keys))


def _take(plugin: Path | None) -> None:
    if plugin:
        from crabplus.datasets import add_plugin

        add_plugin(plugin)


def _pair(text: str, sign: str, form: str) -> tuple[str, str]:
    left, found, right = text.partition(sign)
    if not (left and found and right):
        raise ValueError(f"{form} wanted, got {text!r}")
    return left, right


def _one_of(text: str, *known: str) -> Any:
    if text not in known:
        raise ValueError(f"one of {', '.join(known)} wanted, got {text!r}")
    return text


def _track(items: Iterable[Any], heading: str, total: int) -> Iterator[Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        yield from progress.track(items, total=total, description=heading)


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


if __name__ == "__main__":
    main()

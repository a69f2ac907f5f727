"""Commands about data: build, annotate, export, ls."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from crabplus.cli.options import (
    Data,
    Keys,
    Out,
    PackFile,
    Plugin,
    Ray,
    RayCommand,
    Seed,
    Split,
    clear_errors,
    halves,
    keys_in,
    names_in,
    one_of,
    processes,
    shard_of,
    take_plugin,
    track,
    workers_at,
)


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


ls_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List what there is.")


@build_app.command("tidepool", cls=RayCommand)
def build_tidepool(
    out: Out,
    keys: Annotated[str, typer.Option(help="Task keys, with commas between them, or 'all'.")] = "all",
    split: Split = "train",
    samples: Annotated[int, typer.Option(min=1, help="Clips of each key.")] = 100,
    seed: Seed = 0,
    level: Annotated[str, typer.Option(help="How hard the world is.")] = "standard",
    workers: Annotated[int, typer.Option(min=1, help="Processes that film.")] = 1,
    ray: Ray = None,
) -> None:
    """Film Tidepool clips with exact ground truth."""
    with clear_errors():
        from crabplus.tidepool.build import build, maker
        from crabplus.tidepool.keys import KEYS

        names = tuple(KEYS) if keys == "all" else names_in(keys)
        out.mkdir(parents=True, exist_ok=True)
        make = partial(maker, out, split, seed)
        with workers_at(ray, make, [out]) as there, processes(1 if ray else workers, make()) as here:
            made = build(out, names, split, samples, seed, level, there.map if there else here)
            count = sum(1 for _ in track(made, "filming", samples * len(names)))
    typer.echo(f"{count} samples of {', '.join(names)} in {out}")


@build_app.command("original", cls=RayCommand, hidden=True)
def build_original(
    key: Annotated[str, typer.Argument(help="Task key.")],
    out: Out,
    root: Annotated[Path | None, typer.Option(help="Folder of the original files.")] = None,
    splits: Annotated[
        str | None, typer.Option("--splits", "--split", help="Splits, with commas between them; default: all.")
    ] = None,
    media: Annotated[str, typer.Option(help="reference, link or copy.")] = "reference",
    probe: Annotated[bool, typer.Option(help="Look at every media file.")] = True,
    keep_missing: Annotated[bool, typer.Option(help="Write also samples whose media cannot be read.")] = False,
    published: Annotated[bool, typer.Option(help="Write the published JSON layout too.")] = False,
    option: Annotated[list[str] | None, typer.Option(help="A variant, as name=choice; may be repeated.")] = None,
    shard: Annotated[str, typer.Option(help="Which part of how many, as 2/8.")] = "1/1",
    merge: Annotated[bool, typer.Option("--merge", help="Join the parts that --shard wrote.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Files looked at at a time.")] = 2,
    ray: Ray = None,
    plugin: Plugin = None,
) -> None:
    """Read an original dataset: build KEY --root FOLDER --out FOLDER."""
    with clear_errors():
        from rich.console import Console

        from crabplus.datasets import get_dataset
        from crabplus.datasets.build import build
        from crabplus.datasets.build import merge as join
        from crabplus.datasets.medialist import Looker
        from crabplus.report.table import build_table

        take_plugin(plugin)
        dataset = get_dataset(key, **dict(halves(text, "=", "--option name=choice") for text in option or ()))
        names = names_in(splits) if splits else tuple(dataset.splits)
        if merge:
            for split in names:
                for remark in (f"joined: {split}", *join(dataset, out, split, published)):
                    typer.echo(remark)
            return
        if root is None:
            raise ValueError(f"--root FOLDER is missing: where {dataset.name} was unpacked, with {dataset.needs}")
        number, count = shard_of(shard)
        with workers_at(ray, partial(Looker, root), [root]) as there:
            made = build(
                dataset, root, out, names, place=one_of(media, "reference", "link", "copy"), probe=probe,
                keep=keep_missing, published=published, shard=(number - 1, count), workers=workers, track=track,
                spread=there and there.map,
            )  # fmt: skip
    Console().print(build_table(made, title=f"{dataset.name}, {dataset.homepage}; licence: {dataset.licence}"))


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
    ray: Ray = None,
    plugin: Plugin = None,
) -> None:
    """Write explicit reasoning that leads to the true answers of a data folder."""
    with clear_errors():
        from crabplus.reasoning.annotate import Rules
        from crabplus.reasoning.folder import annotate_folder, audited
        from crabplus.report.html import write_gallery

        take_plugin(plugin)
        if budget is not None and not (price_in or price_out):
            raise ValueError("--budget needs prices: --price-in and --price-out, for a million tokens")
        make = partial(_teacher, teacher, data, url, frames, sound)
        rules = Rules(attempts, concurrency, budget, price_in, price_out)
        shown, outcomes, output = [], [], sys.stdout  # which Ray does not get
        with workers_at(ray, make, [data], plugin, **_place(teacher, concurrency)) as workers:
            asked = workers or make()
            for key in keys_in(keys):
                outcomes.append(annotate_folder(data, key, split, asked, teacher, rules, track))
                typer.echo(outcomes[-1].words, file=output)
                shown += audited(data, key, split) if audit else []
        if audit:
            write_gallery(audit, *_audited(shown, data), title=f"Reasoning in {data.name}")
            typer.echo(f"audit: {audit}")
        if any(outcome.made.failed or outcome.made.stopped for outcome in outcomes):
            raise typer.Exit(1)


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
    with clear_errors():
        from crabplus.datasets.avuie import read
        from crabplus.datasets.export import export as write
        from crabplus.tasks import load_pack

        take_plugin(plugin)
        form = one_of(to, "ms-swift", "llama-factory", "parquet")
        for key in keys_in(keys):
            for remark in write(
                read(data, key, split), data, out, f"{key}_{split}", form, load_pack(pack) if pack else None
            ):
                typer.echo(f"{key}: {remark}")
    typer.echo(f"{keys} in {out}")


@ls_app.command("data")
def ls_data(
    folder: Annotated[Path, typer.Argument(help="AV-UIE v2 folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with some samples to look at.")] = None,
    cards: Annotated[int, typer.Option(min=0, help="Samples of each split on that page.")] = 6,
    plugin: Plugin = None,
) -> None:
    """Counts, labels and durations of a data folder."""
    with clear_errors():
        import json as writer

        from rich.console import Console

        from crabplus.datasets.summary import summaries
        from crabplus.report.table import data_table

        take_plugin(plugin)
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
    with clear_errors():
        import json as writer

        from rich.console import Console
        from rich.table import Table

        from crabplus.datasets import DATASETS, get_dataset

        take_plugin(plugin)
        known = {key: get_dataset(key) for key in DATASETS}
        if json:
            names = ("name", "splits", "options", "needs", "licence", "homepage", "paper")
            made = {key: {name: getattr(item, name) for name in names} for key, item in known.items()}
            typer.echo(writer.dumps(made, indent=1))
            return
        table = Table("key", "dataset", "splits")
        table.add_column("needs", overflow="fold")  # a name of a file is not shortened
        for key, item in known.items():
            splits = ", ".join(f"{split} {count or '?'}" for split, count in item.splits.items())
            table.add_row(key, f"{item.name}\n{item.licence}", splits, item.needs)
        Console().print(table)
        typer.echo("options, homepages and papers: --json")


def _teacher(teacher: str, data: Path, url: str | None, frames: int, sound: bool) -> Any:
    from crabplus.models.source import Files
    from crabplus.reasoning.teacher import Endpoint, Local, by_template

    if teacher == "template":
        return by_template
    if teacher.startswith("local:"):
        return Local(*_local(teacher.removeprefix("local:"), data))
    return Endpoint(teacher, Files(data), url, frames=frames, sound=sound)


def _place(teacher: str, concurrency: int) -> dict[str, Any]:
    """What a worker of a cluster has, and how many calls it makes at a time: a model answers one."""
    if not teacher.startswith("local:"):
        return {"at_once": concurrency}
    import torch

    return {"gpu": True, "cpus": torch.get_num_threads()}


def _local(model: str, data: Path) -> Any:
    """A function that gives the answer of a model to a conversation, and its pack."""
    from crabplus.api import CrabPlus
    from crabplus.generate import generate
    from crabplus.models.source import Files

    plus = CrabPlus.from_pretrained(model)

    def answer(messages: Any) -> str:
        return generate(plus.model, [plus.model.encode(messages, Files(data))], plus.pack.max_new_tokens)[0].text

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

"""Commands that answer the samples of a data folder and judge the answers: predict, evaluate."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from crabplus.cli.options import (
    Adapter,
    Data,
    Keys,
    Model,
    PackFile,
    Plugin,
    Split,
    clear_errors,
    keys_in,
    one_of,
    part_of,
    take_plugin,
    track,
)


def predict(
    data: Data,
    keys: Keys,
    out: Annotated[Path, typer.Option(help="File for the predictions, a line of JSON each.")],
    split: Split = "test",
    model: Model = "tiny",
    adapter: Adapter = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples at a time; fewer where memory is short.")] = 8,
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode ahead; 0: a thread does.")] = 0,
    shard: Annotated[str, typer.Option(help="Which part of how many, as 2/8.")] = "1/1",
    reasoning: Annotated[str, typer.Option(help="on or off: the answer alone.")] = "on",
    constrain: Annotated[bool, typer.Option("--constrain", help="Hold answers to the form of their task.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew where the file is there.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Ask samples with an error again.")] = False,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16; default: as stored.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda, mps or cpu; default: what is there.")] = None,
    pack: PackFile = None,
    plugin: Plugin = None,
) -> None:
    """Answer every sample of a data folder; the same command goes on where it was interrupted."""
    with clear_errors():
        take_plugin(plugin)
        from crabplus.api import CrabPlus, adapter_for, origin_of, pack_for
        from crabplus.data import Chosen, Folder
        from crabplus.generate import dtype_of, settings_of
        from crabplus.models import family_of
        from crabplus.predictions import PredictionFile
        from crabplus.tasks import load_pack

        on = one_of(reasoning, "on", "off") == "on"
        loading = {"dtype": one_of(dtype, "auto", "float32", "bfloat16", "float16")} if dtype else {}
        family_of(model)
        folder = Folder(data, keys_in(keys), split)
        asked = Chosen(folder, part_of(shard, len(folder)))
        wording = load_pack(pack) if pack else pack_for(model)
        settings = settings_of(wording, origin_of(model, adapter_for(model, adapter)), on, constrain)
        settings.update(loading if dtype != "auto" else {})
        file = PredictionFile(out, _names(asked, wording, on))
        processes = _processes(device)
        with file.alone() if processes.is_main_process else nullcontext():
            if not overwrite:
                file.read()
                file.check(settings)
            if retry:
                file.forget_errors()
            if file.remaining():
                plus = CrabPlus.from_pretrained(
                    model, adapter, pack=pack, device=device or str(processes.device), **loading
                )
                file.check({"dtype": dtype_of(plus.model)})
                options = {"batch_size": batch_size, "workers": workers, "reasoning": on, "constrain": constrain}
                _answer(plus, file, asked, data, processes, options)
            processes.wait_for_everyone()
            if processes.is_main_process:
                file.read()
                file.gather()
                typer.echo(file.summary())
        processes.destroy_process_group()


def _names(asked: Any, pack: Any, reasoning: bool) -> list[tuple[str, str]]:
    """The names of all samples; the first of each key is worded, so that a pack without its key is told at once."""
    from crabplus.tasks import get_task

    names, seen = [], set()
    for sample in asked:
        if sample.task not in seen:
            get_task(sample.task).prompt(sample, pack, reasoning)
        seen.add(sample.task)
        names.append((sample.task, sample.id))
    if not names:
        raise ValueError("there are no samples to answer")
    return names


def _processes(device: str | None) -> Any:
    """This process among those that a launcher started, or alone; none waits less than a week for the others."""
    from datetime import timedelta

    from accelerate import PartialState

    from crabplus.api import default_device

    there = default_device()
    if device and device.partition(":")[0] not in ("cpu", there):
        raise ValueError(f"--device: cpu{'' if there == 'cpu' else f' or {there}'} wanted, got {device!r}")
    return PartialState(cpu=(device or there) == "cpu", timeout=timedelta(days=7))


def _answer(plus: Any, file: Any, asked: Any, data: Path, processes: Any, options: dict[str, Any]) -> None:
    """Answer what remains, each process its share; what is there is brought into one file before."""
    from crabplus.data import Chosen, WithSource
    from crabplus.generate import predict
    from crabplus.models.source import Files

    processes.wait_for_everyone()  # all have read the file
    if processes.is_main_process:
        file.gather()
    processes.wait_for_everyone()
    rank, world, remaining = processes.process_index, processes.num_processes, file.remaining()
    mine = remaining[rank::world]
    samples = WithSource(Chosen(asked, mine), Files(data))
    made = file.add(predict(plus.model, samples, plus.pack, origin=plus.origin, longest_first=True, **options), rank)
    if rank == 0:
        heading = "answering" if world == 1 else f"answering, 1 of {world} processes"
        done = (len(file.names) - len(remaining)) // world
        made = track(made, heading, len(mine) + done, done)
    for _ in made:
        pass


def evaluate(
    predictions: Annotated[list[Path], typer.Argument(help="Files that 'predict' wrote, such as all its shards.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="File for the scores.")] = Path("scores.json"),
    split: Split = "test",
    keys: Annotated[str | None, typer.Option(help="Task keys; default: those of the predictions.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Score although ids do not match the split.")] = False,
    masks: Annotated[Path | None, typer.Option(help="Folder that 'segment' wrote: s4, ms3, ref_avs by masks.")] = None,
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

        said = [prediction for path in predictions for prediction in read_predictions(path)]
        names = keys_in(keys) if keys else tuple(dict.fromkeys(prediction.task for prediction in said))
        said = [prediction for prediction in said if prediction.task in names]
        samples = [sample for key in names for sample in read(data, key, split)]
        scores = judge(samples, said, partial=partial)
        if masks:
            from crabplus.mask_scores import by_masks

            scores = by_masks(scores, samples, said, masks, data)
        write_scores(out, scores)
    Console().print(score_table(scores))
    typer.echo(f"scores: {out}")

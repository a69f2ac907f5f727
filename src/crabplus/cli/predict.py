"""Commands that answer own files or the samples of a data folder, and judge the answers: predict, evaluate."""

from pathlib import Path
from typing import Annotated, Any

import typer

from crabplus.cli.files import answer_files, check_files, exports_in
from crabplus.cli.options import (
    Adapter,
    Data,
    Model,
    PackFile,
    Plugin,
    Ray,
    Split,
    clear_errors,
    keys_in,
    one_of,
    part_of,
    take_plugin,
)
from crabplus.cli.own import (
    Cuts,
    End,
    Labels,
    Overlap,
    Question,
    Sound,
    Start,
    WindowLength,
    asked_of,
)
from crabplus.cli.run import Run


def predict(
    files: Annotated[list[Path] | None, typer.Argument(help="Own videos, sounds, pictures; folders; patterns.")] = None,
    data: Annotated[Path | None, typer.Option(help="AV-UIE v2 folder, in place of own files.")] = None,
    keys: Annotated[str | None, typer.Option(help="With --data: task keys, with commas between them.")] = None,
    split: Split = "test",
    task: Annotated[str | None, typer.Option(help="With own files: events, boxes, question, ..., or a key.")] = None,
    question: Question = None,
    labels: Labels = "",
    sound: Sound = None,
    start: Start = None,
    end: End = None,
    window: WindowLength = None,
    overlap: Overlap = None,
    cuts: Cuts = True,
    out: Annotated[Path | None, typer.Option(help="File for predictions; of own files a folder, 'answers'.")] = None,
    write: Annotated[str, typer.Option(help="With own files, also: csv, srt, coco, html, video.")] = "csv,html",
    segment: Annotated[str | None, typer.Option(help="Masks, too: grabcut (as of masks), or a SAM2 model.")] = None,
    model: Model = None,
    adapter: Adapter = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples at a time; fewer where memory is short.")] = 8,
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode ahead; 0: a thread does.")] = 0,
    shard: Annotated[str, typer.Option(help="With --data: which part of how many, as 2/8.")] = "1/1",
    ray: Ray = None,
    reasoning: Annotated[str, typer.Option(help="on or off: the answer alone.")] = "on",
    constrain: Annotated[bool, typer.Option("--constrain", help="Hold answers to the form of their task.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew where the file is there.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Ask samples with an error again.")] = False,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16; default: as stored.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda, mps or cpu; default: what is there.")] = None,
    pack: PackFile = None,
    plugin: Plugin = None,
) -> None:
    """Answer own files, or every sample of a data folder; the same command goes on where it was interrupted."""
    with clear_errors():
        take_plugin(plugin)
        from crabplus.loading import base_for
        from crabplus.models import family_of
        from crabplus.wording import pack_for

        _one_kind(files, data, keys, out, task, segment, shard)
        if ray:
            from crabplus.spread import check

            check(ray)
            if files or workers:
                raise ValueError("--ray goes with --data, and without --workers")
        written = exports_in(write)
        if files:
            check_files(files, out or Path("answers"))
        on = one_of(reasoning, "on", "off") == "on"
        loading = {"dtype": one_of(dtype, "auto", "float32", "bfloat16", "float16")} if dtype else {}
        model = base_for(model, adapter)
        family_of(model)
        options = {"batch_size": batch_size, "workers": workers, "reasoning": on, "constrain": constrain}
        wording = pack_for(model, pack, adapter)
        run = Run(model, adapter, pack, wording, device, loading, overwrite, retry, options, ray, plugin)
        if files:
            asked = asked_of(run.wording, task or "", question, labels, sound, start, end, window, overlap, cuts)
            run.options["constrain"] = constrain or asked.closed
            segmenter = segment or ("grabcut" if task == "masks" else None)
            answer_files(run, files, asked, out or Path("answers"), written, segmenter)
        elif data and out:
            answer_folder(run, data, keys_in(keys or ""), split, shard, out)


def _one_kind(files: Any, data: Any, keys: Any, out: Any, task: Any, segment: Any, shard: str) -> None:
    """Refuse own files and a data folder together, or neither, or options of the other one."""
    if bool(files) == bool(data):
        raise ValueError("name either own files, or a data folder (--data)")
    if files and (keys or shard != "1/1"):
        raise ValueError("--keys and --shard go with --data; own files go with --task")
    if files and not task:
        raise ValueError("name what is asked: --task events, boxes, masks, question, ...")
    if data and not (keys and out):
        raise ValueError("--data goes with --keys and --out")
    if data and (task or segment):
        raise ValueError("--task and --segment are for own files; masks of predictions are made by 'crabplus segment'")


def answer_folder(run: Any, data: Path, keys: tuple[str, ...], split: str, shard: str, out: Path) -> None:
    """Answer the samples of a data folder."""
    from crabplus.data import Chosen, Folder

    folder = Folder(data, keys, split)
    asked = Chosen(folder, part_of(shard, len(folder)))
    if not len(asked):
        raise ValueError("there are no samples to answer")
    with run.processes():
        file = run.answer(asked, data, out)
        if run.first:
            typer.echo(file.summary())


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

        from crabplus.datasets.avuie import index_path, read
        from crabplus.evaluate import evaluate as judge
        from crabplus.evaluate import read_predictions, write_scores
        from crabplus.report.table import score_table
        from crabplus.tasks import TASKS

        said = [prediction for path in predictions for prediction in read_predictions(path)]
        names = keys_in(keys) if keys else tuple(dict.fromkeys(prediction.task for prediction in said))
        said = [prediction for prediction in said if prediction.task in names]
        samples = [sample for key in names for sample in read(data, key, split)]
        scores = judge(samples, said, partial=partial)
        if masks:
            from crabplus.mask_scores import RULES, by_masks

            if not set(names) & set(RULES):
                raise ValueError(f"--masks is for {', '.join(RULES)}; these predictions are of {', '.join(names)}")

            scores = by_masks(scores, samples, said, masks, data)
        write_scores(out, scores)
        others = () if keys else [key for key in TASKS if key not in names]
        unasked = [key for key in others if index_path(data, key, split).is_file()]
    Console().print(score_table(scores))
    if unasked:
        typer.secho(
            f"no predictions, and so no score, of {', '.join(unasked)}, which {data} has", err=True, fg="yellow"
        )
    typer.echo(f"scores: {out}")

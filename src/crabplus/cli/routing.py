"""The command that shows which heads an I-LoRA adapter uses for what, and what each of them does: routing."""

import json
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
    Split,
    clear_errors,
    folder_for,
    keys_in,
    one_of,
    take_plugin,
    track,
)


def routing(
    data: Data,
    keys: Keys,
    out: Out,
    split: Split = "test",
    model: Model = None,
    adapter: Adapter = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples of each key, drawn at random.")] = 16,
    seed: Annotated[int, typer.Option(help="Another seed draws other samples.")] = 0,
    show: Annotated[int, typer.Option(min=0, help="Samples of each key that are shown token by token.")] = 2,
    ablate: Annotated[str, typer.Option(help="Switch heads off: none, heads, or layers: in bands of layers, too.")] = (
        "heads"
    ),
    renormalise: Annotated[
        bool, typer.Option("--renormalise", help="The other heads share the weight of one that is off.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples at a time; fewer where memory is short.")] = 8,
    reasoning: Annotated[str, typer.Option(help="on or off: the answer alone.")] = "on",
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16 or float16; default: as stored.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda, mps or cpu; default: what is there.")] = None,
    pack: PackFile = None,
    plugin: Plugin = None,
) -> None:
    """Show which heads the routers of an adapter choose, for which tokens and keys, and what each head does."""
    with clear_errors(left="nothing was written"):
        take_plugin(plugin)
        from crabplus.analysis.routing import ABLATE, Settings

        names = keys_in(keys)
        on = one_of(reasoning, "on", "off") == "on"
        settings = Settings(batch_size, on, show, one_of(ablate, *ABLATE), renormalise, seed=seed)
        loading = {"dtype": one_of(dtype, "auto", "float32", "bfloat16", "float16")} if dtype else {}
        if device:
            loading["device"] = device
        folder_for(out)
        model = _checked(model, adapter)
        asked = _draw(data, names, split, samples, seed)
        made = _study(model, adapter, pack, loading, asked, data, settings)
        made["about"] |= {"data": str(data), "split": split, "seed": seed}
        _write(out, made, data)
        few = [f"{key} {len(drawn)}" for key, drawn in asked.items() if len(drawn) < samples]
        if few:
            typer.echo(f"asked were all samples there are, fewer than {samples}: {', '.join(few)}")


def _checked(model: str | None, adapter: str | None) -> str:
    """The model; refuse an adapter without a router before it is loaded, which may take minutes."""
    from crabplus.loading import adapter_for, base_for

    model = base_for(model, adapter)
    folder = adapter_for(model, adapter)
    if str(folder) == "none":
        raise ValueError("there is no adapter, and so no router to look at; name an I-LoRA adapter (--adapter)")
    kind = json.loads((Path(folder) / "adapter_config.json").read_text(encoding="utf-8")).get("peft_type")
    if kind != "ILORA":
        raise ValueError(f"{folder} is of kind {kind}: it has no router to look at; name an I-LoRA adapter (--adapter)")
    return model


def _draw(data: Path, keys: tuple[str, ...], split: str, samples: int, seed: int) -> dict[str, list[Any]]:
    """Samples of each key, in the order of the data."""
    from random import Random

    from crabplus.data import Folder

    folder, drawn = Folder(data, keys, split), {}
    for key, size in folder.sizes.items():
        numbers = sorted(Random(f"{seed}/{key}").sample(range(size), min(samples, size)))
        drawn[key] = [folder[folder.firsts[key] + number] for number in numbers]
    return drawn


def _study(
    model: str, adapter: str | None, pack: Path | None, loading: dict[str, str], asked: dict[str, list[Any]],
    data: Path, settings: Any,
) -> dict[str, Any]:  # fmt: skip
    from crabplus.analysis.routing import study
    from crabplus.api import CrabPlus
    from crabplus.models.source import Files
    from crabplus.train.record import circumstances

    about = circumstances()  # of the start
    plus = CrabPlus.from_pretrained(model, adapter, pack=pack, **loading)
    made = study(plus.model, asked, Files(data), plus.pack, plus.origin, settings, track)
    shipped = "the adapter that is shipped with crabplus" if model == "tiny" else f"the adapter of {model}"
    return {"about": {**about, "model": plus.origin, "name": adapter or shipped}, **made}


def _write(out: Path, made: dict[str, Any], data: Path) -> None:
    from rich.console import Console

    from crabplus.report.routing import write_routing
    from crabplus.report.routing_words import findings, routing_table
    from crabplus.whole import write_whole

    numbers = out / "routing.json"
    write_whole(numbers, (json.dumps(made, allow_nan=False, ensure_ascii=False) + "\n").encode())
    page = write_routing(out, made, data)
    Console().print(routing_table(made))
    typer.echo("\n".join(findings(made)))
    typer.echo(f"page: {page}\nnumbers: {numbers}")

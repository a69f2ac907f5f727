"""Commands about models: ls models, compose."""

from pathlib import Path
from typing import Annotated, Any

import typer

from crabplus.cli.options import Plugin, clear_errors, one_of, take_plugin


def ls_models(
    models: Annotated[list[str] | None, typer.Argument(help="Models, by folder or hub name, to take apart.")] = None,
    plugin: Plugin = None,
) -> None:
    """Families of models and what is proven of each; of a model that is named its parts and their sizes."""
    with clear_errors():
        from rich.console import Console

        take_plugin(plugin)
        for name in models or ():
            Console().print(_parts(name))
        if not models:
            Console().print(_families())


def _families() -> Any:
    from rich.table import Table

    from crabplus.models import families

    table = Table("family", "model types", "parts", "proven")
    for name, family in families().items():
        table.add_row(name, ", ".join(family.MODEL_TYPES), ", ".join(family.PARTS), family.PROVEN)
    return table


def _parts(name: str) -> Any:
    from rich.table import Table

    from crabplus.models import family_of, load_skeleton
    from crabplus.train.adapters import part_of

    family, sizes = family_of(name), dict[str, int]()
    for parameter, value in load_skeleton(name).named_parameters():
        part = part_of(parameter, family.PARTS)
        sizes[part] = sizes.get(part, 0) + value.numel()
    table = Table("part", "module", "parameters", title=f"{name} ({family.__name__.rsplit('.', 1)[-1]})")
    for part in [*family.PARTS, "other"]:
        if part in sizes:
            table.add_row(part, family.PARTS.get(part, ""), f"{sizes[part]:,}")
    table.add_row("all", "", f"{sum(sizes.values()):,}")
    return table


def compose(
    vision: Annotated[str, typer.Option(help="Model that sees, such as google/siglip-so400m-patch14-384.")],
    audio: Annotated[str, typer.Option(help="Model that hears, such as openai/whisper-large-v3.")],
    language: Annotated[str, typer.Option(help="Causal language model, such as Qwen/Qwen2.5-7B-Instruct.")],
    out: Annotated[Path, typer.Option(help="Folder of the new model.")],
    connector: Annotated[str, typer.Option(help="mlp or qformer.")] = "mlp",
    grid: Annotated[int, typer.Option(min=1, help="A picture becomes GRID x GRID tokens.")] = 8,
    tokens_per_second: Annotated[int, typer.Option(min=1, help="Tokens of each begun second of sound.")] = 5,
) -> None:
    """Put a vision encoder, an audio encoder and a language model together; the connectors between them are new."""
    with clear_errors(left="nothing was written"):
        from crabplus.device import no_search

        no_search()
        from crabplus.models.modular import compose as put_together

        one_of(connector, "mlp", "qformer")
        if (out / "config.json").exists():
            raise ValueError(f"{out}: there is a model in it already; name another --out")
        put_together(vision, audio, language, out, connector, grid, tokens_per_second)
    typer.echo(
        f"{out}: now align its connectors: crabplus train CONFIG model={out} adapter.kind=none "
        "trained=vision-projector,audio-projector"
    )

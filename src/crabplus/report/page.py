"""Pages of HTML that need nothing beside them."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["PageTable", "fragment", "render"]

_TEMPLATES = Path(__file__).parent / "templates"


class PageTable(NamedTuple):
    """A table of words: the first cell of a row names it; ``bold`` names the rows that matter most.

    ``left`` are the numbers of further columns that hold words and no figures.
    """

    name: str
    title: str
    words: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold: Sequence[str] = ()
    left: Sequence[int] = ()


def render(template: str, **content: Any) -> str:
    """A page from a template of this package, with the shared style and script in it; texts are escaped."""
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    return _environment().get_template(template).render(
        **content, script=script, style=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


def fragment(template: str, **content: Any) -> str:
    """A piece of a page from a template of this package; texts are escaped."""
    return _environment().get_template(template).render(**content)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.3f}"
    environment.filters["percent"] = lambda value: f"{100 * min(max(value, 0.0), 1.0):.2f}%"
    return environment

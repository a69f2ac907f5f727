"""Pages of HTML that need nothing beside them, and files that appear whole or not at all."""

import os
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["render", "write_whole"]

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **content: Any) -> str:
    """A page from a template of this package, with the shared style and script in it; texts are escaped."""
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    return _environment().get_template(template).render(
        **content, script=script, style=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.3f}"
    environment.filters["percent"] = lambda value: f"{100 * min(max(value, 0.0), 1.0):.2f}%"
    return environment


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; its folder is made if need be, and an old file stays until then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

"""A reply as a piece of a page that is alive: what :mod:`.own` shows of a file, with masks, routing and downloads."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crabplus.report.embed import png_uri
from crabplus.report.own import file_card
from crabplus.report.own_media import Room, boxes_shown
from crabplus.report.page import fragment
from crabplus.report.views import Picture
from crabplus.schema import ObjectsAnswer, Reply

__all__ = ["HeadShares", "Region", "hint", "refusal", "reply_piece", "script", "style"]

_TEMPLATES = Path(__file__).parent / "templates"
_LARGEST = 960  # pixels of the longer side of a mask
_OVER = ("#ff3dbb", "#ffe14d", "#3dffd0", "#ff8a3d", "#9d7bff", "#b6ff3d")
"""Colours of masks, which pictures seldom have."""


@dataclass(frozen=True)
class Region:
    """The pixels (H, W), True where it is, of a thing at ``time`` seconds of a video; None for a still picture."""

    label: str
    mask: NDArray[np.bool_]
    time: float | None = None


@dataclass(frozen=True)
class HeadShares:
    """Mean router weight of each head of the adapter over the tokens of one kind."""

    name: str
    tokens: int
    shares: tuple[float, ...]


@dataclass(frozen=True)
class _Masked:
    """A picture with its boxes, and the masks over it as data URIs."""

    picture: Picture
    masks: tuple[str, ...]


@dataclass(frozen=True)
class _Download:
    name: str
    uri: str


def reply_piece(
    reply: Reply, name: str, regions: Sequence[Region] = (), routing: Sequence[HeadShares] = (),
    downloads: Mapping[str, str] | None = None, *, file_limit: int = 8 * 2**20, limit: int = 64 * 2**20,
) -> str:  # fmt: skip
    """A piece of HTML about one reply; texts are escaped, media are embedded.

    Args:
        reply: its paths are read as they are. name: of the file, as people know it; no path is shown.
        regions: masks, over pictures of their own. routing: by kind of token.
        downloads: texts to save by the name of their file.
        file_limit, limit: as for :func:`.own.write_replies`.
    """
    room = Room(limit, file_limit)
    made = [
        _Download(file, f"data:application/json;base64,{b64encode(text.encode()).decode()}")
        for file, text in (downloads or {}).items()
    ]
    return fragment(
        "piece.html.j2", file=replace(file_card([reply], room), path=name), masked=_masked(reply, regions, room),
        routing=routing, files=made,
    )  # fmt: skip


def refusal(words: str) -> str:
    """A piece that says why there is no answer."""
    return fragment("words.html.j2", kind="refusal", words=words)


def hint(words: str) -> str:
    """A piece that says what to do."""
    return fragment("words.html.j2", kind="hint", words=words)


@cache
def style() -> str:
    """The style of pieces, which leaves the rest of a page alone."""
    shared, own = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "piece.css"))
    return f"@scope (.piece) {{\n{shared.replace(':root', ':scope')}\n}}\n{own}"


@cache
def script() -> str:
    """Runs the script of the pages for every piece that comes into the page."""
    shared = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    return f"""(() => {{
const enliven = () => {{\n{shared}\n}};
new MutationObserver(() => {{
  for (const piece of document.querySelectorAll(".piece:not(.live)")) {{ piece.classList.add("live"); enliven(); }}
}}).observe(document.documentElement, {{ childList: true, subtree: true }});
}})();"""


def _masked(reply: Reply, regions: Sequence[Region], room: Room) -> list[_Masked]:
    """Pictures by their time, with the masks of that time."""
    if not isinstance(reply.answer, ObjectsAnswer):
        return []
    shown = []
    for time in dict.fromkeys(region.time for region in regions):
        things = tuple(thing for thing in reply.answer.objects if thing.time == time)
        pictures = boxes_shown(replace(reply, answer=replace(reply.answer, objects=things)), room).pictures
        masks = tuple(
            _mask_uri(region.mask, _OVER[number % len(_OVER)])
            for number, region in enumerate(region for region in regions if region.time == time)
        )
        shown += [_Masked(picture, masks) for picture in pictures]
    return shown


def _mask_uri(mask: NDArray[np.bool_], colour: str) -> str:
    """A mask (H, W) as PNG, coloured where it is and clear elsewhere."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    picture.thumbnail((_LARGEST, _LARGEST), Image.Resampling.NEAREST)
    coloured = Image.new("RGBA", picture.size, colour)
    coloured.putalpha(picture)
    buffer = BytesIO()
    coloured.save(buffer, "PNG", optimize=True)
    return png_uri(buffer.getvalue())

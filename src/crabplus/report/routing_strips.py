"""Router weights token by token as parts of a page: bands over seconds, cells over pictures, bars under words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from crabplus.media import MediaError, image
from crabplus.report.card import Card, seconds
from crabplus.report.colours import SERIES
from crabplus.report.embed import picture_uri
from crabplus.report.timeline import Tick, ticks_of
from crabplus.report.views import CardView, stills, view
from crabplus.schema import Media, Prediction, Sample, from_json

__all__ = ["Strip", "head_colour", "strip"]

_SIDE = 168  # pixels of the longer side of a small picture
_COLOUR = 0.62  # how much of a small picture is colour
_MANY = 60  # words that stand open; more are folded
_TITLES = {"text": "Prompt", "generated": "Answer", "audio": "Sound", "vision": "Pictures"}
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Word:
    """A word, the numbers behind it, and for each view a CSS background of as many colours as there are heads."""

    text: str
    words: str
    bars: tuple[str, ...]


@dataclass(frozen=True)
class Band:
    """Weights over a sound for one view: a closed SVG path for each head, in units of a bin and of 1."""

    name: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """A picture of a video, or a still one, and the same with coloured cells for each view."""

    name: str
    picture: str
    coloured: tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """A run of tokens of one kind; of ``words``, ``bands`` and ``frames`` one is there, or a ``remark`` says why not.

    Bands have ``bins`` bins over ``length`` seconds from ``start`` with ``ticks``, if the times are known;
    ``plays``: they belong to the first player of the card.
    """

    kind: str
    title: str
    words: tuple[Word, ...] = ()
    folded: bool = False
    bands: tuple[Band, ...] = ()
    bins: int = 0
    start: float = 0.0
    length: float = 0.0
    ticks: tuple[Tick, ...] = ()
    plays: bool = False
    frames: tuple[Frame, ...] = ()
    remark: str = ""


@dataclass(frozen=True)
class Strip:
    """A sample with its pieces."""

    key: str
    card: CardView
    pieces: tuple[Piece, ...]


def head_colour(number: int) -> str:
    """The colour of a head, from 0."""
    return SERIES[number % len(SERIES)]


def strip(told: Mapping[str, Any], views: Sequence[str], folder: Path, file_limit: int) -> Strip:
    """A sample of ``routing.json`` with its media embedded.

    Args:
        told: from ``strips`` of that file; views: what its weights are of; folder: of the media.
        file_limit: larger media files, in bytes, are not embedded.

    Raises:
        ReportError: a file of the sample is not there.
    """
    sample: Sample = from_json(dict(told["sample"]))
    card = Card(sample, from_json(dict(told["prediction"]), Prediction), folder, told["credit"])
    shown = view(card, file_limit)
    made = [_piece(piece, card, shown, views) for piece in told["pieces"]]
    return Strip(sample.task, shown, tuple(made))


def _piece(piece: Mapping[str, Any], card: Card, shown: CardView, views: Sequence[str]) -> Piece:
    kind = piece["kind"]
    if kind in ("text", "generated"):
        words = tuple(_word(word, views) for word in piece["words"])
        count = sum(word["tokens"] for word in piece["words"])
        return Piece(kind, f"{_TITLES[kind]}, {_counted(count)}", words, kind == "text" and len(words) > _MANY)
    media = None if piece["media"] is None else card.sample.media[piece["media"]]
    title = f"{_TITLES[kind]}{'' if media is None else f' of {media.role}'}, {_counted(piece['tokens'])}"
    return _sound(piece, title, media, shown, views) if kind == "audio" else _pictures(piece, title, media, card)


def _counted(tokens: int) -> str:
    return f"{tokens} token{'' if tokens == 1 else 's'}"


def _word(word: Mapping[str, Any], views: Sequence[str]) -> Word:
    text = word["text"] or "␣"
    lines = [f"{text}: {_counted(word['tokens'])}"]
    lines += [f"{name}: {_shares(weights)}" for name, weights in zip(views, word["weights"], strict=True)]
    return Word(text, "\n".join(lines), tuple(_gradient(weights) for weights in word["weights"]))


def _shares(weights: Sequence[float]) -> str:
    return ", ".join(f"head {number} {weight:.2f}" for number, weight in enumerate(weights, start=1))


def _gradient(weights: Sequence[float]) -> str:
    """A CSS background of colours side by side, as wide as the weights are large."""
    ends = np.cumsum(weights) / max(sum(weights), 1e-9) * 100
    begins = [0.0, *ends[:-1]]
    stops = [
        f"{head_colour(n)} {begin:.0f}% {end:.0f}%" for n, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]
    return f"linear-gradient(90deg,{','.join(stops)})"


def _sound(piece: Mapping[str, Any], title: str, media: Media | None, shown: CardView, views: Sequence[str]) -> Piece:
    bands = tuple(Band(name, _paths(np.array(weights))) for name, weights in zip(views, piece["weights"], strict=True))
    bins = len(piece["weights"][0])
    if media is None or piece["end"] is None:
        return Piece("audio", f"{title}, in their order", bands=bands, bins=bins)
    length = piece["end"] - piece["start"]
    plays = bool(shown.players) and shown.players[0].role == media.role
    return Piece("audio", title, bands=bands, bins=bins, start=piece["start"], length=length, ticks=ticks_of(length),
                 plays=plays)  # fmt: skip


def _paths(weights: FloatArray) -> tuple[str, ...]:
    """Stacked steps: weights (bins, H), the first head on top; x in bins, y from 0 to 1."""
    edges = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights, axis=1)], axis=1)
    edges /= np.maximum(edges[:, -1:], 1e-9)
    paths = []
    for head in range(weights.shape[1]):
        upper = [f"{x} {edges[n, head]:.3f}" for n in range(len(weights)) for x in (n, n + 1)]
        lower = [f"{x} {edges[n, head + 1]:.3f}" for n in reversed(range(len(weights))) for x in (n + 1, n)]
        paths.append(f"M{'L'.join([*upper, *lower])}Z")
    return tuple(paths)


def _pictures(piece: Mapping[str, Any], title: str, media: Media | None, card: Card) -> Piece:
    if piece["grid"] is None:
        return Piece("vision", title, remark="These tokens form no grid of cells that is known, so that none is drawn.")
    count, rows, columns = piece["grid"]
    cells = np.array(piece["weights"])  # (V, shown, cells, H)
    try:
        found = None if media is None else _small(card.path(media), media, count)
    except MediaError as error:
        return Piece("vision", title, remark=f"{media.role if media else 'a picture'} cannot be shown: {error}")
    frames = []
    for at, number in enumerate(piece["shown"]):
        picture = np.full((_SIDE, _SIDE, 3), 128, np.uint8) if found is None else found[number]
        coloured = [_blend(picture, of[at].reshape(rows, columns, -1)) for of in cells]
        name = _when(media, number, count)
        frames.append(Frame(name, picture_uri(picture, 80), tuple(picture_uri(one, 85) for one in coloured)))
    of = f", {len(frames)} of {count} frames" if len(frames) < count else ""
    return Piece("vision", f"{title}, {rows} x {columns} cells{of}", frames=tuple(frames))


def _small(path: Path, media: Media, count: int) -> NDArray[np.uint8]:
    """Pictures (count, H, W, 3) of a file, small."""
    size = (_SIDE, _SIDE)
    if media.size:
        width, height = (max(1, round(side * _SIDE / max(media.size))) for side in media.size)
        size = (width, height)
    if media.kind == "video":
        return stills(path, media, count, size)
    still = image(path, size) if media.start is None else stills(path, media, 1, size)[0]
    return still[None]


def _when(media: Media | None, number: int, count: int) -> str:
    """The time at which a frame was taken."""
    if media is None or media.kind != "video":
        return "" if count == 1 else f"picture {number + 1}"
    end = media.duration if media.end is None else media.end
    if end is None:
        return f"frame {number + 1} of {count}"
    start = media.start or 0.0
    return f"{seconds(start + (number + 0.5) / count * (end - start))} s"


def _blend(picture: NDArray[np.uint8], weights: FloatArray) -> NDArray[np.uint8]:
    """The picture in grey under cells in the mixed colours of the heads, by their weights (rows, columns, H)."""
    colours = np.array([to_rgb(head_colour(n)) for n in range(weights.shape[-1])]) * 255
    cells = (weights / np.maximum(weights.sum(-1, keepdims=True), 1e-9)) @ colours
    size = picture.shape[1], picture.shape[0]
    large = np.asarray(Image.fromarray(cells.round().astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
    grey = picture.mean(-1, keepdims=True)
    made: NDArray[np.uint8] = (_COLOUR * large + (1 - _COLOUR) * grey).round().astype(np.uint8)
    return made

"""Router weights token by token for a few samples: over the seconds of sounds, the cells of pictures, and the words.

The weights of a token are those with which the model reads it; the last token of an answer is never read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crabplus.analysis.tally import KINDS, Tokens
from crabplus.ilora import Pass
from crabplus.schema import Media, Message, Sample

__all__ = ["TokenWeights", "View", "pieces"]

BINS = 100  # of a sound; longer ones have several tokens in each
FRAMES = 6  # of a video
LONGEST = 8  # tokens of a word
_DIGITS = 3
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """Whose weights are shown: the mean over these layers; ``name`` says it in words."""

    name: str
    layers: frozenset[str]


class TokenWeights:
    """Keeps the router weights of every token of one answer, for a few views; a watcher.

    Attributes:
        ids: of the tokens that were read, pass by pass (T,); answered: number of prompts that were read.
    """

    def __init__(self, views: Sequence[View], tokens: Tokens) -> None:
        self.views, self.tokens, self.answered = views, tokens, 0
        self.ids: list[Tensor] = []
        self.codes: list[Tensor] = []
        self._sums: list[list[Tensor]] = [[] for _ in views]

    def begin(self, given: Pass) -> None:
        """See :class:`crabplus.ilora.Watcher`."""
        codes = self.tokens.read(given)
        assert given.ids is not None and codes is not None
        self.answered += len(given.ids) * (not given.goes_on)
        self.ids.append(given.ids[0].cpu())
        self.codes.append(codes[0].cpu())
        for sums in self._sums:
            sums.append(torch.zeros(()))

    def see(self, layer: str, weights: Tensor) -> None:
        """See :class:`crabplus.ilora.Watcher`."""
        if weights.shape[:-1] != (1, len(self.ids[-1])):
            return  # of a tower, which works on other rows
        for view, sums in zip(self.views, self._sums, strict=True):
            if layer in view.layers:
                sums[-1] = sums[-1] + weights[0].cpu().float() / len(view.layers)

    def read(self) -> tuple[list[int], list[int], FloatArray]:
        """Ids (T,), numbers of kinds (T,), and weights (V, T, H) of all tokens that count."""
        ids, codes = torch.cat(self.ids), torch.cat(self.codes)
        counts = codes >= 0
        weights = torch.stack([torch.cat(sums)[counts] for sums in self._sums])
        return ids[counts].tolist(), codes[counts].tolist(), weights.numpy()


@dataclass
class _Run:
    """Tokens of one kind that stand together; ``places`` are their numbers."""

    kind: str
    places: list[int]
    media: int | None = field(default=None)


def pieces(
    sample: Sample, prompt: Sequence[Message], watched: TokenWeights, tokenizer: Any, size: tuple[int, int]
) -> list[dict[str, Any]]:
    """The prompt and the answer piece by piece, ready for JSON.

    Each has ``kind``. Words have ``words`` with ``text``, ``tokens`` and ``weights`` (V, H). Sounds have ``media`` (the
    number of the sample's), ``tokens``, ``start``, ``end`` in seconds and ``weights`` (V, bins, H). Pictures have
    ``media``, ``tokens``, ``grid`` (frames, rows, columns), ``shown`` (numbers of the frames that have weights) and
    ``weights`` (V, shown, rows * columns, H).

    Args:
        prompt: as the task words it; watched: what was seen of the answer to it; size: width and height of pictures.
    """
    ids, codes, weights = watched.read()
    runs = [_Run(KINDS[code], [n for n, _ in group])
            for code, group in groupby(enumerate(codes), key=lambda pair: pair[1])]  # fmt: skip
    made = []
    for run in _placed(runs, sample):
        mine = weights[:, run.places]
        if run.kind in ("text", "generated"):
            words = list(_words([ids[n] for n in run.places], mine, tokenizer))
            made.append({"kind": run.kind, "words": words})
        elif run.kind == "audio":
            made.append(_sound(run, sample, mine))
        else:
            made.append(_pictures(run, sample, prompt, mine, size))
    return made


def _placed(runs: list[_Run], sample: Sample) -> list[_Run]:
    """The runs with the media that they stand for.

    They stand in the order of the media. A family that cuts one file into several runs has more runs than media: they
    are joined where there is one file of the kind, and else stay without a file.
    """
    for kind in ("audio", "vision"):
        mine = [run for run in runs if run.kind == kind]
        media = [n for n, item in enumerate(sample.media) if kind in _senses(item)]
        if len(media) == 1 and len(mine) > 1:
            mine[0].places = [place for run in mine for place in run.places]
            runs = [run for run in runs if run.kind != kind or run is mine[0]]
            mine = mine[:1]
        if len(mine) == len(media):
            for run, number in zip(mine, media, strict=True):
                run.media = number
    return runs


def _senses(item: Media) -> set[str]:
    if item.kind == "video":
        return {"vision", "audio"} if item.sound == "track" else {"vision"}
    return {"audio"} if item.kind == "audio" else {"vision"}


def _words(ids: Sequence[int], weights: FloatArray, tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Words with the mean weights of their tokens: one begins where white space or a special token does."""
    special = set(tokenizer.all_special_ids)
    group: list[int] = []
    for n, token in enumerate(ids):
        text = tokenizer.decode([token])
        begins = text[:1].isspace() or token in special or (n and ids[n - 1] in special)
        broken = group and "\ufffd" in tokenizer.decode([ids[m] for m in group])  # a letter of several tokens
        if group and (begins or len(group) >= LONGEST) and not broken:
            yield _word(group, ids, weights, tokenizer)
            group = []
        group.append(n)
    if group:
        yield _word(group, ids, weights, tokenizer)


def _word(group: list[int], ids: Sequence[int], weights: FloatArray, tokenizer: Any) -> dict[str, Any]:
    text = tokenizer.decode([ids[n] for n in group]).strip()
    return {"text": text, "tokens": len(group), "weights": _plain(weights[:, group].mean(1))}


def _sound(run: _Run, sample: Sample, weights: FloatArray) -> dict[str, Any]:
    bins = np.array_split(np.arange(len(run.places)), min(BINS, len(run.places)))
    pooled = np.stack([weights[:, part].mean(1) for part in bins], axis=1)
    start, end = (None, None) if run.media is None else _span(sample.media[run.media])
    return {"kind": "audio", "media": run.media, "tokens": len(run.places), "start": start, "end": end,
            "weights": _plain(pooled)}  # fmt: skip


def _span(item: Media) -> tuple[float, float | None]:
    return item.start or 0.0, item.duration if item.end is None and item.start is None else item.end


def _pictures(
    run: _Run, sample: Sample, prompt: Sequence[Message], weights: FloatArray, size: tuple[int, int]
) -> dict[str, Any]:
    media = None if run.media is None else sample.media[run.media]
    frames = next(
        (part.frames for message in prompt for part in message.parts if part.media and part.media == media), 1
    )
    grid = grid_of(len(run.places), frames or 1, size)
    made = {"kind": "vision", "media": run.media, "tokens": len(run.places), "grid": grid}
    if grid is None:
        return {**made, "shown": [], "weights": []}
    shown = np.linspace(0, grid[0] - 1, min(grid[0], FRAMES)).round().astype(int)
    cells = weights.reshape(len(weights), grid[0], grid[1] * grid[2], -1)[:, shown]
    return {**made, "shown": shown.tolist(), "weights": _plain(cells)}


def grid_of(tokens: int, frames: int, size: tuple[int, int]) -> list[int] | None:
    """Frames, rows and columns of so many tokens; None where they are no such grid.

    A family may join two pictures of a video into one frame. The cells of a frame are as wide as high, so that their
    rows and columns are as the ``size`` of a picture, width and height.
    """
    for count in dict.fromkeys((frames, ceil(frames / 2))):
        cells, rest = divmod(tokens, count)
        columns = round((cells * size[0] / size[1]) ** 0.5)
        if not rest and columns and cells % columns == 0 and _alike(cells // columns, columns, size):
            return [count, cells // columns, columns]
    return None


def _alike(rows: int, columns: int, size: tuple[int, int]) -> bool:
    """Whether a grid is as a picture is, within half a cell."""
    return abs(rows - columns * size[1] / size[0]) <= 0.5


def _plain(weights: FloatArray) -> Any:
    return weights.astype(float).round(_DIGITS).tolist()

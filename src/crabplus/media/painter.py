"""Draws marks over pictures: bands with words at the upper and lower edge, boxes with their names."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from crabplus.media.marks import Boxed, Marks, Words

__all__ = ["NEAR", "Painter"]

NEAR = 0.5
"""Seconds around the picture of a box during which its lines are thick."""
_COLOUR, _INK = (255, 148, 71), 20
_SHADE = 0.3  # of the picture that is left below words
_LETTERS, _LEAST = 0.04, 11  # height of letters: share of the shorter side, and pixels
_BAND = 0.34  # of the height that a band may take
_CUT = "..."

Picture = NDArray[np.uint8]


class _Token(NamedTuple):
    """A word, its font, and how far it stands from the one before, in pixels."""

    text: str
    font: str
    gap: int


class _Patch(NamedTuple):
    """Part of a picture from (x, y) on: each value there is multiplied by ``keep`` and ``add`` is added, (H, W, 3)."""

    x: int
    y: int
    keep: NDArray[np.float32]
    add: NDArray[np.float32]


class Painter:
    """Draws marks over the pictures of one film, in the order of time.

    Args:
        marks: what to draw and when. size: width and height of the pictures.
    """

    def __init__(self, marks: Marks, size: tuple[int, int]) -> None:
        self.marks, self.size = marks, size
        self.letters = max(_LEAST, round(_LETTERS * min(size)))
        self.line = max(2, round(min(size) / 160))
        every: list[Words | Boxed] = [*marks.above, *marks.below, *marks.boxes]
        changes = {time for mark in every for time in (mark.start, mark.end)}
        changes |= {box.time + sign * NEAR for box in marks.boxes for sign in (-1, 1)}
        self.changes = np.array(sorted(changes))
        self.stretch = -1  # between which changes the patches and boxes below are shown
        self.patches: list[_Patch] = []
        self.boxes: list[tuple[Boxed, int]] = []

    def paint(self, picture: Picture, time: float) -> None:
        """Draw what is to be seen at ``time`` over a picture, uint8 (H, W, 3), in place."""
        stretch = int(np.searchsorted(self.changes, time, side="right"))
        if stretch != self.stretch:
            self._prepare(time)
            self.stretch = stretch
        for box, width in self.boxes:
            corners = (box.x1, box.y1), (box.x2 - 1, box.y2 - 1)
            cv2.rectangle(picture, *corners, (0, 0, 0), width + 2)
            cv2.rectangle(picture, *corners, _COLOUR, width)
        for patch in self.patches:
            height, width = patch.keep.shape[:2]
            part = picture[patch.y : patch.y + height, patch.x : patch.x + width]
            part[:] = (part * patch.keep + patch.add).astype(np.uint8)

    def _prepare(self, time: float) -> None:
        boxes = [box for box in self.marks.boxes if box.start <= time < box.end]
        near = [self.line if abs(time - box.time) <= NEAR else max(1, self.line // 2) for box in boxes]
        self.boxes = list(zip(boxes, near, strict=True))
        self.patches = [self._name(box) for box in boxes if box.name.text]
        for words, low in ((self.marks.above, False), (self.marks.below, True)):
            shown = [each for each in words if each.start <= time < each.end]
            if shown:
                self.patches.append(self._band(shown, low))

    def _band(self, words: Sequence[Words], low: bool) -> _Patch:
        """A band over the whole width with as many lines as it may have; what does not fit is cut off visibly."""
        width, height = self.size
        edge = self.letters // 2
        lines = _flow(words, self.letters, width - 2 * edge)
        step = round(1.3 * self.letters)
        most = max(1, int((_BAND * height - edge) / step))
        if len(lines) > most:
            lines = [*lines[: most - 1], [*lines[most - 1], _Token(_CUT, lines[most - 1][-1].font, self.letters // 3)]]
        tall = min(height, len(lines) * step + edge)
        letters = _written(lines, self.letters, (width, tall), (edge, edge // 2), step)
        keep = _SHADE * (1 - letters)
        return _Patch(0, height - tall if low else 0, keep, 255 * letters)

    def _name(self, box: Boxed) -> _Patch:
        """The name of a box on its upper edge, or within it where there is no room above."""
        width, height = self.size
        edge = self.letters // 4
        lines = _flow([box.name], self.letters, width - 2 * edge)[:1]
        wide = min(width, _length(lines[0], self.letters) + 2 * edge)
        tall = min(height, round(1.3 * self.letters))
        letters = _written(lines, self.letters, (wide, tall), (edge, 0), tall)
        x = max(0, min(box.x1 - self.line // 2, width - wide))
        y = box.y1 - tall - self.line // 2
        y = y if y >= 0 else max(0, min(box.y1 + self.line // 2 + 1, height - tall))
        add = (1 - letters) * np.array(_COLOUR, np.float32) + letters * _INK
        return _Patch(x, y, np.zeros_like(letters), add)


@functools.lru_cache(maxsize=64)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def _flow(words: Sequence[Words], letters: int, width: int) -> list[list[_Token]]:
    """Words in lines of at most ``width`` pixels; a word that is longer than a line is broken."""
    space, apart = max(3, letters // 3), 2 * letters
    lines: list[list[_Token]] = [[]]
    used = 0
    for each in words:
        gap = apart
        for text in each.text.split():
            for piece in _pieces(text, each.font, letters, width):
                wide = round(_font(each.font, letters).getlength(piece))
                if lines[-1] and used + gap + wide > width:
                    lines.append([])
                    used = 0
                token = _Token(piece, each.font, gap if lines[-1] else 0)
                lines[-1].append(token)
                used += token.gap + wide
                gap = space
    return lines


def _pieces(text: str, font: str, letters: int, width: int) -> list[str]:
    """A word in pieces that fit into a line, as the writing of some languages has no spaces."""
    pieces = [""]
    for letter in text:
        if pieces[-1] and _font(font, letters).getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _length(line: Sequence[_Token], letters: int) -> int:
    return sum(token.gap + round(_font(token.font, letters).getlength(token.text)) for token in line)


def _written(
    lines: Sequence[Sequence[_Token]], letters: int, size: tuple[int, int], corner: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Lines as a mask of values 0..1, (H, W, 1), the first one from ``corner`` on."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for number, line in enumerate(lines):
        x, baseline = corner[0], corner[1] + number * step + letters
        for token in line:
            x += token.gap
            draw.text((x, baseline), token.text, fill=255, font=_font(token.font, letters), anchor="ls")
            x += round(_font(token.font, letters).getlength(token.text))
    values: NDArray[np.float32] = np.asarray(mask, np.float32)[..., None] / np.float32(255)
    return values

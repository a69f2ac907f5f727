"""Which font has the letters of a text."""

import functools
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font

__all__ = ["lettering"]

_OWN = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def lettering(text: str) -> tuple[str, str]:
    """A text and the font file to write it in.

    DejaVu Sans, which comes with matplotlib, has Latin, Greek, Cyrillic, Arabic, and many signs. For a text with
    others, such as Chinese, a font of the system is taken that has them all. Where there is none, each letter that is
    lacking is written as its code, such as [U+4E2D], so that it is told from others and can be looked up.
    """
    text = " ".join(text.split())
    if not _lacking(text, _OWN):
        return text, _OWN
    font = _system_font("".join(sorted(set(text))))
    if font:
        return text, font
    lacking = _lacking(text, _OWN)
    return "".join(f"[U+{ord(letter):04X}]" if letter in lacking else letter for letter in text), _OWN


@functools.lru_cache(maxsize=8)
def _font(path: str) -> FT2Font:
    return FT2Font(path)


def _lacking(text: str, path: str) -> set[str]:
    """Letters of a text that a font does not have."""
    return {letter for letter in set(text) if not _font(path).get_char_index(ord(letter))}


@functools.lru_cache(maxsize=256)
def _system_font(letters: str) -> str | None:
    """A font of the system with all of these letters, an upright one of ordinary weight first."""
    for font in sorted(fontManager.ttflist, key=_oddness):
        # fonts of pictures alone cannot be drawn at any size, and LastResort has a box for every letter
        if font.size == "scalable" and "LastResort" not in font.fname and _has(font.fname, letters):
            return str(font.fname)
    return None


def _oddness(font: Any) -> tuple[bool, bool, str]:
    plain = font.weight in ("normal", "regular") or (isinstance(font.weight, int) and 300 <= font.weight <= 500)
    return font.style != "normal", not plain, font.name


def _has(path: str, letters: str) -> bool:
    try:
        return not _lacking(letters, path)
    except (OSError, RuntimeError):  # removed since the list was made, or of a kind that cannot be read
        return False

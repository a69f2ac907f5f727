"""Colours that the pictures share with the style of the pages, and text as matplotlib shall take it."""

__all__ = ["INK", "LINE", "SERIES", "SOFT", "plain"]

INK, SOFT, LINE = "#17202a", "#56626f", "#dde3e9"
SERIES = (
    "#0b66c3", "#e07b00", "#1f9d55", "#c9302c", "#7d4fc4", "#8c5a3c", "#d6499b", "#5b6b7b", "#a3a300", "#12a5b8",
    "#7fb2f0", "#f3b36b", "#7fcf9b", "#f08a85", "#b9a0e8", "#c9a48e", "#1b3a6b", "#2c5f2d", "#8a1c4a", "#4b0082",
)  # fmt: skip
"""Twenty colours for as many curves in one picture, told apart on white; the first ten are the strongest."""


def plain(text: str) -> str:
    """Text in which a dollar sign begins no formula."""
    return text.replace("$", r"\$")

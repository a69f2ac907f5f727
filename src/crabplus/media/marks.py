"""What is drawn over the pictures of a film: words at its upper and lower edge, and boxes, each for its time."""

from typing import NamedTuple

__all__ = ["Boxed", "Marks", "Words"]


class Words(NamedTuple):
    """Words that are shown during [start, end) seconds, in the letters of the font file ``font``."""

    text: str
    font: str
    start: float
    end: float


class Boxed(NamedTuple):
    """A box with a name during [start, end) seconds: corners in pixels of the upright picture, the second just outside.

    ``time`` is the second of the picture on which it lies: around it the lines are thick.
    """

    name: Words
    x1: int
    y1: int
    x2: int
    y2: int
    time: float

    @property
    def start(self) -> float:
        """When it begins to be shown."""
        return self.name.start

    @property
    def end(self) -> float:
        """When it is shown no more."""
        return self.name.end


class Marks(NamedTuple):
    """All that is drawn: words of the band above and of the band below, and boxes."""

    above: tuple[Words, ...] = ()
    below: tuple[Words, ...] = ()
    boxes: tuple[Boxed, ...] = ()

"""Boxes and points over a picture, in pixels of that picture: truth and prediction side by side."""

from dataclasses import dataclass

from crabplus.report.card import Card
from crabplus.schema import Answer, Object, ObjectsAnswer

__all__ = ["Frame", "Overlay", "Spot", "overlay"]


@dataclass(frozen=True)
class Frame:
    """A box: left, top, width and height in pixels; ``kind`` is ``truth`` or ``said``."""

    kind: str
    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Spot:
    """A point: x and y in pixels."""

    kind: str
    x: float
    y: float


@dataclass(frozen=True)
class Overlay:
    """What is drawn over a picture of ``width`` x ``height`` pixels; ``words`` says the same in text."""

    width: int
    height: int
    frames: tuple[Frame, ...]
    spots: tuple[Spot, ...]
    words: str


def overlay(card: Card, width: int, height: int) -> Overlay | None:
    """The overlay of a card whose true or predicted answer is objects, else None.

    Args:
        card: its boxes and points are normalised 0..1.
        width: pixels of the picture, across.
        height: pixels of the picture, down.
    """
    truth, said = _objects(card.sample.answer), _objects(card.said)
    if truth is None and said is None:
        return None
    both = (("truth", truth or ()), ("said", said or ()))
    frames = tuple(_frame(kind, thing, width, height) for kind, things in both for thing in things if thing.box)
    spots = tuple(
        Spot(kind, round(x * width, 2), round(y * height, 2))
        for kind, things in both
        for thing in things
        for x, y in thing.points
    )
    words = [f"True box: {_places(truth)}."] if card.sample.answer is not None else []
    words += [f"Predicted box: {_places(said)}."] if card.asked else []
    return Overlay(width, height, frames, spots, " ".join(words))


def _objects(answer: Answer | None) -> tuple[Object, ...] | None:
    return answer.objects if isinstance(answer, ObjectsAnswer) else None


def _frame(kind: str, thing: Object, width: int, height: int) -> Frame:
    assert thing.box is not None
    x1, y1, x2, y2 = thing.box
    return Frame(
        kind, thing.label, round(x1 * width, 2), round(y1 * height, 2),
        round((x2 - x1) * width, 2), round((y2 - y1) * height, 2),
    )  # fmt: skip


def _places(things: tuple[Object, ...] | None) -> str:
    if not things:
        return "none"
    return "; ".join(
        f"{thing.label} from {thing.box[0]:.0%} across and {thing.box[1]:.0%} down to {thing.box[2]:.0%} across and "
        f"{thing.box[3]:.0%} down"
        if thing.box
        else f"{thing.label} without a box"
        for thing in things
    )

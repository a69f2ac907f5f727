"""What is asked about a scene, with its true answer; boxes, points and masks of things."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Answer, Box, Object, Point
from crabplus.tidepool.world import Scene, Thing, draw, masks

FINE = 320  # pixels of the picture on which boxes are measured
COARSE = 160  # the same for masks, whose points need not be as exact


@dataclass(frozen=True)
class Ask:
    """A question about a scene, or about two: what is shown, and the true answer.

    Attributes:
        show: media in order, each ``clip`` (film with sound), ``film`` (silent film), ``frame`` (one picture) or
            ``sound`` (the whole sound); with ``2`` behind it, that of the ``other`` scene.
        options: labels or answers to choose from.
        time: second at which a ``frame`` is taken.
        marked: numbers of the visible things, from left to right, that the true mask covers; None: there is no mask.
    """

    scene: Scene
    show: tuple[str, ...]
    answer: Answer
    question: str | None = None
    reasoning: str | None = None
    time: float = 0.0
    options: tuple[str, ...] = ()
    other: Scene | None = None
    marked: tuple[int, ...] | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def scene_of(self, shown: str) -> Scene:
        """The scene of an entry of ``show``."""
        if not shown.endswith("2"):
            return self.scene
        if self.other is None:
            raise ValueError(f"{shown}: there is one scene only")
        return self.other


def mask_of(ask: Ask, side: int) -> NDArray[np.bool_]:
    """(side, side) where the marked things are."""
    parts = masks(ask.scene, ask.time, side)[list(ask.marked or ())]
    return np.asarray(parts.any(axis=0))


def object_of(scene: Scene, thing: Thing, time: float, pointed: bool = False) -> Object:
    """The thing with its exact box at ``time`` seconds, and three points on it if asked for."""
    number = scene.visible.index(thing)
    x1, y1, x2, y2 = (float(value) for value in draw(scene, [time], FINE)[1][0, number])
    points = _points(masks(scene, time, COARSE)[number], (x1, y1, x2, y2)) if pointed else ()
    return Object(thing.kind, (x1, y1, x2, y2), points)


def _points(mask: NDArray[np.bool_], box: Box) -> tuple[Point, ...]:
    """The places on the mask nearest to a half, a quarter and three quarters of the box's width at half its height."""
    rows, columns = np.nonzero(mask)
    x, y = (columns + 0.5) / mask.shape[1], (rows + 0.5) / mask.shape[0]
    x1, y1, x2, y2 = box
    wanted = [(x1 + part * (x2 - x1), (y1 + y2) / 2) for part in (0.5, 0.25, 0.75)]
    nearest = [int(np.argmin((x - a) ** 2 + (y - b) ** 2)) for a, b in wanted]
    return tuple((float(x[n]), float(y[n])) for n in nearest)

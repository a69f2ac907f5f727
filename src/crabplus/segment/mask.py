"""The mask of one thing in one picture."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Box

__all__ = ["CUT", "Mask"]

CUT = 0.5
"""A pixel whose score is greater belongs to the thing."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Where a thing is.

    Attributes:
        label: its name; score: (H, W) float32, 0..1, how surely each pixel belongs to it, at the picture's resolution.
        time: second of the picture, where that is one of a video; confidence: of the answer that named the thing.
    """

    label: str
    score: NDArray[np.float32]
    time: float | None = None
    confidence: float | None = None

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W), True on the thing."""
        return self.score > CUT

    @property
    def area(self) -> int:
        """Pixels on the thing."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def pixel_box(self) -> tuple[int, int, int, int] | None:
        """The box of the mask in pixels: corners (x1, y1) and (x2, y2), the latter just outside; None when empty."""
        columns, rows = np.flatnonzero(self.mask.any(axis=0)), np.flatnonzero(self.mask.any(axis=1))
        if not rows.size:
            return None
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    @property
    def box(self) -> Box | None:
        """The box of the mask, normalised to 0..1; None when it is empty."""
        if self.pixel_box is None:
            return None
        (x1, y1, x2, y2), (height, width) = self.pixel_box, self.score.shape
        return x1 / width, y1 / height, x2 / width, y2 / height

    @property
    def rle(self) -> dict[str, Any]:
        """The mask in COCO's compressed run lengths: ``size`` (height, width) and ``counts`` as text."""
        from pycocotools import mask as coco

        found = coco.encode(np.asfortranarray(self.mask, dtype=np.uint8))
        return {"size": [int(side) for side in found["size"]], "counts": found["counts"].decode("ascii")}

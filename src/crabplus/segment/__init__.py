"""From the boxes and points of a text answer to masks.

:func:`load_segmenter` gives a :class:`Segmenter`: GrabCut, which needs no weights, or a SAM2 (or SAM3 tracker) of
transformers. :func:`crabplus.segment.video.load_tracker` follows things through a video.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Object
from crabplus.segment.mask import Mask

__all__ = ["GRABCUT", "Mask", "Segmenter", "check_segmenter", "load_segmenter"]

GRABCUT = "grabcut"


class Segmenter(Protocol):
    """Makes masks of things whose boxes or points are known.

    Attributes:
        name: what made the masks, as records of them say it.
    """

    name: str

    def segment(
        self, pictures: Sequence[NDArray[np.uint8]], things: Sequence[Sequence[Object]]
    ) -> list[list[NDArray[np.float32]]]:
        """Soft masks (H, W), 0..1, for each thing of each picture, at the picture's own resolution.

        Args:
            pictures: uint8 (H, W, 3), RGB; they may differ in size.
            things: those of each picture, in any number, each with a normalised box, points, or both.

        Raises:
            ValueError: not as many lists of things as pictures, something that is no picture, or a thing with neither
                box nor points; names it.
        """


def check_segmenter(name: str | Path) -> None:
    """Raise the error of :func:`load_segmenter` for a name that means none; no weights are read."""
    if str(name) != GRABCUT:
        from crabplus.segment.sam2 import PICTURES, model_type_of

        model_type_of(name, PICTURES)


def load_segmenter(name: str | Path = GRABCUT, device: str | None = None, batch_size: int = 8) -> Segmenter:
    """The segmenter of a name.

    Args:
        name: ``grabcut``; a folder or hub name of a SAM2 model (``sam2``, ``sam2_video``: image and video models have
            the same weights for pictures) or a SAM3 one, whose tracker is called the same way.
        device: such as ``cuda`` or ``cpu``; None for the accelerator if there is one.
        batch_size: pictures, and prompts, that a model takes at a time. GrabCut takes one after the other.

    Raises:
        ValueError: a folder without such a model; says what it holds.
    """
    if str(name) == GRABCUT:
        from crabplus.segment.grabcut import GrabCut

        return GrabCut()
    from crabplus.segment.sam2 import Sam2

    return Sam2(name, device, batch_size)

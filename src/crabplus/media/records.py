"""What probing and decoding return."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frames", "Probe"]


@dataclass(frozen=True)
class Probe:
    """What a media file is.

    Attributes:
        kind: ``video`` (has moving pictures), ``audio`` (sound alone, cover art does not count) or ``image``.
        duration: seconds from the first picture (sound alone: from its first sample) to the end of pictures or sound,
            whichever is later; None for an image.
        fps: mean pictures per second, None without moving pictures.
        size: width and height in pixels as displayed: after rotation and with square pixels; None without pictures.
        has_sound, has_pictures: whether there is a sound track, and whether there are pictures.
    """

    kind: Literal["video", "audio", "image"]
    duration: float | None
    fps: float | None
    size: tuple[int, int] | None
    has_sound: bool
    has_pictures: bool


@dataclass(frozen=True, eq=False)
class Frames:
    """Pictures out of the window [start, end) of a video.

    Attributes:
        images: uint8 (N, H, W, 3), RGB.
        times: float64 (N,), seconds: when each of these pictures came on display, the first of the file at 0. A picture
            that stays long on display may have come before ``start``.
        start, end: seconds; the window that was used, which ends where the pictures end at the latest.
    """

    images: NDArray[np.uint8]
    times: NDArray[np.float64]
    start: float
    end: float

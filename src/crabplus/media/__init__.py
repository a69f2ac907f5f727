"""Pictures and sound out of media files: mp4, mov, avi, mkv, webm; wav, mp3, flac, m4a, ogg; jpg, png.

Everything is read in a worker process with a time limit (:class:`Decoder`), and whatever cannot be read is one
:class:`MediaError` that names file and reason; nothing is ever made up in its place. All times are seconds on the
clip's own clock: zero is its first picture (without pictures, its first sound), and sound has its true time on it.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from crabplus.media.decode import Decoder, FilePath, default_decoder
from crabplus.media.errors import MediaError
from crabplus.media.records import Frames, Probe

if TYPE_CHECKING:
    from crabplus.schema import Media

__all__ = ["Decoder", "Frames", "MediaError", "Probe", "cuts", "frames", "image", "make_media", "probe", "waveform"]


def probe(path: FilePath) -> Probe:
    """What a file is, after reading its structure and its first picture or sound.

    Raises:
        MediaError: missing, empty, unknown, mislabelled, cut short or undecodable.
    """
    return default_decoder().probe(path)


def frames(
    path: FilePath, count: int, start: float | None = None, end: float | None = None,
    size: tuple[int, int] | None = None,
) -> Frames:  # fmt: skip
    """``count`` pictures evenly over the window: those on display at the centres (i + 0.5) / count of [start, end).

    Args:
        start, end: seconds, None for the ends of the pictures. An end behind the last picture's is moved there.
        size: width and height to resize to (area filter where it shrinks, bilinear where it grows); None: as displayed.

    Raises:
        MediaError: as :func:`probe`; an image, or sound alone; a window that is empty or starts behind the end; damage
            in the window.
        ValueError: an argument out of its range.
    """
    return default_decoder().frames(path, count, start, end, size)


def waveform(
    path: FilePath, start: float | None = None, end: float | None = None, rate: int = 16_000
) -> NDArray[np.float32]:
    """The sound in the window as float32 (S,), the mean of its channels, resampled to ``rate`` per second.

    S is ``round((end - start) * rate)``. The window is by default the whole clip, and an end behind the clip's is moved
    there. Where the container says that there is no sound (its track starts late, pauses or ends early), samples are 0.
    Sound that should be there and cannot be read is refused, but for the last two codec frames of a lossy track (0.3 s
    at most), because the stated length of such a track is rounded. What no container states cannot be noticed: an mp3
    without a length in its header that was cut is a shorter mp3, and wrong samples in a wav are samples.

    Raises:
        MediaError: as :func:`probe`; no sound track; a window that is empty or starts behind the end; damage in the
            window.
        ValueError: an argument out of its range.
    """
    return default_decoder().waveform(path, start, end, rate)


def cuts(path: FilePath, start: float | None = None, end: float | None = None) -> list[float]:
    """Seconds in the window at which a hard cut shows another picture; every picture that others need is decoded.

    A cut is a difference to the picture before (32 x 32 pixels) that is large and stands out of those around it.
    Dissolves and fades are none.

    Raises:
        MediaError: as :func:`probe`; no moving pictures; a window that is empty or starts behind the end.
    """
    return default_decoder().cuts(path, start, end)


def image(path: FilePath, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """A jpg or png as uint8 (H, W, 3), RGB, upright by its EXIF tag, transparency on white, 16 bits brought to 8.

    Args:
        size: width and height to resize to; None: as it is.

    Raises:
        MediaError: as :func:`probe`; a video or a sound.
    """
    return default_decoder().image(path, size)


def make_media(path: FilePath, role: str = "clip") -> "Media":
    """The schema's record of a file, filled from :func:`probe`."""
    import os

    from crabplus.schema import Media

    found = probe(path)
    sound: Literal["track", "none"] = "track" if found.has_sound else "none"
    return Media(
        role=role, kind=found.kind, path=os.fsdecode(path), sound=sound,
        duration=found.duration, fps=found.fps, size=found.size,
    )  # fmt: skip

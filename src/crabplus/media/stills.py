"""Still images, and resizing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.media.containers import IMAGES, identify
from crabplus.media.errors import MediaError

__all__ = ["read_image", "resize"]

cv2.setNumThreads(1)
_BAND = 256  # rows


def read_image(path: str, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """A jpg or png as uint8 (H, W, 3), RGB, upright, transparency on white.

    Raises:
        MediaError: no such image, or one that cannot be decoded.
    """
    form = identify(path)
    if form not in IMAGES:
        raise MediaError(path, f"is no still picture but sound or video ({form}): read it with frames or waveform")
    data = np.fromfile(path, np.uint8)
    with _opencv():
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED if form == "png" else cv2.IMREAD_COLOR)
    if picture is None:
        raise MediaError(path, f"cannot be decoded as {form}")
    del data
    return resize(_to_rgb(picture), size)


@contextmanager
def _opencv() -> Iterator[None]:
    """OpenCV's one error as one of Python's.

    Raises:
        MemoryError, ValueError: as it is.
    """
    try:
        yield
    except cv2.error as error:
        raise (MemoryError if error.code == cv2.Error.StsNoMem else ValueError)(error.err) from error


def _to_rgb(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """OpenCV's grey, BGR or BGRA of 8 or 16 bits as 8-bit RGB; in bands, because what comes in between is large."""
    out = np.empty((*picture.shape[:2], 3), np.uint8)
    for top in range(0, len(picture), _BAND):
        out[top : top + _BAND] = _band_to_rgb(picture[top : top + _BAND])
    return out


def _band_to_rgb(picture: NDArray[Any]) -> NDArray[np.uint8]:
    if picture.dtype == np.uint16:
        picture = ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    if picture.shape[2] == 4:
        alpha = picture[..., 3:].astype(np.uint32)
        flat = (picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        picture = flat.astype(np.uint8)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


@_opencv()
def resize(picture: NDArray[np.uint8], size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The picture (H, W, 3) at ``size`` (width, height): area filter where it shrinks, bilinear where it grows."""
    height, width = picture.shape[:2]
    if size is None or size == (width, height):
        return np.ascontiguousarray(picture)
    between = (min(width, size[0]), min(height, size[1]))
    picture = np.ascontiguousarray(picture)
    if between != (width, height):
        picture = cv2.resize(picture, between, interpolation=cv2.INTER_AREA)
    return picture if between == size else cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)

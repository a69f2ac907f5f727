"""Media as data URIs, so that a report is one file."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["PLAYABLE", "file_uri", "picture_uri", "png_uri"]

PLAYABLE = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm",
    ".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".flac": "audio/flac",
}  # fmt: skip
"""File endings that browsers play, with the type to declare (a .mov is refused under its own name)."""


def file_uri(path: Path) -> str:
    """A playable file, unchanged.

    Raises:
        KeyError: the ending is not in :data:`PLAYABLE`.
        OSError: the file cannot be read.
    """
    return f"data:{PLAYABLE[path.suffix.lower()]};base64,{b64encode(path.read_bytes()).decode()}"


def picture_uri(picture: NDArray[np.uint8], quality: int = 88) -> str:
    """A picture of shape (H, W, 3) as JPEG."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"


def png_uri(png: bytes) -> str:
    """A picture that is a PNG file already."""
    return f"data:image/png;base64,{b64encode(png).decode()}"

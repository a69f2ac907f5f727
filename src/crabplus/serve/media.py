"""The media of a request: bytes in data URLs, and files below one folder. Nothing else is ever opened or fetched."""

import base64
import binascii
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from crabplus.serve.limits import Limits, Refused

__all__ = ["put_down"]

_DATA = re.compile(r"data:(image|audio|video)/([a-z0-9.+-]+)(?:;[a-z0-9-]+=[^;,]*)*;base64,", re.IGNORECASE)
_ENDINGS = {
    "image": {"jpeg": "jpg", "jpg": "jpg", "png": "png", "webp": "webp", "bmp": "bmp"},
    "video": {"mp4": "mp4", "quicktime": "mov", "mov": "mov", "x-msvideo": "avi", "avi": "avi",
              "x-matroska": "mkv", "matroska": "mkv", "mkv": "mkv", "webm": "webm"},
    "audio": {"wav": "wav", "x-wav": "wav", "wave": "wav", "mpeg": "mp3", "mp3": "mp3", "flac": "flac",
              "x-flac": "flac", "mp4": "m4a", "mp4a-latm": "m4a", "m4a": "m4a", "x-m4a": "m4a", "ogg": "ogg",
              "webm": "webm"},
}  # fmt: skip
"""By kind: subtypes and formats, and the endings of their files."""


def put_down(address: str, kind: str, folder: Path, number: int, limits: Limits) -> Path:
    """The file that an address means; bytes are written into ``folder`` first.

    Args:
        address: a data URL, a ``file:`` URL, or a path below the folder of the limits; kind: ``image``, ``audio`` or
            ``video``; number: of the file in this request.

    Raises:
        Refused: any other address, bytes that are not base64, a path that leads out of the folder.
    """
    if address[:5].lower() == "data:":
        return _written(address, kind, folder, number)
    parts = urlsplit(address)
    if parts.scheme.lower() not in ("", "file") or parts.netloc.lower() not in ("", "localhost"):
        raise Refused(400, f"{kind}: only data: URLs are taken, and file: URLs where the server allows a folder; "
                           f"got {address[:60]!r}")  # fmt: skip
    if limits.folder is None:
        raise Refused(400, f"{kind}: this server reads no files; send the bytes as a data: URL")
    path = unquote(parts.path) if parts.scheme else address
    return _below(path, kind, limits.folder)


def _written(address: str, kind: str, folder: Path, number: int) -> Path:
    head = _DATA.match(address[:200])
    if head is None or head[1].lower() != kind:
        raise Refused(400, f"{kind}: data:{kind}/...;base64,... wanted, got {address[:40]!r}")
    ending = _ENDINGS[kind].get(head[2].lower())
    if ending is None:
        known = ", ".join(sorted(_ENDINGS[kind]))
        raise Refused(400, f"{kind}: no {head[1]}/{head[2]} is known here; known: {known}")
    try:
        content = base64.b64decode(address[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise Refused(400, f"{kind}: what follows base64, is not base64") from None
    if not content:
        raise Refused(400, f"{kind}: there are no bytes in it")
    path = folder / f"{number}.{ending}"
    path.write_bytes(content)
    return path


def _below(path: str, kind: str, folder: Path) -> Path:
    """A file below the folder, whatever links and dots say."""
    root = folder.resolve()
    try:
        found = (root / path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise Refused(400, f"{kind}: no such file: {path[:100]!r}") from None
    if not found.is_relative_to(root) or not found.is_file():
        raise Refused(400, f"{kind}: no such file: {path[:100]!r}")  # what lies outside is as good as absent
    return found

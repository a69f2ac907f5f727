"""Whether a jpg or png is there to its end, and not larger than what is read: told without decoding it."""

import contextlib
import re
import struct
import zlib
from typing import BinaryIO

from crabplus.media.errors import MediaError
from crabplus.media.limits import MOST_PIECES, MOST_SCANS, STILL_BYTES, STILL_PIXELS, large

__all__ = ["check_still"]

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of jpeg that a picture's size follows
_NO_FILL = re.compile(rb"[^\xff]")

Judgement = tuple[tuple[int, int], str | None]  # width and height, 0 where not found; what shows that it is not whole


def check_still(path: str, file: BinaryIO, size: int, form: str) -> None:
    """Refuses a picture in a file of ``size`` bytes that is not whole, or too large.

    Raises:
        MediaError: so it is.
    """
    if size > STILL_BYTES:
        raise MediaError(path, f"is a picture of {size:,} bytes, and no more than {STILL_BYTES:,} are read")
    file.seek(0)
    data = file.read()
    shape: tuple[int, int] = 0, 0
    lack: str | None = "it ends within its own header"
    with contextlib.suppress(struct.error, IndexError):
        shape, lack = _judge_png(data) if form == "png" else _judge_jpeg(data)
    if shape[0] * shape[1] > STILL_PIXELS:
        raise MediaError(path, large(*shape, STILL_PIXELS))
    if lack:
        raise MediaError(path, f"is cut short or damaged: {lack}")


def _judge_jpeg(data: bytes) -> Judgement:
    at, shape = 2, (0, 0)
    for _ in range(MOST_PIECES):  # what precedes the picture, a thumbnail perhaps
        if data[at : at + 1] != b"\xff":
            break
        filled = _NO_FILL.search(data, at)
        if filled is None:
            break
        at, marker = filled.start(), filled[0][0]
        if marker == 0xDA:
            break
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 4 : at + 8])
            shape = width, height
        at += 1 + struct.unpack(">H", data[at + 1 : at + 3])[0]
    if data.count(b"\xff\xda") > MOST_SCANS:
        return shape, f"it is made of more than {MOST_SCANS} scans"
    return shape, None if data.find(b"\xff\xd9", at) > 0 else "the end of its picture is missing"


def _judge_png(data: bytes) -> Judgement:
    width, height = struct.unpack(">II", data[16:24])
    at = 8
    for _ in range(MOST_PIECES):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data):
            return (width, height), f"it should have {end} bytes and has {len(data)}"
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != struct.unpack(">I", data[end - 4 : end])[0]:
            return (width, height), f"the checksum of its {name.decode('latin-1')} chunk is wrong"
        if name == b"IEND":
            return (width, height), None
        at = end
        if at >= len(data):
            break
    return (width, height), "the end of its picture is missing"

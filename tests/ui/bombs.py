"""Files that say or hold far more than their size lets expect; no test is in here."""

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, side: int, whole: bool = True) -> Path:
    """A black picture of ``side`` x ``side`` pixels, one bit each; if not whole, it only claims to be that large."""
    rows = side if whole else 1
    data = zlib.compress(bytes((1 + (side + 7) // 8) * rows), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def ten_hours(path: Path, step: int) -> Path:
    """A film of ten hours with a picture every ``step`` seconds, all alike."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=1, options={"threads": "1", "bf": "0", "preset": "ultrafast"})
        stream.width = stream.height = 32
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        for second in range(0, 36_000, step):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = second * 1000, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path

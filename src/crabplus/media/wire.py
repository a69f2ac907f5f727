"""Messages between a process and its decode worker: pickles whose arrays travel beside them as raw bytes."""

import pickle
import struct
from typing import IO, Any

import numpy as np

__all__ = ["receive", "send"]


def send(stream: IO[bytes], message: Any) -> None:
    """Writes one message: count of blocks, their lengths, the pickle, and each array's bytes, uncopied."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    blocks = [memoryview(data), *(buffer.raw() for buffer in buffers)]
    stream.write(struct.pack(f"<I{len(blocks)}Q", len(blocks), *(block.nbytes for block in blocks)))
    for block in blocks:
        stream.write(block)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Reads one message.

    Raises:
        EOFError: the other side is gone.
    """
    (count,) = struct.unpack("<I", _read(stream, 4))
    lengths = struct.unpack(f"<{count}Q", _read(stream, 8 * count))
    data, *buffers = (_read(stream, length) for length in lengths)
    return pickle.loads(data, buffers=buffers)


def _read(stream: IO[bytes], length: int) -> memoryview:
    block = np.empty(length, np.uint8).data
    done = 0
    while done < length:
        got = stream.readinto(block[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("the other side is gone")
        done += got
    return block

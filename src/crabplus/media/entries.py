"""How decoded pictures and sounds are written for the cache: one safetensors file each, with a checksum over all."""

import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from crabplus.media.records import Frames

__all__ = ["pack", "unpack"]


def pack(key: str, made: Frames | NDArray[Any]) -> bytes:
    """An entry: arrays as tensors; seconds and the checksum as metadata. ``key`` is the name that it will have."""
    fields = vars(made) if isinstance(made, Frames) else {"array": made}
    arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
    seconds = {name: repr(float(fields[name])) for name in fields.keys() - arrays.keys()}
    return save(arrays, {**seconds, "checksum": _checksum(key, arrays, seconds)})


def unpack(key: str, data: bytes) -> Frames | NDArray[Any]:
    """The inverse of :func:`pack`; arrays may be written to.

    Raises:
        ValueError: damaged, cut short, or written for another key.
    """
    try:
        arrays = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        seconds: dict[str, str] = header["__metadata__"]
        checksum = seconds.pop("checksum")
    except (SafetensorError, LookupError, TypeError) as error:
        raise ValueError(str(error)) from error
    if checksum != _checksum(key, arrays, seconds):
        raise ValueError("the checksum does not fit")
    if "array" in arrays:
        return arrays["array"]
    return Frames(arrays["images"], arrays["times"], float(seconds["start"]), float(seconds["end"]))


def _checksum(key: str, arrays: dict[str, NDArray[Any]], seconds: dict[str, str]) -> str:
    shapes = sorted((name, array.dtype.str, array.shape) for name, array in arrays.items())
    total = zlib.crc32(repr((key, sorted(seconds.items()), shapes)).encode())
    for name in sorted(arrays):
        total = zlib.crc32(arrays[name].data, total)
    return f"{total:08x}"

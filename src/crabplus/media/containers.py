"""Which format a file holds, told by its content, and whether the file is there to its end.

A demuxer reads a file that was cut as far as it goes and says nothing. Most containers state their own length, so a cut
shows in a few reads and without decoding.
"""

import os
import struct
from typing import BinaryIO

from crabplus.media.errors import MediaError
from crabplus.media.limits import MOST_PIECES
from crabplus.media.still_files import check_still

__all__ = ["IMAGES", "SUFFIXES", "identify", "mp3_states_length", "wav_states_length"]

IMAGES = ("jpeg", "png")
_IMAGE_NAMES = frozenset((".jpg", ".jpeg", ".png"))
_CLIP_NAMES = frozenset(
    (".mp4", ".m4v", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".wav", ".mp3", ".flac", ".m4a", ".ogg", ".oga", ".opus")
)
SUFFIXES = _IMAGE_NAMES | _CLIP_NAMES
"""Endings of names of media."""
_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"styp"))
_INDEX = frozenset((b"trak", b"mdia", b"minf", b"stbl"))
_UNKNOWN_RIFF = 0x7FFFF000  # writers that cannot seek back leave 0 or a value from here on as the length
_LAST_OGG_PAGE = 65_307  # bytes of the longest page


def identify(path: str) -> str:
    """The format in the file: mov, avi, matroska, wav, mp3, flac, ogg, jpeg or png.

    Raises:
        MediaError: no file, an empty one, an unknown format, one of another kind than the name says, one cut short, or
            a picture that is too large.
    """
    try:
        if not os.path.exists(path):
            raise MediaError(path, "no such file")
        if not os.path.isfile(path):
            raise MediaError(path, "is a directory" if os.path.isdir(path) else "is not a regular file")
        size = os.path.getsize(path)
        if size == 0:
            raise MediaError(path, "is empty (0 bytes)")
        with open(path, "rb") as file:
            return _identify(path, file, size)
    except OSError as error:
        raise MediaError(path, f"cannot be opened: {error.strerror or error}") from error


def _identify(path: str, file: BinaryIO, size: int) -> str:
    head = file.read(4096)
    found = _sniff(head)
    if found == "mp3" and head[:3] == b"ID3":  # a flac file may carry the same tag in front
        file.seek(_after_id3(head))
        found = "flac" if file.read(4) == b"fLaC" else "mp3"
    suffix = os.path.splitext(path)[1].lower()
    if found is None:
        raise MediaError(path, f"holds no known picture, sound or video: it starts with {head[:12]!r}")
    if suffix in (_CLIP_NAMES if found in IMAGES else _IMAGE_NAMES):
        kind = f"a {found} picture" if found in IMAGES else f"sound or video ({found})"
        raise MediaError(path, f"is mislabelled: its name ends in {suffix}, but it holds {kind}; rename it")
    if found in IMAGES:
        check_still(path, file, size, found)
    elif lack := _lack(found, file, size):
        raise MediaError(path, f"is cut short or damaged: {lack}")
    return found


def _sniff(head: bytes) -> str | None:
    if head[4:8] in _BOXES:
        return "mov"
    head = head.lstrip(b"\0")
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"WAVE": "wav", b"AVI ": "avi"}.get(head[8:12])
    for magic, name in (
        (b"\x1a\x45\xdf\xa3", "matroska"), (b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3"),
        (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"),
    ):  # fmt: skip
        if head.startswith(magic):
            return name
    # the eleven sync bits of an MPEG audio frame, then a layer that is not the reserved one
    return "mp3" if len(head) > 3 and head[0] == 0xFF and head[1] >= 0xE0 and head[1] & 0x06 else None


def _lack(found: str, file: BinaryIO, size: int) -> str | None:
    """What shows that the file of ``size`` bytes is not whole; None if nothing does."""
    check = {
        "mov": _lack_mov, "wav": _lack_riff, "avi": _lack_riff, "matroska": _lack_matroska, "ogg": _lack_ogg,
    }.get(found)  # fmt: skip
    file.seek(0)
    try:
        return check(file, size) if check else None
    except (struct.error, IndexError):
        return "it ends within its own header"


def _past_end(wanted: int, size: int) -> str | None:
    return f"it should have {wanted} bytes and has {size}" if wanted > size else None


def _lack_mov(file: BinaryIO, size: int) -> str | None:
    at, names = 0, set()
    for _ in range(MOST_PIECES):
        if at + 8 > size:
            break
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            length, head = struct.unpack(">Q", file.read(8))[0], 16
        names.add(name)
        if length == 0:  # to the end of the file
            break
        if name in (b"moov", b"mdat", b"moof") and at + length > size:
            return _past_end(at + length, size)
        if length < head:
            break
        if name == b"moov" and not _whole_index(file, at + head, at + length):
            return "its index (the moov box) is broken"
        at += length
    return None if b"moov" in names else "its index (the moov box) is missing"


def _whole_index(file: BinaryIO, start: int, end: int) -> bool:
    """Whether the boxes from ``start`` to ``end`` fill that place, and those of each track within likewise."""
    waiting = [(start, end)]
    for _ in range(MOST_PIECES):
        if not waiting:
            return True
        at, end = waiting.pop()
        if end - at < 8:  # some writers leave four zeros at the end
            continue
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if not length and not any(file.read(end - at - 8)):  # nor is it more than padding
            continue
        if length < 8 or at + length > end:
            return False
        waiting.append((at + length, end))
        if name in _INDEX:
            waiting.append((at + 8, at + length))
    return False


def _lack_riff(file: BinaryIO, size: int) -> str | None:
    name, length = struct.unpack("<4sI", file.read(8))
    return None if name == b"RF64" or not 0 < length < _UNKNOWN_RIFF else _past_end(length + 8, size + 1)


def _lack_matroska(file: BinaryIO, size: int) -> str | None:
    file.seek(4)
    header = _vint(file)
    file.seek((header or 0), os.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return "its first segment is missing"
    length = _vint(file)
    return None if length is None else _past_end(file.tell() + length, size)


def _vint(file: BinaryIO) -> int | None:
    """An EBML length; None where it is the reserved value 'unknown'."""
    first = file.read(1)[0]
    more = 8 - first.bit_length()
    value = int.from_bytes(bytes((first & (0x7F >> more),)) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value


def _lack_ogg(file: BinaryIO, size: int) -> str | None:
    start = max(0, size - _LAST_OGG_PAGE)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS\0")
    if at < 0:
        return "its last page is missing"
    segments = tail[at + 26]
    table = tail[at + 27 : at + 27 + segments]
    return _past_end(start + at + 27 + segments + sum(table) + segments - len(table), size)


def _after_id3(head: bytes) -> int:
    sizes = head[6:10]
    return 10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(sizes)) if len(sizes) == 4 else 0


def mp3_states_length(path: str) -> bool:
    """Whether an mp3 file carries its number of frames; without it the stated duration is a guess from the bit rate."""
    with open(path, "rb") as file:
        head = file.read(10)
        file.seek(_after_id3(head) if head[:3] == b"ID3" else 0)
        head = file.read(4096)
    return any(name in head for name in (b"Xing", b"Info", b"VBRI"))


def wav_states_length(path: str) -> bool:
    """Whether a wav says how long its sound is; a writer that cannot seek back, into a pipe, leaves that open."""
    with open(path, "rb") as file:
        head = file.read(4096)
    at = head.find(b"data", 12)
    return not 0 <= at <= len(head) - 8 or 0 < struct.unpack("<I", head[at + 4 : at + 8])[0] < _UNKNOWN_RIFF

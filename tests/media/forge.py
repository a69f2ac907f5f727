"""Pieces of mp4, matroska, wav, png and jpeg by hand, to say in a file what no encoder would."""

import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
VP8_KEY_FRAME = b"\x9d\x01\x2a"  # what stands before the size in each of them


def box(name: bytes, *parts: bytes) -> bytes:
    """A box of an mp4."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def nested_boxes(names: list[bytes]) -> bytes:
    """Boxes one within the other, the first one outermost."""
    length, out = 0, []
    for name in reversed(names):
        length += 8
        out.append(struct.pack(">I4s", length, name))
    return b"".join(reversed(out))


def track_box(number: int, kind: bytes = b"soun", entry: bytes = b"") -> bytes:
    """A track of an mp4 that has no samples."""
    table = [box(name, bytes(8)) for name in (b"stts", b"stsc", b"stco")] + [box(b"stsz", bytes(12))]
    described = box(b"stsd", struct.pack(">II", 0, bool(entry)), entry)
    head = box(b"tkhd", struct.pack(">5I", 3, 0, 0, number, 0), bytes(64))
    handler = box(b"hdlr", bytes(8), kind, bytes(13))
    clock = box(b"mdhd", struct.pack(">6I", 0, 0, 0, 1000, 0, 0))
    return box(b"trak", head, box(b"mdia", clock, handler, box(b"minf", box(b"stbl", described, *table))))


def sound_entry() -> bytes:
    """What describes the samples of a track of sound."""
    return box(b"sowt", bytes(7), b"\1", bytes(8), struct.pack(">HHIHH", 1, 16, 0, 8000, 0))


def movie(*tracks: bytes) -> bytes:
    """An mp4 of these tracks, with no data."""
    head = box(b"mvhd", struct.pack(">5I", 0, 0, 0, 1000, 0), bytes(80))
    return box(b"ftyp", b"isom\0\0\2\0isom") + box(b"moov", head, *tracks) + box(b"mdat")


def patched(data: bytes, name: bytes, at: int, form: str, *values: float) -> bytes:
    """``data`` with these values ``at`` bytes behind the end of each ``name``, which must be there."""
    out, place = bytearray(data), data.find(name)
    assert place >= 0, name
    while place >= 0:
        struct.pack_into(form, out, place + len(name) + at, *values)
        place = data.find(name, place + len(name))
    return bytes(out)


def lasting(data: bytes, duration: int) -> bytes:
    """An mp4 whose headers state ``duration`` (-1 and less: negative) in the units of each of them."""
    for name, at in ((b"mvhd", 16), (b"tkhd", 20), (b"mdhd", 16), (b"elst", 8)):
        data = patched(data, name, at, ">I", duration & 0xFFFFFFFF)
    return data


def element(name: str, *parts: bytes | int | float) -> bytes:
    """An element of a matroska file; ``name`` is its identifier in hexadecimal."""
    body = b"".join(_value(part) for part in parts)
    return bytes.fromhex(name) + struct.pack(">Q", 1 << 56 | len(body)) + body


def _value(part: bytes | int | float) -> bytes:
    if isinstance(part, bytes):
        return part
    return struct.pack(">d", part) if isinstance(part, float) else struct.pack(">Q", part)


def track(number: int, codec: bytes, *more: bytes) -> bytes:
    """A track of a matroska file: V_... or A_..."""
    kind = 1 if codec.startswith(b"V") else 2
    facts = element("D7", number), element("73C5", number), element("83", kind), element("86", codec)
    return element("AE", *facts, *more)


def sound_track(rate: float = 8000.0, channels: int = 1, **more: int) -> bytes:
    """Samples of 16 bits as track 1."""
    sound = element("E1", element("B5", rate), element("9F", channels), element("6264", 16))
    return track(1, b"A_PCM/INT/LIT", sound, *(element(name.strip("_"), value) for name, value in more.items()))


def picture_track(width: int, height: int, **more: int) -> bytes:
    """Pictures of motion jpeg as track 1."""
    seen = element("E0", element("B0", width), element("BA", height))
    return track(1, b"V_MJPEG", seen, *(element(name.strip("_"), value) for name, value in more.items()))


def matroska(
    tracks: bytes, blocks: list[tuple[int, bytes]], duration: float | None = None, scale: int = 10**6, more: bytes = b""
) -> bytes:
    """A file with one cluster for each block of track 1, which has its time in units of ``scale`` nanoseconds."""
    stated = b"" if duration is None else element("4489", duration)
    info = element("1549A966", element("2AD7B1", scale), stated)
    clusters = [
        element("1F43B675", element("E7", time), element("A3", b"\x81\0\0\x80" + data)) for time, data in blocks
    ]
    body = element("18538067", info, element("1654AE6B", tracks), more, *clusters)
    return element("1A45DFA3", element("4282", b"matroska")) + body


def riff(
    rate: int, channels: int = 1, bits: int = 16, samples: bytes = bytes(16000), stated: int | None = None
) -> bytes:
    """A wav; ``stated`` is the length that its data chunk claims."""
    form = struct.pack("<HHIIHH", 1, channels & 0xFFFF, rate, 0, max(1, bits * channels // 8) & 0xFFFF, bits)
    length = len(samples) if stated is None else stated
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", length) + samples
    return b"RIFF" + struct.pack("<I", min(len(body) if stated is None else stated, 0xFFFFFFFF)) + body


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a png."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, data: bytes, bits: int = 8, colour: int = 2, more: bytes = b"") -> bytes:
    """A png of this size; ``data`` is packed already."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", head) + more + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def packed_zeros(count: int) -> bytes:
    """``count`` zeros in zlib's format, made in no time: a piece that unpacks to a megabyte, again and again."""
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    first = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(count % 2**20)) + packer.flush()
    return head + first * (count // 2**20) + rest[:-4] + struct.pack(">I", count % 65521 << 16 | 1)


def ogg_page(granule: int, flags: int, stream: int, body: bytes) -> bytes:
    """A page with one packet of less than 255 bytes."""
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, stream, 0, 0) + bytes((1, len(body)))
    page = bytearray(head + body)
    struct.pack_into("<I", page, 22, _ogg_checksum(page))
    return bytes(page)


def last_page_ends(data: bytes, granule: int) -> bytes:
    """An ogg file whose last page states another time, with its checksum made right."""
    at = data.rfind(b"OggS\0")
    page = bytearray(data[at:])
    struct.pack_into("<q", page, 6, granule)
    struct.pack_into("<I", page, 22, 0)
    struct.pack_into("<I", page, 22, _ogg_checksum(page))
    return data[:at] + bytes(page)


def _ogg_checksum(page: bytes) -> int:
    total = 0
    for byte in page:
        total ^= byte << 24
        for _ in range(8):
            total = (total << 1 ^ (0x04C11DB7 if total & 0x80000000 else 0)) & 0xFFFFFFFF
    return total

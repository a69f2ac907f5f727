"""Files that are whole and say false, absurd or harmful things about themselves."""

import math
import struct
from collections.abc import Callable, Iterator
from random import Random

import cv2
import forge
import numpy as np
from forge import box, element, matroska, patched, picture_track, png, riff, sound_track

Sources = dict[str, bytes]  # the content of true files by their names
Made = Iterator[tuple[str, bytes, bool | None]]  # name, content, and whether it must be readable (None: may be)

DAY, TEN_HOURS = 86_400, 36_000
SOUND = [(100 * number, bytes(1600)) for number in range(20)]  # two seconds in blocks of 0.1 s, for matroska


def no_stream(sources: Sources, rng: Random) -> Made:
    yield "empty moov.mp4", forge.movie(), False
    yield "no samples.mp4", forge.movie(forge.track_box(1)), False
    yield "no samples, but an entry.mp4", forge.movie(forge.track_box(1, entry=forge.sound_entry())), False
    yield "no samples in two tracks.mp4", forge.movie(forge.track_box(1), forge.track_box(2, b"vide")), False
    yield "moov of nothing.mp4", box(b"ftyp", b"isom") + box(b"moov"), False
    yield "no samples.wav", riff(8000, samples=b""), False
    yield "no chunk.wav", b"RIFF\x04\0\0\0WAVE", False
    yield "no track.mkv", matroska(b"", []), False
    yield "no block.mkv", matroska(sound_track(), []), False
    yield "subtitles.mkv", matroska(element("AE", element("D7", 1), element("83", 17)), [(0, b"text")]), False
    yield "header.flac", sources["sound.flac"][:42], False
    yield "tag alone.mp3", b"ID3\x03\0\0\0\0\x07\x76" + bytes(1014), False
    yield "first pages.ogg", sources["sound.ogg"][: sources["sound.ogg"].find(b"OggS", 60)], False
    yield "no list.avi", b"RIFF\x04\0\0\0AVI ", False


def huge(sources: Sources, rng: Random) -> Made:
    jpeg, mp4, webm = sources["picture.jpg"], sources["h264.mp4"], sources["vp8.webm"]
    yield "60000.jpg", patched(jpeg, b"\xff\xc0", 3, ">HH", 60_000, 60_000), False
    yield "60000.png", png(60_000, 60_000, forge.packed_zeros(1000)), False
    yield "2147483647.png", png(2**31 - 1, 2**31 - 1, forge.packed_zeros(1000)), False
    yield "bomb.png", png(60_000, 60_000, forge.packed_zeros(60_000 * 7501), 1, 0), False
    yield "wide bomb.png", png(2_000_000, 16, forge.packed_zeros(16 * 250_001), 1, 0), False
    yield "large.png", png(14_000, 14_000, forge.packed_zeros(14_000 * 1751), 1, 0), True
    text = forge.chunk(b"zTXt", b"Comment\0\0" + forge.packed_zeros(2**30))
    yield "text bomb.png", png(8, 8, forge.packed_zeros(8 * 25), more=text), None
    profile = forge.chunk(b"iCCP", b"name\0\0" + forge.packed_zeros(2**30))
    yield "profile bomb.png", png(8, 8, forge.packed_zeros(8 * 25), more=profile), None
    moving = forge.chunk(b"acTL", struct.pack(">II", 2**31, 0))
    yield "frames.png", png(8, 8, forge.packed_zeros(200), more=moving), None
    tracks = patched(mp4, b"tkhd", 76, ">II", 16_000 << 16, 16_000 << 16)
    yield "16000 in the track.mp4", tracks, None
    yield "16000 in the entry.mp4", patched(mp4, b"avc1\0\0\0\0\0\0", 18, ">HH", 16_000, 16_000), None
    yield "16383 in the pictures.webm", patched(webm, forge.VP8_KEY_FRAME, 0, "<HH", 16_383, 16_383), False
    later = webm.rfind(forge.VP8_KEY_FRAME)
    large = webm[:later] + patched(webm[later:], forge.VP8_KEY_FRAME, 0, "<HH", 16_383, 16_383)
    yield "16383 in later pictures.webm", large, None
    yield "60000 in the track.mkv", matroska(picture_track(60_000, 60_000), [(40 * n, jpeg) for n in range(9)]), None
    bomb = cv2.imencode(".jpg", np.zeros((8200, 8200), np.uint8))[1].tobytes()
    yield "bomb.mkv", matroska(picture_track(8200, 8200), [(40 * number, bomb) for number in range(9)]), False
    yield "hidden bomb.mkv", matroska(picture_track(64, 64), [(0, jpeg), (40, bomb), (80, jpeg)]), None
    within = patched(jpeg, b"\xff\xc0", 3, ">HH", 60_000, 60_000)
    yield "60000 in the pictures.mkv", matroska(picture_track(64, 64), [(40 * n, within) for n in range(9)]), False
    steps = sources["steps.jpg"]
    scans = steps[:-2] + 5000 * steps[steps.rfind(b"\xff\xda") : -2] + steps[-2:]
    yield "scans.jpg", patched(scans, b"\xff\xc2", 3, ">HH", 9_000, 9_000), False
    yield "fill.jpg", jpeg[:2] + b"\xff" * 2**22 + jpeg[2:], None


def ten_hours(sources: Sources, rng: Random) -> Made:
    """Ten seconds or less of data under headers that state ten hours or more."""
    mp4, hevc = sources["h264.mp4"], sources["hevc.mkv"]
    yield "all headers.mp4", forge.lasting(mp4, 2**31 - 1), None
    yield "movie header.mp4", patched(mp4, b"mvhd", 16, ">I", TEN_HOURS * 1000), None
    yield "media header.mp4", patched(mp4, b"mdhd", 16, ">I", 2**31 - 1), None
    yield "media header.m4a", forge.lasting(sources["sound.m4a"], 2**31 - 1), None
    yield "last sound.mp4", last_sound(mp4, TEN_HOURS), None
    yield "last sound.m4a", last_sound(sources["sound.m4a"], TEN_HOURS), None
    at = hevc.find(b"\x44\x89") + 3
    yield "info.mkv", hevc[:at] + struct.pack(">d", TEN_HOURS * 1000.0) + hevc[at + 8 :], None
    yield "info of sound.mkv", matroska(sound_track(), SOUND, TEN_HOURS * 1000.0), None
    yield "data chunk.wav", riff(8000, stated=TEN_HOURS * 16_000), False
    yield "endless.wav", riff(8000, stated=0xFFFFFFFF), True
    yield "header.avi", patched(sources["mpeg4.avi"], b"avih8\0\0\0", 16, "<I", TEN_HOURS * 10), None
    yield "stream header.avi", patched(sources["mpeg4.avi"], b"vidsFMP4", 24, "<I", TEN_HOURS * 10), None
    flac = sources["sound.flac"]
    yield "ten hours.flac", flac[:22] + struct.pack(">I", TEN_HOURS * 16_000) + flac[26:], False
    yield "header.mp3", patched(sources["sound.mp3"], b"Info", 4, ">I", TEN_HOURS * 40), False
    yield "last page.ogg", forge.last_page_ends(sources["sound.ogg"], TEN_HOURS * 48_000), None


def last_sound(mp4: bytes, seconds: int) -> bytes:
    """An mp4 whose last piece of sound claims to last that long: the second of two entries in its table of times."""
    return patched(forge.lasting(mp4, 2**31 - 1), b"stts" + bytes(7) + b"\2", 12, ">I", seconds * 44_100)


def odd_durations(sources: Sources, rng: Random) -> Made:
    mp4 = sources["fast.mp4"]
    for duration in (0, -1, -1000):
        yield f"{duration} in all headers.mp4", forge.lasting(mp4, duration), None
    yield "negative edit.mp4", patched(mp4, b"elst", 8, ">Ii", 2**31 + 5, -2), None
    yield "edit behind the end.mp4", patched(mp4, b"elst", 12, ">i", 2**30), None
    yield "no length of pictures.mp4", patched(mp4, b"stts", 12, ">I", 0), None
    for name, duration in [("zero", 0.0), ("negative", -5000.0), ("nan", math.nan), ("infinite", math.inf)]:
        yield f"{name}.mkv", matroska(sound_track(), SOUND, duration), None
    yield "negative times.mkv", matroska(sound_track(), [(-5000 & 2**64 - 1, bytes(1600)), *SOUND]), None
    yield "one sample.wav", riff(8000, samples=b"\0\0"), None


def odd_rates(sources: Sources, rng: Random) -> Made:
    mp4, avi, jpeg = sources["fast.mp4"], sources["mpeg4.avi"], sources["picture.jpg"]
    for ticks in (0, 1, 2**32 - 1):
        yield f"{ticks} ticks a second.mp4", patched(mp4, b"mdhd", 12, ">I", ticks), None
    for scale, rate in [(0, 0), (1, 2**32 - 1), (2**32 - 1, 1)]:
        yield f"{rate} pictures in {scale} s.avi", patched(avi, b"vidsFMP4", 12, "<II", scale, rate), None
    for length in (1, 2**62):
        seen = picture_track(64, 64, _23E383=length)
        yield f"{length} ns a picture.mkv", matroska(seen, [(40 * number, jpeg) for number in range(9)]), None
    for scale in (0, 1, 2**50):
        yield f"scale {scale}.mkv", matroska(sound_track(), SOUND, scale=scale), None
    for rate in (math.nan, math.inf, -8000.0, 0.0):
        yield f"{rate} Hz.mkv", matroska(sound_track(rate), SOUND), None
    for rate in (0, 1, 2**31 - 1):
        yield f"{rate} Hz.wav", riff(rate), None
    yield "no channel.wav", riff(8000, 0), None
    yield "65535 channels.wav", riff(8000, 65_535), None
    yield "99 bits.wav", riff(8000, 1, 99), None


def jumps(sources: Sources, rng: Random) -> Made:
    """Time stamps that go days ahead, or back."""
    jpeg = sources["picture.jpg"]
    for name, times in [
        ("ahead", [0, 40, 80, 5 * DAY * 1000, 5 * DAY * 1000 + 40]),
        ("there and back", [0, 40, 5 * DAY * 1000, 80, 120]),
        ("back", [5 * DAY * 1000, 0, 40, 80]),
        ("late start", [5 * DAY * 1000 + 40 * number for number in range(9)]),
        ("all at once", [0] * 9),
        ("backwards", [400, 320, 240, 160, 80, 0]),
        ("year 5000", [0, 40, 2**46]),
    ]:
        yield f"pictures {name}.mkv", matroska(picture_track(64, 64), [(time, jpeg) for time in times]), None
        yield f"sound {name}.mkv", matroska(sound_track(), [(time, bytes(640)) for time in times]), None
    jumped = patched(sources["fast.mp4"], b"stts", 12, ">I", 2**31 - 1)
    yield "days between pictures.mp4", jumped, None


def many_streams(sources: Sources, rng: Random) -> Made:
    yield "3000.mkv", matroska(b"".join(sound_track() for _ in range(3000)), SOUND), False
    yield "900.mkv", matroska(sound_track() + b"".join(forge.track(n, b"A_AAC") for n in range(2, 900)), SOUND), False
    yield "3000.mp4", forge.movie(*(forge.track_box(n, entry=forge.sound_entry()) for n in range(1, 3001))), False
    yield "40.mkv", matroska(sound_track() + b"".join(forge.track(n, b"A_AAC") for n in range(2, 40)), SOUND), True
    pages = [forge.ogg_page(0, 2, number, b"OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0") for number in range(2000)]
    yield "2000.ogg", b"".join(pages), False


def cover_alone(sources: Sources, rng: Random) -> Made:
    art = b"\0image/jpeg\0\x03\0" + sources["picture.jpg"]
    tag = b"APIC" + struct.pack(">IH", len(art), 0) + art
    size = bytes(len(tag) >> 7 * place & 0x7F for place in (3, 2, 1, 0))
    yield "art.mp3", b"ID3\x03\0\0" + size + tag, False
    yield "art and sound.mp3", b"ID3\x03\0\0" + size + tag + sources["sound.mp3"], True
    picture = struct.pack(">II10sI16xI", 3, 10, b"image/jpeg", 0, len(sources["picture.jpg"])) + sources["picture.jpg"]
    block = b"\x86" + struct.pack(">I", len(picture))[1:] + picture
    yield "art.flac", sources["sound.flac"][:42].replace(b"fLaC\x80", b"fLaC\0") + block, False
    data = box(b"covr", box(b"data", struct.pack(">II", 13, 0), sources["picture.jpg"]))
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    tags = box(b"udta", box(b"meta", bytes(4), handler, box(b"ilst", data)))
    yield "art.m4a", forge.movie(tags), False
    file = element("466E", b"cover.jpg"), element("4660", b"image/jpeg"), element("465C", sources["picture.jpg"])
    attached = element("1941A469", element("61A7", *file, element("46AE", 9)))
    yield "art.mkv", matroska(b"", [], more=attached), False


def nested(sources: Sources, rng: Random) -> Made:
    head = box(b"ftyp", b"isom\0\0\2\0isom")
    for name, count in [(b"trak", 20_000), (b"moov", 20_000), (b"udta", 200_000), (b"meta", 50_000)]:
        yield f"{name.decode()}.mp4", head + forge.nested_boxes([b"moov"] + [name] * count), False
    yield "many small.mp4", head + struct.pack(">I4s", 8, b"free") * 300_000 + forge.movie(), False
    inner = b""
    for _ in range(2000):
        inner = element("1549A966", inner)
    yield "info.mkv", element("1A45DFA3", element("4282", b"matroska")) + element("18538067", inner), False
    tag = element("7373", element("67C8", element("45A3", b"A"), element("4487", b"B")))
    yield "tags.mkv", matroska(sound_track(), SOUND, more=element("1254C367", tag * 20_000)), None


KINDS: dict[str, Callable[[Sources, Random], Made]] = {
    "no stream": no_stream, "huge": huge, "ten hours": ten_hours, "odd duration": odd_durations, "odd rate": odd_rates,
    "jump": jumps, "many streams": many_streams, "cover alone": cover_alone, "nested": nested,
}  # fmt: skip

"""Three hundred files as people have or send them: damaged, mislabelled, made to do harm. No test is in here."""

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import cv2
import false_headers
import numpy as np
from false_headers import Made, Sources
from recipes import AAC, OPUS, Recipe, write

__all__ = ["COUNT", "Damaged", "damaged_files"]

COUNT = 300
X264 = {"x264-params": "mbtree=0"}  # with it, one encoding in ten is another
X265 = {"x265-params": "log-level=none"}
RECIPES = [
    Recipe("h264.mp4", "libx264", AAC, duration=10, video_options=X264),
    Recipe("fast.mp4", "libx264", AAC, video_options=X264, container={"movflags": "faststart"}),
    Recipe("hevc.mkv", "libx265", AAC, duration=10, video_options=X265),
    Recipe("vp8.webm", "libvpx", OPUS),
    Recipe("mpeg4.avi", "mpeg4", ("pcm_s16le", 8_000)),
    Recipe("sound.wav", audio=("pcm_s16le", 8_000)),
    Recipe("sound.mp3", audio=("libmp3lame", 44_100)),
    Recipe("sound.flac", audio=("flac", 16_000)),
    Recipe("sound.ogg", audio=OPUS),
    Recipe("sound.m4a", audio=AAC),
]
STATELESS = ("vp8.webm", "sound.ogg")  # cut between two of its pieces, it may pass for a shorter one
LONGEST = {"ten hours": 10.3, "truncated": 10.3, "spoilt": 10.3}  # seconds that files of these kinds hold at most


@dataclass(frozen=True)
class Damaged:
    """A file, what is wrong with it, and whether it must be readable (None: it may be read or refused).

    ``longest`` is how many seconds it may be said to last, None where nothing is known.
    """

    path: Path
    kind: str
    readable: bool | None
    longest: float | None = None


def damaged_files(folder: Path, seed: int) -> list[Damaged]:
    """Writes :data:`COUNT` files into ``folder``, which is made, and says what they are; alike for the same seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, sources = Random(seed), _sources()
    found = _odd_names(folder, sources["fast.mp4"])
    for kind, make in KINDS.items():
        for name, data, readable in make(sources, rng):
            path = folder / f"{len(found):03d} {name}"
            path.write_bytes(data)
            found.append(Damaged(path, kind, readable, LONGEST.get(kind)))
            if len(found) == COUNT:
                return found
    raise AssertionError(f"{len(found)} files only")


def _sources() -> Sources:
    with TemporaryDirectory() as folder:
        exact = [replace(recipe, container={**recipe.container, "fflags": "+bitexact"}) for recipe in RECIPES]
        found = {recipe.name: write(Path(folder), recipe).read_bytes() for recipe in exact}
    noise = cv2.resize(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8), (64, 64))
    for name, options in (("picture.jpg", ()), ("steps.jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), ("picture.png", ())):
        found[name] = cv2.imencode(name[-4:], noise, options)[1].tobytes()
    return found


def truncated(sources: Sources, rng: Random) -> Made:
    for name, data in sources.items():
        for share in (0.02, 0.3, 0.7, 0.97):
            kept = int(len(data) * share * rng.uniform(0.9, 1.02))
            yield f"{share} of {name}", data[:kept], None if name in STATELESS else False
        kept = rng.randrange(1, 64)
        yield f"{kept} bytes of {name}", data[:kept], False


def spoilt(sources: Sources, rng: Random) -> Made:
    """A stretch that was overwritten: with zeros, as a failed copy leaves them, or with other data."""
    for name, data in sources.items():
        start = rng.randrange(len(data) // 3, len(data))
        for filling in (bytes(600), rng.randbytes(600)):
            yield f"overwritten {name}", data[:start] + filling[: len(data) - start] + data[start + 600 :], None


def flipped(sources: Sources, rng: Random) -> Made:
    """Single bits, in the header and all over the file."""
    while True:
        for name, data in sources.items():
            out, header = bytearray(data), rng.random() < 0.5
            for _ in range(rng.choice((1, 3, 20))):
                out[rng.randrange(min(len(out), 400) if header else len(out))] ^= 1 << rng.randrange(8)
            yield f"bits of {name}", bytes(out), None


def wrong_type(sources: Sources, rng: Random) -> Made:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("a.mp4"), sources["fast.mp4"])
    page = b"<!doctype html><html><body><h1>404 Not Found</h1></body></html>"
    text = b"neither seen nor heard\n" * 99
    for name, data in [
        ("text.mp4", text), ("text.jpg", text), ("text.wav", text), ("page.mp4", page), ("page.png", page),
        ("archive.mp4", archive.getvalue()), ("archive.zip", archive.getvalue()), ("drawing.jpg", b"<svg/>" * 99),
        ("paper.mp4", b"%PDF-1.7\n" * 99), ("program.mp4", b"\x7fELF\2\1\1" + bytes(900)),
        ("noise.avi", rng.randbytes(5000)),
        ("picture.gif", b"GIF89a\1\0\1\0\0\0\0;"), ("picture.webp", b"RIFF\x1a\0\0\0WEBPVP8L" + bytes(18)),
        ("film.jpg", sources["fast.mp4"]), ("film.png", sources["hevc.mkv"]), ("picture.mp4", sources["picture.jpg"]),
        ("picture.wav", sources["picture.png"]), ("sound.jpg", sources["sound.mp3"]),
    ]:  # fmt: skip
        yield name, data, False
    yield "film.avi", sources["fast.mp4"], True
    yield "no suffix", sources["sound.flac"], True
    yield "jpeg.png", sources["picture.jpg"], True


def empty(sources: Sources, rng: Random) -> Made:
    for name in ("none.mp4", "none.wav", "none.png"):
        yield name, b"", False
    yield "zeros.mp4", bytes(9000), False
    yield "spaces.mp3", b" " * 9000, False


def lists(sources: Sources, rng: Random) -> Made:
    """Texts that name other files, one of which is there to be read."""
    other = GOOD.encode()
    stream = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n%s\n#EXT-X-ENDLIST\n"
    yield "list.m3u8", stream % other, False
    yield "list.mp4", stream % other, False
    yield "list of addresses.mp4", stream % b"http://localhost:9/a.ts", False
    yield "list in a tag.mp3", b"ID3\3\0\0\0\0\0\0" + stream % other, False
    yield "joined.ffconcat", b"ffconcat version 1.0\nfile '%s'\n" % other, False
    yield "joined.mp4", b"ffconcat version 1.0\nfile '%s'\n" % other, False
    yield "dash.mp4", b"<?xml version='1.0'?><MPD><Period><BaseURL>%s</BaseURL></Period></MPD>" % other, False
    yield "session.mp4", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n", False
    yield "script.mp4", b"file '/etc/passwd'\n", False


GOOD = "good.mp4"
NAMES = [
    GOOD, "-i.mp4", "--help.mp4", "new\nline.mp4", "tab\tand bell\a.mp4", os.fsdecode(b"not \xff\xfe text.mp4"),
    "x" * 200 + ".mp4", "file:a.mp4", "http:example.mp4", "concat:good.mp4|good.mp4", "pipe:0.mp4", "subfile,,:.mp4",
    "%03d.mp4", "*?[a].mp4", "$(touch a) `b`;.mp4", "..mp4", " .mp4", "space at the end.mp4 ", "世界 ü \u202e4pm.mp4",
    "UPPER.MP4", "a'\"&<b>.mp4", "\\back\\slash.mp4",
]  # fmt: skip


def _odd_names(folder: Path, film: bytes) -> list[Damaged]:
    """A true film under odd names, and what only has the name of one."""
    found = []
    for number, name in enumerate(NAMES):
        path = folder / name
        try:
            path.write_bytes(film)
        except OSError:  # a system that has no such names
            path = folder / f"name {number}.mp4"
            path.write_bytes(film)
        found.append(Damaged(path, "odd name", True))
    (folder / "folder.mp4").mkdir()
    for name, goal in [("to itself.mp4", "to itself.mp4"), ("to nowhere.mp4", "nowhere.mp4")]:
        (folder / name).symlink_to(goal)
    for name in ("folder.mp4", "to itself.mp4", "to nowhere.mp4"):
        found.append(Damaged(folder / name, "no file", False))
    return found


KINDS: dict[str, Callable[[Sources, Random], Made]] = {
    **false_headers.KINDS, "wrong type": wrong_type, "empty": empty, "list": lists, "spoilt": spoilt,
    "truncated": truncated, "flipped": flipped,
}  # fmt: skip

"""Whatever people send: each file is read, or refused with one clear error; the worker lives, and so do we."""

import math
import os
import socket
import sys
from pathlib import Path

import forge
import numpy as np
import pytest
from damage import COUNT, KINDS, damaged_files
from false_headers import SOUND

from crabplus.media import Decoder, MediaError, decode, frames, image, limits, probe, waveform

LIMIT = 30.0  # seconds for one call: none may reach it
MEMORY = 1_500_000  # KiB that the worker may ever have had; the largest picture that is read takes half of it
SLOW = "large.png"  # the one that takes seconds, because it is as large as what is read


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return damaged_files(tmp_path_factory.mktemp("damaged"), 0)


@pytest.fixture(scope="module")
def decoder():
    with Decoder(timeout=LIMIT) as decoder:
        yield decoder


def check(decoder, file):
    """Reads a file in every way that it allows, and judges what comes."""
    found = attempt(decoder.probe, file)
    if found is None:
        assert not file.readable, f"{file.path.name} should be readable"
        with pytest.raises(MediaError):
            decoder.frames(file.path, 8)
        return
    assert file.readable is not False, f"{file.path.name} should be refused, not {found}"
    assert found.size is None or min(found.size) > 0
    if found.kind == "image":
        picture = attempt(decoder.image, file)
        assert picture is None or picture.shape == (*found.size[::-1], 3)
        return
    assert 0 < found.duration < (file.longest or math.inf), f"{file.path.name} lasts {found.duration} s"
    if found.has_pictures:
        assert 0.001 <= found.fps <= 1000
        seen = attempt(decoder.frames, file, 8)
        assert seen is None or seen.images.shape == (8, *found.size[::-1], 3)
    if found.has_sound:
        heard = attempt(decoder.waveform, file)
        assert heard is None or (len(heard) == round(found.duration * 16_000) and np.isfinite(heard).all())


def attempt(read, file, *arguments):
    """What comes of reading the file; None if that is the one error, in order."""
    try:
        return read(file.path, *arguments)
    except MediaError as error:
        assert not file.readable, f"{file.path.name} should be readable"
        assert error.path == os.fspath(file.path)
        assert str(error).isprintable() and str(error).endswith(f": {error.reason}") and len(error.reason) > 5
        assert file.path.suffix in str(error)
        assert "took longer" not in error.reason and "crashed" not in error.reason
        return None


def check_all(decoder, files):
    """Reads all of them with one worker, which must still be the same at the end."""
    worker = decoder._ready().process.pid
    for file in files:
        check(decoder, file)
        assert decoder._ready().process.pid == worker, f"{file.path.name} cost a worker"
    status = Path(f"/proc/{worker}/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < MEMORY


@pytest.mark.parametrize("kind", ["odd name", "no file", *KINDS])
def test_some_of_each_kind(kind, damaged, decoder):
    files = [file for file in damaged if file.kind == kind and not file.path.name.endswith(SLOW)]
    check_all(decoder, files[:: max(1, len(files) // 3)])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_all_of_them(seed, tmp_path, decoder):
    files = damaged_files(tmp_path / "a", seed)
    assert len({file.path for file in files}) == len(list((tmp_path / "a").iterdir())) == COUNT == 300
    check_all(decoder, files)
    again = damaged_files(tmp_path / "b", seed)
    for one, other in zip(files, again, strict=True):
        assert (one.path.name, one.kind) == (other.path.name, other.kind)
        assert not one.path.is_file() or one.path.read_bytes() == other.path.read_bytes()


def test_a_list_reaches_nothing(tmp_path):
    """Not even the address that it names."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = b"http://127.0.0.1:%d/a.ts" % server.getsockname()[1]
        lists = [b"#EXTM3U\n#EXTINF:4,\n%s\n#EXT-X-ENDLIST\n" % address, b"ffconcat version 1.0\nfile %s\n" % address]
        for suffix in (".m3u8", ".mp4", ".mp3", ".ffconcat", ".jpg"):
            for text in [*lists, *(b"ID3\3\0\0\0\0\0\0" + text for text in lists)]:
                (tmp_path / f"a{suffix}").write_bytes(text)
                for read in (probe, image, waveform, lambda path: frames(path, 1)):
                    with pytest.raises(MediaError):
                        read(tmp_path / f"a{suffix}")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("name", ["two\nlines.mp4", "bell\a.mp4", os.fsdecode(b"\xff.mp4"), "\u202e4pm.mp4"])
def test_a_message_is_one_line_that_can_be_written_anywhere(name):
    error = MediaError(name, "quotes\r\nthis")
    assert error.path == name
    assert str(error).isprintable() and str(error).encode() and "quotes\\r\\nthis" in str(error)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("60000.png", "60000 x 60000 pixels, and no more than 200,000,000"),
        ("bomb.png", "60000 x 60000 pixels"),
        ("60000.jpg", "60000 x 60000 pixels"),
        ("scans.jpg", "made of more than 200 scans"),
        ("bomb.mkv", "more than the 67,108,864 pixels"),
        ("16383 in the pictures.webm", "more than the 67,108,864 pixels"),
        ("900.mkv", "more than 500 streams"),
        ("3000.mp4", "more than 500 streams"),
        ("2000.ogg", "more than 500 streams"),
        ("1 Hz.wav", "claims 1 samples per second"),
        ("pictures ahead.mkv", "time stamps jump from 0.08 to 432000.00 s"),
        ("pictures backwards.mkv", "time stamps go backwards"),
        ("ten hours.flac", "cut short: it should last 36000.00 s"),
    ],
)
def test_why_it_is_refused(name, reason, damaged, decoder):
    file = next(file for file in damaged if file.path.name.endswith(f" {name}"))
    with pytest.raises(MediaError, match=reason):
        decoder.probe(file.path)


def test_a_video_in_which_a_later_picture_is_a_bomb(damaged, decoder):
    file = next(file for file in damaged if file.path.name.endswith("hidden bomb.mkv"))
    assert decoder.frames(file.path, 1, 0.0, 0.04).images.shape == (1, 64, 64, 3)
    with pytest.raises(MediaError, match="more than the 67,108,864 pixels"):
        decoder.frames(file.path, 3)


def test_a_broken_index_is_not_taken_for_a_silent_film(clip, tmp_path):
    """The second track's name is gone: without a word the film would have no sound."""
    data = clip("fast.mp4").read_bytes()
    at = data.rfind(b"trak") - 4
    (tmp_path / "a.mp4").write_bytes(data[:at] + bytes(200) + data[at + 200 :])
    with pytest.raises(MediaError, match="index .* is broken"):
        probe(tmp_path / "a.mp4")


def test_a_wav_out_of_a_pipe_is_whole(tmp_path):
    samples = np.random.default_rng(0).integers(-9000, 9000, 8100, np.int16).tobytes()
    for name, stated in [("stated.wav", None), ("open.wav", 0xFFFFFFFF)]:
        (tmp_path / name).write_bytes(forge.riff(8000, samples=samples, stated=stated))
    assert np.array_equal(waveform(tmp_path / "open.wav"), waveform(tmp_path / "stated.wav"))


def test_a_rate_that_cannot_be_is_counted(damaged, decoder):
    file = next(file for file in damaged if file.path.name.endswith("1 ns a picture.mkv"))
    assert decoder.probe(file.path).fps == pytest.approx(25, rel=0.01)


def test_pauses_of_less_than_an_hour_are_believed(tmp_path):
    """The rest of a long recording, say of a camera that starts when something moves."""
    path = tmp_path / "a.mkv"
    times = [time + 3_000_000 * part for part in range(3) for time, _ in SOUND]
    path.write_bytes(forge.matroska(forge.sound_track(), [(time, bytes(1600)) for time in times]))
    assert probe(path).duration == pytest.approx(6002, abs=0.1)


SMALL = "from crabplus.media import worker; worker.MEMORY = 600_000_000; worker.main()"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
def test_a_call_that_needs_too_much_memory_is_refused(clip, monkeypatch):
    monkeypatch.setattr(decode, "COMMAND", [sys.executable, "-P", "-c", SMALL])
    assert limits.MEMORY == 8 * 2**30
    with Decoder() as decoder:
        assert decoder.frames(clip("h264.mp4"), 4).images.shape == (4, 48, 64, 3)
        worker = decoder._worker.process.pid
        with pytest.raises(MediaError, match="does not fit into memory"):
            decoder.frames(clip("h264.mp4"), 1000, size=(1280, 720))
        assert decoder.frames(clip("h264.mp4"), 4).images.shape == (4, 48, 64, 3)
        assert decoder._worker.process.pid == worker

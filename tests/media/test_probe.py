"""What a file is."""

import struct

import pytest

from crabplus.media import Probe, frames, make_media, probe, waveform
from crabplus.schema import Media


def test_videos(video_name, clip):
    found = probe(clip(video_name))
    assert (found.kind, found.size, found.has_sound, found.has_pictures) == ("video", (64, 48), True, True)
    assert found.fps == pytest.approx(10, rel=0.03)
    assert found.duration == pytest.approx(4.0, abs=0.03)


@pytest.mark.parametrize(
    "name", ["sound.wav", "sound24.wav", "sound.mp3", "sound.flac", "sound.m4a", "opus.ogg", "vorbis.ogg", "sound.mp4"]
)
def test_sounds(name, clip):
    found = probe(clip(name))
    assert (found.kind, found.fps, found.size, found.has_sound, found.has_pictures) == (
        "audio",
        None,
        None,
        True,
        False,
    )
    assert found.duration == pytest.approx(4.0, abs=0.01)


def test_mp3_without_a_stated_length_is_measured(clip):
    assert probe(clip("plain.mp3")).duration == pytest.approx(4.05, abs=0.06)  # with the encoder's padding


def test_silent_video(clip):
    assert probe(clip("silent.mp4")) == Probe("video", 4.0, 10.0, (64, 48), False, True)


def test_cover_art_is_no_picture(clip, tmp_path):
    import cv2
    import numpy as np

    _, jpeg = cv2.imencode(".jpg", np.full((32, 32, 3), 200, np.uint8))
    body = b"\0image/jpeg\0\x03\0" + jpeg.tobytes()
    tag = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = bytes(len(tag) >> 7 * place & 0x7F for place in (3, 2, 1, 0))
    path = tmp_path / "cover.mp3"
    path.write_bytes(b"ID3\x03\0\0" + size + tag + clip("sound.mp3").read_bytes())
    found = probe(path)
    assert (found.kind, found.has_pictures, found.size) == ("audio", False, None)
    assert found.duration == pytest.approx(4.0, abs=0.01)
    assert len(waveform(path, 1, 2)) == 16_000


@pytest.mark.parametrize("name", ["odd.mp4", "odd.webm"])
def test_odd_sizes(name, clip):
    assert probe(clip(name)).size == (65, 47)
    assert frames(clip(name), 2).images.shape == (2, 47, 65, 3)


def test_pixels_that_are_not_square(clip):
    assert probe(clip("wide.mp4")).size == (85, 48)
    assert frames(clip("wide.mp4"), 1).images.shape == (1, 48, 85, 3)


def test_duration_counts_what_ends_last(clip):
    assert probe(clip("late_sound.mp4")).duration == pytest.approx(4.7, abs=0.03)
    assert probe(clip("late_pictures.mkv")).duration == pytest.approx(4.0, abs=0.03)


def test_content_decides_over_the_name(clip, tmp_path):
    path = tmp_path / "named.avi"
    path.write_bytes(clip("h264.mp4").read_bytes())
    assert probe(path).kind == "video"
    path = tmp_path / "no_suffix"
    path.write_bytes(clip("sound.flac").read_bytes())
    assert probe(path).kind == "audio"


def test_a_file_that_changed_is_read_anew(clip, tmp_path):
    path = tmp_path / "changing.bin"
    path.write_bytes(clip("silent.mp4").read_bytes())
    assert probe(path).kind == "video"
    path.write_bytes(clip("sound.wav").read_bytes())
    assert probe(path).kind == "audio"


@pytest.mark.parametrize("name", ["a:b.mp4", "ü 世界 %20.mp4", "-y.mp4"])
def test_awkward_names(name, clip, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(clip("silent.mp4").read_bytes())
    assert probe(tmp_path / name).kind == "video"
    monkeypatch.chdir(tmp_path)
    assert probe(name).kind == "video"  # the worker started in another folder


def test_make_media(clip):
    path = clip("h264.mp4")
    assert make_media(path, "first") == Media(
        "first", "video", str(path), sound="track", duration=4.0, fps=10.0, size=(64, 48)
    )
    assert make_media(clip("silent.mp4")).sound == "none"
    assert make_media(clip("sound.wav")) == Media("clip", "audio", str(clip("sound.wav")), duration=4.0)

"""The right pictures, upright, at their true times."""

import cv2
import numpy as np
import pytest

from crabplus.media import MediaError, frames, pictures

WINDOWS = [(None, None, 8), (None, None, 40), (2.0, 3.0, 5), (3.3, 3.5, 2), (3.95, 4.0, 1), (0.0, 0.05, 1)]


def check(found, number, count, fps=10):
    targets = found.start + (np.arange(count) + 0.5) / count * (found.end - found.start)
    wanted = np.floor(targets * fps + 1e-6).astype(int)
    assert [number(image) for image in found.images] == wanted.tolist()
    assert found.times == pytest.approx(wanted / fps, abs=0.0011)  # matroska rounds to milliseconds


def test_pictures_on_display_at_the_centres(video_name, clip, number):
    for start, end, count in WINDOWS:
        found = frames(clip(video_name), count, start, end)
        assert (found.images.dtype, found.times.dtype) == (np.uint8, np.float64)
        assert found.images.shape == (count, 48, 64, 3)
        assert (found.start, found.end) == pytest.approx((start or 0.0, end or 4.0), abs=0.002)
        check(found, number, count)


def test_colours_are_rgb(video_name, clip):
    image = frames(clip(video_name), 1).images[0].astype(int)
    assert np.abs(image[40, 12] - (220, 30, 30)).max() < 40
    assert np.abs(image[40, 52] - (30, 30, 220)).max() < 40


@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.avi", "long_bframes.avi"])
def test_after_a_seek(name, clip, number):
    for start, end, count in [(None, None, 8), (16.0, 18.0, 10), (20.05, 25.0, 3), (24.5, 25.0, 4), (3.3, 3.5, 2)]:
        check(frames(clip(name), count, start, end), number, count)


@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.avi"])
def test_a_seek_saves_decoding(name, clip, monkeypatch):
    decoded = []
    judge = pictures.Walk._judge
    monkeypatch.setattr(pictures.Walk, "_judge", lambda walk, *shown: decoded.append(shown) or judge(walk, *shown))
    pictures.read_frames(str(clip(name)), 2, 20.5, 21.0, None)
    assert 0 < len(decoded) <= 70  # of 250: those since the key frame at 20 s, and at most one group before it
    decoded.clear()
    pictures.read_frames(str(clip(name)), 3, None, None, None)  # at 4.2, 12.5 and 20.8 s; key frames every 5 s
    assert 0 < len(decoded) <= 120


def test_an_end_behind_the_pictures_is_moved_there(clip, number):
    found = frames(clip("h264.mp4"), 10, 3.0, 9.0)
    assert (found.start, found.end) == (3.0, 4.0)
    check(found, number, 10)


def test_variable_frame_rate(clip, number):
    found = frames(clip("vfr.mp4"), 8, 0.0, 3.2)  # at 0.2, 0.6, 1.0, 1.4, 1.8, 2.2, 2.6, 3.0
    assert [number(image) for image in found.images] == [2, 2, 4, 4, 4, 4, 6, 6]
    assert found.times == pytest.approx([0.15, 0.15, 1.0, 1.0, 1.0, 1.0, 2.6, 2.6], abs=0.001)
    assert number(frames(clip("vfr.mp4"), 1, 2.0, 2.2).images[0]) == 4  # it came on display before the window


def test_first_picture_is_at_zero(clip, number):
    found = frames(clip("late_pictures.mkv"), 4, 0.0, 0.4)
    assert [number(image) for image in found.images] == [0, 1, 2, 3]
    assert found.times == pytest.approx([0, 0.1, 0.2, 0.3], abs=0.001)


ONE = 1 << 16
TURNS = {
    "phone held upright": ((0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30), lambda image: np.rot90(image, -1)),
    "upside down": ((-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30), lambda image: np.rot90(image, 2)),
    "the other way": ((0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30), lambda image: np.rot90(image, 1)),
    "mirrored": ((-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), lambda image: image[:, ::-1]),
    "transposed": ((0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30), lambda image: image.transpose(1, 0, 2)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_rotation(turn, make, clip):
    matrix, turned = TURNS[turn]
    plain = frames(clip("silent.mp4"), 3).images
    found = frames(make("turned.mp4", video="libx264", matrix=matrix), 3).images
    # two files, two encodings: x264 does not always give the same bytes for the same pictures
    assert np.allclose(found, np.stack([turned(image) for image in plain]).astype(float), rtol=0, atol=16)


def test_rotation_is_in_the_size(make):
    from crabplus.media import probe

    assert probe(make("turned.mov", video="libx264", matrix=TURNS["phone held upright"][0])).size == (48, 64)


def test_resizing(clip):
    whole = frames(clip("silent.mp4"), 2).images
    small = frames(clip("silent.mp4"), 2, size=(20, 12)).images
    large = frames(clip("silent.mp4"), 2, size=(100, 90)).images
    for place in range(2):
        assert np.array_equal(small[place], cv2.resize(whole[place], (20, 12), interpolation=cv2.INTER_AREA))
        assert np.array_equal(large[place], cv2.resize(whole[place], (100, 90), interpolation=cv2.INTER_LINEAR))
    assert frames(clip("silent.mp4"), 1, size=(100, 12)).images.shape == (1, 12, 100, 3)


def test_refused_windows(clip):
    path = clip("h264.mp4")
    for start, end, why in [(4.0, 5.0, "outside"), (-1.0, 1.0, "outside"), (2.0, 2.0, "empty"), (3.0, 2.0, "empty")]:
        with pytest.raises(MediaError, match=why):
            frames(path, 2, start, end)
    for count in (0, -1, 1.5):
        with pytest.raises(ValueError, match="count"):
            frames(path, count)
    with pytest.raises(ValueError, match="width"):
        frames(path, 1, size=(0, 4))
    with pytest.raises(ValueError, match="finite"):
        frames(path, 1, float("nan"))


def test_sound_has_no_frames(clip):
    with pytest.raises(MediaError, match="only sound"):
        frames(clip("sound.wav"), 1)

"""The right samples at the right time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crabplus.media import MediaError, waveform


def test_the_tone_is_where_it_was_put(sound_name, clip, loud):
    sound = waveform(clip(sound_name))
    assert (sound.dtype, sound.ndim) == (np.float32, 1)
    assert len(sound) / 16_000 == pytest.approx(4.0, abs=0.01)
    assert loud(sound) == pytest.approx((1.0, 1.5), abs=0.003)
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.05)
    crossings = np.count_nonzero(np.diff(np.signbit(sound[16_800:23_200])))
    assert crossings == pytest.approx(800, abs=4)  # 1 kHz for 0.4 s


def test_windows(sound_name, clip, loud):
    sound = waveform(clip(sound_name), 0.75, 2.0)
    assert len(sound) == 20_000
    assert loud(sound) == pytest.approx((0.25, 0.75), abs=0.003)
    assert len(waveform(clip(sound_name), 1.2, 1.33331)) == round(0.13331 * 16_000)


@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.avi", "long.mp3", "long.ogg"])
def test_after_a_seek(name, clip, loud):
    for start, end in [(16.5, 19.0), (10.0, 18.5), (17.3, 17.9)]:
        first, last = loud(waveform(clip(name), start, end))
        assert first + start == pytest.approx(max(17.0, start), abs=0.003)
        assert last + start == pytest.approx(min(18.0, end), abs=0.003)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_window_is_a_part_of_the_whole(clip, data):
    name = data.draw(st.sampled_from(["long.mp4", "long.avi", "long.mp3", "long.ogg"]))
    whole = waveform(clip(name))
    first = data.draw(st.integers(15 * 16_000, 18 * 16_000) | st.integers(0, len(whole) - 2000))
    count = data.draw(st.integers(1, min(3 * 16_000, len(whole) - 1000 - first)))
    part = waveform(clip(name), first / 16_000, (first + count) / 16_000)
    assert np.abs(part - whole[first : first + count]).max() < 1e-3


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_rates(rate, clip, loud):
    sound = waveform(clip("sound.wav"), 0.5, 2.0, rate=rate)
    assert len(sound) == round(1.5 * rate)
    assert loud(sound, rate) == pytest.approx((0.5, 1.0), abs=0.003)


def test_the_mean_of_the_channels(tmp_path):
    import wave

    left = (0.5 * 32767 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype("<i2")
    with wave.open(str(tmp_path / "left.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.stack([left, np.zeros_like(left)], axis=1).tobytes())
    sound = waveform(tmp_path / "left.wav")
    assert np.abs(sound - left / 65536).max() < 1e-6


def test_sound_that_starts_late(clip, loud):
    sound = waveform(clip("late_sound.mp4"))
    assert loud(sound) == pytest.approx((1.7, 2.2), abs=0.003)
    assert not sound[: int(0.65 * 16_000)].any()
    assert not waveform(clip("late_sound.mp4"), 0.0, 0.5).any()


def test_pictures_that_start_late(clip, loud):
    assert loud(waveform(clip("late_pictures.mkv"))) == pytest.approx((0.3, 0.8), abs=0.003)


def test_a_pause_that_the_container_states(clip, loud):
    sound = waveform(clip("pause.mkv"))
    assert loud(sound) == pytest.approx((3.5, 4.0), abs=0.03)  # aac may begin the pause only with its next frame
    assert not sound[int(2.1 * 16_000) : int(2.9 * 16_000)].any()


def test_an_end_behind_the_clip_is_moved_there(clip):
    assert len(waveform(clip("h264.mp4"), 3.0, 9.0)) == 16_000


def test_no_sound_track(clip):
    with pytest.raises(MediaError, match="has no sound track") as caught:
        waveform(clip("silent.mp4"))
    assert caught.value.path == str(clip("silent.mp4"))


def test_refused_windows(clip):
    for start, end, why in [(4.5, 5.0, "outside"), (-1.0, 1.0, "outside"), (3.0, 2.0, "empty")]:
        with pytest.raises(MediaError, match=why):
            waveform(clip("sound.wav"), start, end)
    with pytest.raises(ValueError, match="rate"):
        waveform(clip("sound.wav"), rate=0)

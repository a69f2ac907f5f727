"""Files that cannot be read: one error that names file and reason, never something made up."""

import os
import pickle

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crabplus.media import MediaError, containers, frames, image, probe, waveform


def read_all(path):
    found = probe(path)
    return (
        frames(path, 40) if found.kind == "video" else None,
        waveform(path) if found.has_sound else None,
        image(path) if found.kind == "image" else None,
    )


def refused(path, reason="", read=read_all):
    with pytest.raises(MediaError) as caught:
        read(path)
    assert caught.value.path == str(path)
    assert str(caught.value) == f"{path}: {caught.value.reason}"
    assert "\n" not in str(caught.value) and len(caught.value.reason) > 5
    assert reason in caught.value.reason


def spoil(source, path, at, length=150):
    """A copy with nonsense from byte ``at`` on."""
    data = bytearray(source.read_bytes())
    data[at : at + length] = np.random.default_rng(at).bytes(len(data[at : at + length]))
    path.write_bytes(data)
    return path


def place_of(path, kind, time):
    """Where in the file the first packet of a stream at or after ``time`` stands."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        for packet in container.demux(stream):
            if packet.pts is not None and packet.pts * stream.time_base >= time:
                return packet.pos
    raise AssertionError(time)


def test_no_file_to_read(tmp_path):
    refused(tmp_path / "none.mp4", "no such file")
    refused(tmp_path, "is a directory")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", "is empty")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such thing as a pipe with a name")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", "not a regular file")


@pytest.mark.parametrize(
    "name", ["a.mp4", "a.mkv", "a.avi", "a.wav", "a.mp3", "a.flac", "a.ogg", "a.jpg", "a.png", "a.txt"]
)
def test_text_under_any_name(name, tmp_path):
    (tmp_path / name).write_text("this is a text and neither seen nor heard\n" * 50)
    refused(tmp_path / name, "no known picture, sound or video")


def test_lists_of_other_files_are_not_followed(clip, tmp_path):
    for name, text in [
        ("a.mp4", f"#EXTM3U\n#EXTINF:4,\n{clip('h264.mp4')}\n"),
        ("b.mp4", f"ffconcat version 1.0\nfile {clip('h264.mp4')}\n"),
    ]:
        (tmp_path / name).write_text(text)
        refused(tmp_path / name)


def test_picture_named_as_video_and_the_reverse(clip, tmp_path):
    import cv2

    _, data = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "a.mp4").write_bytes(data.tobytes())
    refused(tmp_path / "a.mp4", "mislabelled")
    (tmp_path / "a.jpg").write_bytes(clip("h264.mp4").read_bytes())
    refused(tmp_path / "a.jpg", "mislabelled")


def test_cut_short(any_name, clip, tmp_path):
    data = clip(any_name).read_bytes()
    for share in (0.01, 0.1, 0.35, 0.6, 0.8, 0.95):
        path = tmp_path / f"{share}{any_name}"
        path.write_bytes(data[: int(len(data) * share)])
        if any_name == "live.webm":  # states no length: cut between two blocks, it is a shorter recording
            refused_or_shorter(path, probe(clip(any_name)).duration)
        else:
            refused(path)


def refused_or_shorter(path, duration):
    try:
        found = probe(path).duration
    except MediaError:
        return
    assert 0 < found < duration


@pytest.mark.parametrize(
    ("name", "kind"), [("tone.mp4", "audio"), ("tone.m4a", "audio"), ("tone.flac", "audio"), ("tone.ogg", "audio")]
)
def test_damaged_sound(name, kind, clip, tmp_path):
    path = spoil(clip(name), tmp_path / name, place_of(clip(name), kind, 2.5))
    refused(path, "damaged", lambda path: waveform(path, 2.0, 3.0))
    refused(path, "damaged", waveform)
    if not name.endswith("ogg"):  # its demuxer reads ahead
        assert np.array_equal(waveform(path, 0.0, 1.5), waveform(clip(name), 0.0, 1.5))


def test_damage_that_reaches_into_the_window(clip, tmp_path):
    """Frames that a flac decoder drops without an error: lost are those before the window and its first."""
    source = clip("tone.flac")
    first, last = place_of(source, "audio", 1.5), place_of(source, "audio", 2.4)
    path = spoil(source, tmp_path / "a.flac", first + 30, last - first)
    for start in (1.4, 1.6, 1.9, 2.2):
        refused(path, "damaged", lambda path, start=start: waveform(path, start, 3.5))
    assert np.array_equal(waveform(path, 2.9, 4.0), waveform(source, 2.9, 4.0))


def test_damaged_pictures(clip, tmp_path):
    source = clip("h264.mp4")
    path = spoil(source, tmp_path / "a.mp4", place_of(source, "video", 2.0), 12)
    refused(path, "damaged", lambda path: frames(path, 40))
    refused(path, "damaged", lambda path: frames(path, 1, 2.5, 2.6))
    for start, end in [(0.0, 1.9), (3.0, 4.0)]:  # before, and from the next key frame on
        assert np.array_equal(frames(path, 5, start, end).images, frames(source, 5, start, end).images)


def test_a_key_frame_ends_the_damage(clip, tmp_path):
    """Pictures every 0.4 s, so near to each other that no seek lies between them; 2.0 to 2.2 s is spoilt."""
    source = clip("groups.mp4")
    path = spoil(source, tmp_path / "a.mp4", place_of(source, "video", 2.0), 8)
    assert np.array_equal(frames(path, 9, 0.4, 4.0).images, frames(source, 9, 0.4, 4.0).images)
    refused(path, "damaged", lambda path: frames(path, 9, 0.3, 3.9))


def test_a_damaged_stretch_that_the_demuxer_leaves_out(clip, tmp_path):
    source = clip("tone.webm")
    at = place_of(source, "audio", 2.0) - 12
    refused(spoil(source, tmp_path / "a.webm", at, source.stat().st_size // 50), "damaged")
    source = clip("tone.avi")
    refused(spoil(source, tmp_path / "a.avi", place_of(source, "audio", 2.0) - 8, 4), "damaged")  # one piece's name


def test_an_mp4_whose_sound_is_not_all_there(clip, tmp_path):
    """The file is whole to look at, but the end of its sound was overwritten."""
    source = clip("tone.m4a")
    start, end = place_of(source, "audio", 3.0), place_of(source, "audio", 3.95)
    path = spoil(source, tmp_path / "a.m4a", start, end - start)
    refused(path, "damaged", waveform)
    assert len(waveform(path, 0.0, 2.5)) == 40_000


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_harmless(clip, tmp_path_factory, data):
    name = data.draw(
        st.sampled_from(["h264.mp4", "mpeg4.avi", "h264.mkv", "vp8.webm", "sound.mp3", "sound.flac", "opus.ogg"])
    )
    content = bytearray(clip(name).read_bytes())
    at = data.draw(st.one_of(st.integers(0, 300), st.integers(0, len(content) - 1)))
    new = data.draw(st.binary(min_size=1, max_size=64))
    content[at : at + len(new)] = new
    path = tmp_path_factory.mktemp("spoilt") / name
    path.write_bytes(content)
    try:
        read_all(path)
    except MediaError as error:
        assert error.path == str(path) and error.reason


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [
            b"",
            b"RIFF",
            b"\x1a\x45\xdf\xa3",
            b"OggS\0",
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"ID3",
            b"\0\0\0\x08moov",
            b"\xff\xfb",
        ]
    ),
    st.binary(max_size=80),
    st.sampled_from(["a.mp4", "a.jpg", "a"]),
)
def test_any_bytes_are_identified_or_refused(tmp_path_factory, magic, rest, name):
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(magic + rest)
    try:
        found = containers.identify(str(path))
    except MediaError as error:
        assert error.path == str(path)
    else:
        assert found in ("mov", "avi", "matroska", "wav", "mp3", "flac", "ogg", "jpeg", "png")


def test_the_error_travels():
    error = pickle.loads(pickle.dumps(MediaError("a.mp4", "is empty")))
    assert (type(error), error.path, error.reason, str(error)) == (MediaError, "a.mp4", "is empty", "a.mp4: is empty")
    assert str(MediaError("Caught in worker 3")) == "Caught in worker 3"  # how a DataLoader raises it anew

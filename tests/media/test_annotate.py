"""Copies with marks: every container, odd sizes, turned pictures, uneven times; damage is refused."""

from fractions import Fraction

import av
import matplotlib
import numpy as np
import pytest

from crabplus.media import Decoder, MediaError, frames, image, probe, waveform
from crabplus.media.marks import Boxed, Marks, Words
from crabplus.media.painter import Painter

FONT = matplotlib.get_data_path() + "/fonts/ttf/DejaVuSans.ttf"


@pytest.fixture(scope="module")
def decoder():
    with Decoder() as made:
        yield made


def times_of(path):
    with av.open(str(path)) as file:
        return [float(frame.time) for frame in file.decode(video=0)]


def test_every_container(video_name, clip, decoder, tmp_path, loud, number):
    before, out = clip(video_name), tmp_path / "out.mp4"
    decoder.annotate(before, out, Marks())
    old, new = probe(before), probe(out)
    assert new.duration == pytest.approx(old.duration, abs=0.01) and new.fps == pytest.approx(old.fps)
    assert new.size == old.size and new.has_sound
    assert [number(picture) for picture in frames(out, 40).images] == list(range(40))
    assert loud(waveform(out)) == pytest.approx(loud(waveform(before)), abs=0.005)


@pytest.mark.parametrize("name", ["late_sound.mp4", "late_pictures.mkv", "pause.mkv", "tone.avi"])
def test_sound_stays_at_its_time(name, clip, decoder, tmp_path, loud):
    decoder.annotate(clip(name), tmp_path / "out.mp4", Marks())
    assert loud(waveform(tmp_path / "out.mp4")) == pytest.approx(loud(waveform(clip(name))), abs=0.005)
    assert probe(tmp_path / "out.mp4").duration == pytest.approx(probe(clip(name)).duration, abs=0.03)


@pytest.mark.parametrize(("name", "kept"), [("h264.mp4", "aac"), ("h264.mkv", "flac"), ("h264.mov", "aac")])
def test_sound_is_encoded_anew_only_where_it_must(name, kept, clip, decoder, tmp_path):
    decoder.annotate(clip(name), tmp_path / "out.mp4", Marks())
    with av.open(str(tmp_path / "out.mp4")) as new, av.open(str(clip(name))) as old:
        assert new.streams.audio[0].codec_context.name == kept
        same = [bytes(packet) for packet in new.demux(audio=0)] == [bytes(packet) for packet in old.demux(audio=0)]
    assert same == (name != "h264.mov")


def test_uneven_times_are_kept(clip, decoder, tmp_path):
    decoder.annotate(clip("vfr.mp4"), tmp_path / "out.mp4", Marks())
    assert times_of(tmp_path / "out.mp4") == pytest.approx([0.0, 0.1, 0.15, 0.9, 1.0, 2.5, 2.6, 3.3], abs=1e-4)
    assert probe(tmp_path / "out.mp4").duration == pytest.approx(probe(clip("vfr.mp4")).duration, abs=0.01)
    assert not probe(tmp_path / "out.mp4").has_sound


@pytest.mark.parametrize(("name", "size"), [("odd.mp4", (66, 48)), ("wide.mp4", (86, 48))])
def test_size_is_made_even(name, size, clip, decoder, tmp_path, number):
    decoder.annotate(clip(name), tmp_path / "out.mp4", Marks())
    assert probe(tmp_path / "out.mp4").size == size and number(frames(tmp_path / "out.mp4", 40).images[21]) == 21


def test_turned_pictures_are_upright(make, decoder, tmp_path):
    turned = make("turned.mp4", video="libx264", matrix=(0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
    decoder.annotate(turned, tmp_path / "out.mp4", Marks())
    old, new = frames(turned, 4).images, frames(tmp_path / "out.mp4", 4).images
    assert new.shape == old.shape == (4, 64, 48, 3) and np.abs(new.astype(int) - old).mean() < 4


@pytest.mark.parametrize(("matrix", "scale"), [(1, 1), (6, 2)])
def test_colours_are_kept_and_named(matrix, scale, decoder, tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = (200, 30, 30), (30, 60, 200)
    with av.open(str(tmp_path / "in.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(10), options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, scale
        context.color_primaries = context.color_trc = matrix
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        for _ in range(5):
            file.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=scale)))
        file.mux(stream.encode())
    decoder.annotate(tmp_path / "in.mp4", tmp_path / "out.mp4", Marks())
    shown = frames(tmp_path / "out.mp4", 1).images[0]
    assert shown[24, 10] == pytest.approx([200, 30, 30], abs=6) and shown[24, 54] == pytest.approx([30, 60, 200], abs=6)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.streams.video[0].codec_context.colorspace == matrix


def test_what_is_no_film_is_refused(clip, root, decoder, tmp_path):
    for path, form, words in [
        (clip("sound.wav"), "mp4", "has no pictures to draw on"), (root / "0.jpg", "mp4", "is a still picture"),
        (clip("silent.mp4"), "png", "is no picture"),
    ]:  # fmt: skip
        with pytest.raises(MediaError, match=words):
            decoder.annotate(path, tmp_path / "out", Marks(), form)
    decoder.annotate(root / "0.jpg", tmp_path / "out.png", Marks(), "png")
    assert (image(tmp_path / "out.png") == image(root / "0.jpg")).all()


def test_damage_is_refused(clip, decoder, tmp_path):
    content = bytearray(clip("long.mp4").read_bytes())
    start = len(content) // 2
    content[start : start + 3000] = bytes(3000)
    (tmp_path / "spoilt.mp4").write_bytes(content)
    with pytest.raises(MediaError, match=r"spoilt.mp4: (is|its sound is) damaged"):
        decoder.annotate(tmp_path / "spoilt.mp4", tmp_path / "out.mp4", Marks())


def test_a_folder_that_is_not_there_is_told(clip, decoder, tmp_path):
    with pytest.raises(MediaError, match="its copy cannot be written to .*No such file"):
        decoder.annotate(clip("silent.mp4"), tmp_path / "none" / "out.mp4", Marks())


@pytest.mark.parametrize("size", [(160, 120), (1920, 1080), (30, 20)])
def test_letters_grow_with_the_picture_and_stay_in_it(size):
    picture = np.full((*size[::-1], 3), 128, np.uint8)
    words = Words("A caption with quiteaverylongwordwithoutanyspaceinitatallwhichhastobebroken " * 9, FONT, 0, 2)
    painter = Painter(Marks(above=(words,), below=(words,), boxes=(Boxed(words, 0, 0, *size, 1.0),)), size)
    painter.paint(picture, 1.0)
    assert painter.letters == {160: 11, 1920: 43, 30: 11}[size[0]]
    assert (picture > 200).all(axis=-1).sum() > painter.letters


def test_nothing_is_drawn_outside_of_its_time():
    words = Words("bell", FONT, 1.0, 2.0)
    painter = Painter(Marks((words,), (words,), (Boxed(words, 5, 5, 40, 40, 1.5),)), (64, 48))
    drawn = []
    for time in (0.0, 0.99, 1.0, 1.5, 1.99, 2.0, 3.0):
        picture = np.full((48, 64, 3), 128, np.uint8)
        painter.paint(picture, time)
        drawn.append(bool((picture != 128).any()))
    assert drawn == [False, False, True, True, True, False, False]

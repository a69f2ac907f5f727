"""The annotated copy: as many pictures, as long, with sound; words and boxes where and when they belong."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from crabplus.media import MediaError, frames, image, make_media, probe, waveform
from crabplus.report import film
from crabplus.report.film import annotate
from crabplus.report.letters import lettering
from crabplus.schema import (
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Reply,
    TextAnswer,
    Window,
)

SIZE, FPS, LENGTH = (160, 120), 10, 4.0
GREY = 90


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    """Four seconds of grey, with a tone from 1 to 2 s."""
    path = tmp_path_factory.mktemp("own") / "clip.mp4"
    seconds = np.arange(round(LENGTH * 16_000)) / 16_000
    sound = (0.5 * np.sin(2 * np.pi * 440 * seconds) * ((seconds >= 1) & (seconds < 2))).astype(np.float32)
    with av.open(str(path), "w") as clip:
        video, audio = clip.add_stream("libx264", rate=FPS), clip.add_stream("aac", rate=16_000, layout="mono")
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        for _ in range(round(LENGTH * FPS)):
            clip.mux(video.encode(av.VideoFrame.from_ndarray(np.full((*SIZE[::-1], 3), GREY, np.uint8), "rgb24")))
        clip.mux(video.encode())
        for start in range(0, len(sound), 1024):
            frame = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
            clip.mux(audio.encode(frame))
        clip.mux(audio.encode())
    return make_media(path)


@pytest.fixture
def made(media: Media, tmp_path: Path) -> Callable[..., np.ndarray]:
    """Writes a copy and returns its pictures, (40, 120, 160, 3)."""

    def make(**said: object) -> np.ndarray:
        annotate(Reply("1", "ave", media=(media,), **said), tmp_path / "out.mp4")  # type: ignore[arg-type]
        return frames(tmp_path / "out.mp4", round(LENGTH * FPS)).images

    return make


def changed(pictures: np.ndarray) -> np.ndarray:
    """Which pixels of each picture are no longer grey, (N, H, W)."""
    return (np.abs(pictures.astype(int) - GREY) > 25).any(axis=-1)


def seconds(shown: np.ndarray) -> list[float]:
    """First and last second at which something is shown, as times of pictures."""
    at = np.flatnonzero(shown) / FPS
    assert len(at) == round((at[-1] - at[0]) * FPS) + 1, "shown without a break"
    return [at[0], at[-1]]


def test_length_pictures_and_sound_are_kept(made: Callable, media: Media, tmp_path: Path) -> None:
    made(answer=EventsAnswer((Event("bell", 1, 2),)))
    before, after = probe(media.path), probe(tmp_path / "out.mp4")
    assert (after.kind, after.size, after.has_sound) == ("video", SIZE, True)
    assert after.fps == pytest.approx(FPS) and after.duration == pytest.approx(before.duration, abs=1 / FPS)
    with av.open(str(tmp_path / "out.mp4")) as copy, av.open(media.path) as clip:
        assert copy.streams.video[0].codec_context.name == "h264" and "mp4" in copy.format.name
        packets = [[bytes(packet) for packet in file.demux(audio=0)] for file in (copy, clip)]
        assert packets[0] == packets[1], "the sound is carried over as it is"
    with av.open(str(tmp_path / "out.mp4")) as copy:
        times = [float(frame.time) for frame in copy.decode(video=0)]
    assert times == pytest.approx([n / FPS for n in range(round(LENGTH * FPS))], abs=1e-4)
    sounds = waveform(media.path), waveform(tmp_path / "out.mp4")
    assert len(sounds[0]) == len(sounds[1]) and np.abs(sounds[0] - sounds[1]).max() < 0.01


def test_events_are_named_above_while_they_last(made: Callable) -> None:
    pictures = made(answer=EventsAnswer((Event("bell", 1.0, 2.5), Event("dog", 2.0, 3.0))))
    marked = changed(pictures)
    assert seconds(marked.any(axis=(1, 2))) == [1.0, 2.9]
    assert not marked[:, 60:].any(), "below there is nothing"
    assert marked[22, :12].mean() > 0.9, "a dark band over the whole width"
    assert marked[22].any(axis=1).sum() == marked[12].any(axis=1).sum(), "one line is enough for both"
    letters = (pictures > 180).all(axis=-1).sum(axis=(1, 2))
    assert letters[22] > letters[12] > 30 and letters[22] > letters[27] > 20, "two names are longer than one"


def test_words_of_each_window_stand_below(made: Callable) -> None:
    windows = (Window(0, 1, answer=TextAnswer("One.")), Window(1, 2, error="out of memory"),
               Window(3, 4, answer=TextAnswer("A much longer caption that says what goes on. " * 5)))  # fmt: skip
    pictures = made(answer=TextAnswer("All."), windows=windows)
    marked = changed(pictures)
    assert not marked[:, :60].any()
    heights = marked[:, :, 80].sum(axis=1)
    assert [len(set(heights[start : start + 10])) for start in (0, 10, 20, 30)] == [1, 1, 1, 1]
    assert heights[0] == heights[10] > 10 and heights[20] == 0 and 30 < heights[30] <= 0.34 * SIZE[1] + 1
    letters = (pictures > 180).all(axis=-1).sum(axis=(1, 2))
    assert letters[10] > letters[0] > 15, "no answer is longer than One."


@pytest.mark.parametrize("said", [LabelAnswer("joy"), TextAnswer("Two.")])
def test_an_answer_in_one_piece_lasts_as_long_as_was_asked(media: Media, tmp_path: Path, said: object) -> None:
    part = Media("clip", "video", media.path, start=1, end=2, duration=4, fps=10, size=SIZE)
    annotate(Reply("1", "meld", answer=said, media=(part,), question="How?"), tmp_path / "out.mp4")  # type: ignore[arg-type]
    assert seconds(changed(frames(tmp_path / "out.mp4", 40).images).any(axis=(1, 2))) == [1.0, 1.9]


def test_boxes_lie_at_their_pixels_during_their_window(made: Callable) -> None:
    """The box has its corners at (40, 60) and (120, 90); its window is 1 to 3 s, its picture at 2 s."""
    things = ObjectsAnswer((Object("violin", (0.25, 0.5, 0.75, 0.75), time=2.0),))
    windows = (Window(0, 1, answer=ObjectsAnswer()), Window(1, 3, answer=things), Window(3, 4, answer=ObjectsAnswer()))
    pictures = made(answer=things, windows=windows)
    marked = changed(pictures)
    assert seconds(marked.any(axis=(1, 2))) == [1.0, 2.9]
    rows, columns = (np.flatnonzero(marked[20].any(axis=axis)) for axis in (1, 0))
    assert columns[0] == pytest.approx(40, abs=3) and columns[-1] == pytest.approx(119, abs=3)
    assert rows[-1] == pytest.approx(89, abs=3) and marked[20, 55:60, 45:60].any(), "the name is above the box"
    assert not marked[:, 66:84, 46:114].any(), "nothing within"
    orange = (pictures[..., 0].astype(int) - pictures[..., 2]) > 80
    assert orange[20, 75, 38:43].any() and orange[20, 75, 117:122].any() and orange[20, 87:92, 80].any()
    assert orange[20, :, 80].sum() > orange[12, :, 80].sum(), "thick near its picture, thin beyond"


def test_each_picture_of_a_window_has_its_time(made: Callable) -> None:
    things = (Object("a", (0, 0.5, 0.25, 0.75), time=1.0), Object("b", (0.75, 0.5, 1, 0.75), time=2.0))
    marked = changed(made(answer=ObjectsAnswer(things)))
    assert seconds(marked[:, :, :60].any(axis=(1, 2))) == [0.0, 1.4]
    assert seconds(marked[:, :, 100:].any(axis=(1, 2))) == [1.5, 3.9]


def test_a_box_without_a_time_is_there_all_along(made: Callable) -> None:
    assert changed(made(answer=ObjectsAnswer((Object("a", (0.3, 0.3, 0.6, 0.6)),)))).any(axis=(1, 2)).all()


@pytest.mark.parametrize("name", ["out.png", "out.JPG"])
def test_a_still_gives_a_still(folder: Path, tmp_path: Path, name: str) -> None:
    photo = make_media(folder / "frame.jpg")
    box = ObjectsAnswer((Object("a", (0.25, 0.5, 0.75, 0.9)),))
    annotate(Reply("1", "s4", answer=box, media=(photo,)), tmp_path / name)
    marked = changed(image(tmp_path / name)[None])[0]
    columns = np.flatnonzero(marked[40])
    assert marked.shape == (60, 80) and [columns[0], columns[-1]] == pytest.approx([20, 59], abs=3)
    assert Image.open(tmp_path / name).format == ("PNG" if name.endswith("png") else "JPEG")
    annotate(Reply("1", "avcap", answer=TextAnswer("Grey."), media=(photo,)), tmp_path / name)
    assert changed(image(tmp_path / name)[None])[0, 50:].any()


def test_what_cannot_be_copied_is_refused(media: Media, folder: Path, tmp_path: Path) -> None:
    said = EventsAnswer((Event("bell", 1, 2),))
    sound = Media("sound", "audio", str(folder / "sound.wav"), duration=0.1)
    for reply, out, words in [
        (Reply("1", "ave", answer=said, media=(sound,)), "out.mp4", "sound.wav: is sound alone"),
        (Reply("1", "ave", answer=said), "out.mp4", "1: names no file"),
        (Reply("1", "ave", error="cut short", media=(media,)), "out.mp4", "nothing to draw, as it failed: cut short"),
        (Reply("1", "ave", answer=said, media=(media,)), "out.mkv", "has to end in .mp4"),
        (Reply("1", "ave", answer=said, media=(media,)), "out.png", "has to end in .mp4"),
        (Reply("1", "s4", answer=said, media=(make_media(folder / "frame.jpg"),)), "out.mp4", "in .jpg or .png"),
        (Reply("1", "ave", answer=said, media=(media,)), media.path, "is the file itself"),
    ]:
        with pytest.raises(ValueError, match=words):
            annotate(reply, tmp_path / out)
    assert list(tmp_path.iterdir()) == [] and probe(media.path).duration == LENGTH


def test_a_bad_file_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    broken = Media("clip", "video", str(folder / "broken.mp4"), duration=2)
    with pytest.raises(MediaError, match="broken.mp4: holds no known picture"):
        annotate(Reply("1", "ave", answer=EventsAnswer(), media=(broken,)), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_copy_leaves_the_old_one(media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")
    monkeypatch.setattr(film, "_PATIENCE", 0.01)
    monkeypatch.setattr(film, "_PER_SECOND", 0.0)
    with pytest.raises(MediaError, match="took longer than 0.01 s"):
        annotate(Reply("1", "ave", answer=EventsAnswer(), media=(media,)), tmp_path / "out.mp4")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_letters_that_no_font_has_are_written_as_codes() -> None:
    plain, own = lettering("Glocke, Gläser\nund Пение")
    assert plain == "Glocke, Gläser und Пение" and Path(own).name == "DejaVuSans.ttf"
    assert lettering("a\U0010fffeb") == ("a[U+10FFFE]b", own)


def test_a_font_of_the_system_is_taken_where_it_has_all_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    from crabplus.report import letters

    fonts = {"small.ttf": set("ab"), "large.ttf": set("ab中"), letters._OWN: set("ab")}
    entries = [type("Font", (), {"fname": name, "style": "normal", "weight": 400, "name": name, "size": "scalable"})
               for name in sorted(fonts, reverse=True)]  # fmt: skip
    monkeypatch.setattr(letters, "_lacking", lambda text, path: set(text) - fonts[path])
    monkeypatch.setattr(letters.fontManager, "ttflist", entries)
    letters._system_font.cache_clear()
    assert lettering("ab") == ("ab", letters._OWN)
    assert lettering("a中") == ("a中", "large.ttf")
    assert lettering("a日") == ("a[U+65E5]", letters._OWN)
    letters._system_font.cache_clear()

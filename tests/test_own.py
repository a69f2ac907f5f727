"""People's own files: which are meant, what a plain name asks, what is shown of a file, and in which windows."""

import os
from pathlib import Path

import numpy as np
import pytest

from crabplus import own
from crabplus.answers import plan_of, reply_to
from crabplus.models import resolve
from crabplus.own import (
    NAMES,
    Asked,
    AskError,
    Named,
    check_sounds,
    files_of,
    find_files,
    key_of,
    sample_of,
    windows_of,
)
from crabplus.schema import to_json
from crabplus.tasks import TASKS, default_pack, get_task, load_pack
from crabplus.tidepool.build import ask
from crabplus.tidepool.film import write_clip, write_frame, write_wav

TINY, OMNI = load_pack(Path(resolve("tiny")) / "pack.yaml"), default_pack()
FEW = TINY.model_copy(update={"keys": {key: TINY.keys[key] for key in ("ave", "avqa", "arig")}})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A film of three scenes, a silent one, a picture, a sound, and what is none of these."""
    out = tmp_path_factory.mktemp("own files")
    scenes = [ask("ave", "test", number, 3).scene for number in range(3)]
    write_clip(out / "film.mp4", *scenes)
    (out / "below").mkdir()
    write_clip(out / "below" / "film.mp4", scenes[0], with_sound=False)
    write_frame(out / "photo.jpg", scenes[0], 3.0)
    write_wav(out / "sound.wav", scenes[0])
    (out / "notes.txt").write_text("none of the media")
    return out


def names(*paths):
    return [named.name for named in find_files(paths)]


def test_files_folders_and_patterns(place):
    assert names(place) == ["below/film.mp4", "film.mp4", "photo.jpg", "sound.wav"]
    assert names(place / "film.mp4") == ["film.mp4"] and names(str(place / "*.jpg")) == ["photo.jpg"]
    assert names(str(place / "**" / "*.mp4")) == [str(place / "below" / "film.mp4"), str(place / "film.mp4")]
    assert names(place / "notes.txt") == ["notes.txt"]  # named by itself: its error is told later


def test_a_name_with_signs_of_a_pattern_is_a_name(place, tmp_path):
    odd = tmp_path / "take [1].mp4"
    odd.write_bytes((place / "film.mp4").read_bytes())
    assert names(odd) == ["take [1].mp4"]


@pytest.mark.skipif(os.name != "posix", reason="names of files are characters there")
def test_a_name_that_is_no_text_is_told_and_stops_no_other(place, tmp_path):
    (tmp_path / "a.mp4").write_bytes((place / "film.mp4").read_bytes())
    with open(os.fsencode(tmp_path) + b"/\xff.mp4", "wb") as file:
        file.write((place / "film.mp4").read_bytes())
    good, bad = find_files([tmp_path])
    assert (good.name, bad.name) == ("a.mp4", "\\xff.mp4")
    plan = plan_of(bad, Asked("ave"), TINY)
    assert "rename the file" in plan.error and to_json(reply_to(plan, [], {}))


@pytest.mark.parametrize(("path", "words"), [
    ("nothing.mp4", "no such file"), ("*.avi", "no media have such a name"), ("empty", "no media in this folder"),
])  # fmt: skip
def test_what_is_not_there_is_told(place, path, words):
    (place / "empty").mkdir(exist_ok=True)
    with pytest.raises(AskError, match=words):
        find_files([place / path])
    with pytest.raises(AskError, match="twice"):
        find_files([place / "film.mp4", place / "film.mp4"])
    with pytest.raises(AskError, match="no files"):
        find_files([])


def test_plain_names_are_keys_that_the_model_knows():
    for pack in (OMNI, TINY):
        assert {key_of(name, pack) for name in NAMES} == {"unav", "arig", "ms3", "ks", "mer24", "avqa", "avcap", "a2v"}
    assert [key_of(name, FEW) for name in ("events", "boxes", "masks", "question")] == ["ave", "arig", "arig", "avqa"]
    assert key_of("dfew", OMNI) == "dfew" and key_of("question", OMNI, ("yes", "no")) == "avqa_thu"
    assert {key for keys in NAMES.values() for key in keys} <= set(TASKS)


def test_names_that_mean_nothing():
    with pytest.raises(AskError, match="it knows events, boxes, masks, question"):
        key_of("caption", FEW)
    with pytest.raises(KeyError, match="did you mean 'emotion'"):
        key_of("emotions", OMNI)
    with pytest.raises(KeyError, match="no wording for key 'ks'"):
        key_of("ks", FEW)


def shown(path, key, **more):
    return sample_of(Named(os.path.basename(path), str(path)), Asked(key, **more))


def test_what_is_shown_of_each_kind(place):
    film = shown(place / "film.mp4", "ave").media[0]
    assert (film.kind, film.sound, film.start, film.end) == ("video", "track", 0, 30)
    assert (film.size, film.fps) == ((160, 160), 8)
    frame, sound = shown(place / "film.mp4", "arig").media
    assert (frame.kind, frame.end, sound.kind, sound.end) == ("image", 30, "audio", 30)
    frame, sound = shown(place / "photo.jpg", "arig", sounds=(str(place / "sound.wav"),)).media
    assert (frame.start, frame.size, sound.end) == (None, (160, 160), 10)
    clip, sound = shown(place / "below" / "film.mp4", "ave", sounds=(str(place / "sound.wav"),)).media
    assert (clip.sound, sound.path) == ("file", str(place / "sound.wav"))


@pytest.mark.parametrize(("name", "key", "words"), [
    ("below/film.mp4", "ave", "has no sound"), ("sound.wav", "ave", "has no pictures"),
    ("photo.jpg", "arig", "--sound"), ("film.mp4", "avqa", "there is none: name it"), ("film.mp4", "a2v", "two videos"),
])  # fmt: skip
def test_what_a_file_lacks_is_told(place, name, key, words):
    with pytest.raises(AskError, match=words):
        shown(place / name, key)


def test_the_files_of_a_question_are_those_of_the_user(place):
    (film,) = files_of(shown(place / "film.mp4", "arig"))
    assert (film.kind, film.sound, film.duration, film.size) == ("video", "track", 30, (160, 160))
    sound = str(place / "sound.wav")
    film, other = files_of(shown(place / "below" / "film.mp4", "arig", sounds=(sound,)))
    assert (film.kind, film.sound, other.path) == ("video", "file", sound)
    still = shown(place / "photo.jpg", "arig", sounds=(sound,))
    assert files_of(still) == still.media


def test_a_folder_of_sounds_has_each_under_the_name_of_its_film(place, tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    (sounds / "photo.wav").write_bytes((place / "sound.wav").read_bytes())
    asked = Asked("arig", sounds=(str(sounds),))
    assert shown(place / "photo.jpg", "arig", sounds=asked.sounds).media[1].path == str(sounds / "photo.wav")
    assert shown(place / "film.mp4", "arig", sounds=asked.sounds).media[1].path == str(place / "film.mp4")
    with pytest.raises(AskError, match="none of that name"):
        shown(place / "below" / "film.mp4", "ave", sounds=asked.sounds)
    check_sounds(asked, 9)
    with pytest.raises(AskError, match="one sound for 2 files"):
        check_sounds(Asked("arig", sounds=(str(place / "sound.wav"),)), 2)


def roles(sample):
    return [(item.role, item.kind) for item in sample.media]


def test_matching_takes_three_files(place):
    film, silent, sound = (str(place / name) for name in ("film.mp4", "below/film.mp4", "sound.wav"))
    made = sample_of(Named("film.mp4", film), Asked("a2v", sounds=(sound,)), [silent])
    assert roles(made) == [("given", "audio"), ("first", "video"), ("second", "video")]
    made = sample_of(Named("film.mp4", film), Asked("v2a", sounds=(sound, sound)))
    assert roles(made) == [("given", "video"), ("first", "audio"), ("second", "audio")]
    assert get_task("v2a").prompt(made, OMNI) and windows_of(made, Asked("v2a"), TINY) == []


def test_windows_end_at_the_cuts_of_the_film(place):
    film, still = shown(place / "film.mp4", "ave"), shown(place / "photo.jpg", "avqa", question="What?")
    assert windows_of(film, Asked("ave"), TINY) == pytest.approx(np.array([(0, 10), (10, 20), (20, 30)]), abs=0.2)
    assert windows_of(film, Asked("ave", cuts=False), TINY) == [(0, 10), (8, 18), (16, 26), (20, 30)]
    assert windows_of(film, Asked("ave", window=20, overlap=5, cuts=False), OMNI) == [(0, 20), (10, 30)]
    with pytest.raises(AskError, match="at most 10 s"):
        windows_of(film, Asked("ave", window=20), TINY)
    assert windows_of(film, Asked("ave"), OMNI) == [(0, 30)] and windows_of(still, Asked("avqa"), TINY) == []
    with pytest.raises(AskError, match="half a window"):
        windows_of(film, Asked("ave", overlap=6), TINY)


def test_a_stretch_that_cannot_be_looked_through_has_no_cuts(place, monkeypatch):
    def cuts(path, low, high):
        if low >= own.CUTS_AT_A_TIME:
            raise own.files.MediaError(path, "is damaged")
        return [10.0]

    monkeypatch.setattr(own.files, "cuts", cuts)
    assert own._cuts("film.mp4", 0.0, 65.0) == [10.0]


def test_own_labels_are_a_closed_vocabulary(place):
    made = shown(place / "film.mp4", "unav", labels=("dog", "police car"))
    assert made.options == ("dog", "police car") and made.meta == {"closed": True}
    words = get_task("unav").prompt(made, OMNI)[-1].parts[-1].text
    assert words.endswith("Use no other names than these: dog, police car.")
    assert "police car" not in get_task("unav").prompt(shown(place / "film.mp4", "unav"), OMNI)[-1].parts[-1].text
    import re

    form = re.compile(get_task("unav").form(made, OMNI))
    assert form.fullmatch("<event>police car, (0 3)</event>") and not form.fullmatch("<event>cat, (0 3)</event>")
    question = shown(place / "film.mp4", "avqa", question="Where?", labels=("up", "down"))
    word = re.compile(get_task("avqa").form(question, TINY))
    assert word.fullmatch("<answer>up</answer>") and not word.fullmatch("<answer>left</answer>")
    thing = re.compile(get_task("arig").form(shown(place / "film.mp4", "arig", labels=("a.b",)), TINY))
    assert thing.fullmatch("<obj>a.b (1,1)(5,5)</obj>") and not thing.fullmatch("<obj>axb (1,1)(5,5)</obj>")

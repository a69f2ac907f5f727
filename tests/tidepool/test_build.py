"""Files on disk: real media with the right content, an index that reads back, errors that say what is wrong."""

import numpy as np
import pytest

from crabplus import media
from crabplus.datasets.avuie import read
from crabplus.schema import SchemaError
from crabplus.tidepool.build import ask, build
from crabplus.tidepool.film import SIDE
from crabplus.tidepool.world import SECONDS, draw, sound

KEYS = ("ave", "avqa", "arig", "hear", "look", "watch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("tidepool")
    made = list(build(out, KEYS, "test", 2, 9))
    return out, made


def test_index_reads_back(folder):
    out, made = folder
    assert [sample for key in KEYS for sample in read(out, key, "test")] == made
    assert all((out / item.path).is_file() for sample in made for item in sample.media)


def test_film_shows_and_sounds_as_drawn(folder):
    out, made = folder
    sample = made[0]
    scene = ask("ave", "test", 0, 9).scene
    path = out / sample.media[0].path
    found = media.frames(path, 10)
    drawn = draw(scene, list(found.times + 1 / 16), SIDE)[0]
    assert np.abs(found.images.astype(int) - drawn).mean() < 6
    wave = media.waveform(path, 0, SECONDS)
    assert np.corrcoef(wave, sound(scene))[0, 1] > 0.9
    assert media.probe(path).duration == pytest.approx(SECONDS, abs=0.1)


def test_silent_film_has_no_track(folder):
    out, made = folder
    silent = [s for s in made if s.task == "watch" and s.media[0].sound == "none"]
    loud = [s for s in made if s.task == "watch" and s.media[0].sound == "track"]
    assert silent or loud
    for sample in silent + loud:
        assert media.probe(out / sample.media[0].path).has_sound == (sample in loud)


def test_picture_and_wav(folder):
    out, made = folder
    sample = next(s for s in made if s.task == "arig")
    drawn = ask("arig", "test", 0, 9)
    picture = media.image(out / sample.media[0].path)
    assert np.abs(picture.astype(int) - draw(drawn.scene, [drawn.time], SIDE)[0][0]).mean() < 6
    assert np.abs(media.waveform(out / sample.media[1].path) - sound(drawn.scene)).max() < 1e-3


def test_same_seed_same_annotation(folder, tmp_path):
    _, made = folder
    again = list(build(tmp_path, ("ave",), "test", 2, 9))
    assert again == made[:2]


@pytest.mark.parametrize(("arguments", "words"), [
    ((("avee",), "test", 1, 0), "key 'avee'"), ((("ave",), "exam", 1, 0), "split 'exam'"),
    ((("ave",), "test", 0, 0), "samples"), ((("ave",), "test", 1, 0, "hard"), "level 'hard'"),
])  # fmt: skip
def test_wrong_arguments(tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        list(build(tmp_path, *arguments))


def test_broken_index_names_file_and_line(tmp_path, folder):
    out, _ = folder
    (tmp_path / "ave").mkdir()
    text = (out / "ave" / "test.jsonl").read_text().splitlines()
    (tmp_path / "ave" / "test.jsonl").write_text(text[0] + "\n" + text[1].replace('"split"', '"spilt"') + "\n")
    with pytest.raises(SchemaError, match="test.jsonl, line 2.*spilt"):
        list(read(tmp_path, "ave", "test"))
    with pytest.raises(FileNotFoundError, match="ave/test.jsonl"):
        list(read(tmp_path, "avqa", "test"))

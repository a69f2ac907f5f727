"""Files on disk: real media with the right content, an index that reads back, errors that say what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from crabplus import media
from crabplus.cli import app
from crabplus.datasets.avuie import read
from crabplus.models.source import Files
from crabplus.schema import SchemaError, to_json
from crabplus.tasks import TASKS
from crabplus.tidepool.ask import mask_of
from crabplus.tidepool.build import ask, build
from crabplus.tidepool.film import SIDE
from crabplus.tidepool.live import LiveMedia, media_of, to_sample
from crabplus.tidepool.world import SECONDS, draw, sound

KEYS = ("ave", "avqa", "arig", "a2v", "s4", "hear", "look", "watch")

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "tidepool" / "annotation.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("tidepool")
    made = list(build(out, KEYS, "test", 4, 9))
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
    assert silent and loud
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
    again = list(build(tmp_path, ("ave",), "test", 4, 9))
    assert again == made[:4]


def test_two_processes_write_the_files_of_one(tmp_path):
    for workers in ("1", "2"):
        arguments = "--keys", "s4,a2v", "--samples", "3", "--workers", workers, "--out", str(tmp_path / workers)
        assert CliRunner().invoke(app, ["build", "tidepool", *arguments]).exit_code == 0
    one, two = ({p.relative_to(at): p.read_bytes() for p in at.rglob("*.*")} for at in (tmp_path / "1", tmp_path / "2"))
    assert one == two and len(one) > 12


def test_two_films_and_a_mask_lie_beside_each_other(folder):
    out, made = folder
    for number, sample in enumerate(s for s in made if s.task == "a2v"):
        drawn = ask("a2v", "test", number, 9)
        for entry, item in zip(drawn.show[1:], sample.media[1:], strict=True):
            picture = media.frames(out / item.path, 1).images[0]
            scene = drawn.scene_of(entry)
            assert np.abs(picture.astype(int) - draw(scene, [scene.seconds / 2], SIDE)[0][0]).mean() < 12
    for number, sample in enumerate(s for s in made if s.task == "s4"):
        mask = media.image(out / sample.meta["mask"])[..., 0] > 0
        assert (mask == mask_of(ask("s4", "test", number, 9), len(mask))).all() and mask.any()


def test_live_media_are_nearly_those_of_the_files(folder):
    out, made = folder
    for sample in (next(s for s in made if s.task == key) for key in ("ave", "arig")):
        live = LiveMedia(ask(sample.task, "test", 0, 9), np.random.default_rng(0))
        files = Files(out)
        shown = media_of(live.ask, {entry: entry for entry in live.ask.show})
        for item, drawn in zip(sample.media, shown, strict=True):
            if item.kind == "video":
                one, two = (source.frames(m, 4, (112, 112))[0] for source, m in ((files, item), (live, drawn)))
            elif item.kind == "image":
                one, two = (source.image(m, (112, 112)) for source, m in ((files, item), (live, drawn)))
            if item.kind != "audio":
                assert np.abs(one.astype(int) - two).mean() < 8
            if item.kind == "audio" or item.sound == "track":
                waves = [source.wave(m, 16000) for source, m in ((files, item), (live, drawn))]
                length = min(map(len, waves))
                assert np.corrcoef(waves[0][:length], waves[1][:length])[0, 1] > 0.9


@pytest.mark.parametrize("key", TASKS)
def test_the_annotation_is_that_on_record(key):
    """Recorded once (``golden/tidepool``): whoever changes the world, or reads it otherwise, changes a version."""
    made = ask(key, "test", 0, 5)
    sample = to_sample(made, key, "test", "0", media_of(made, {entry: entry for entry in made.show}))
    found, known = json.loads(to_json(sample)), GOLDEN[key]
    assert _numbers(found) == pytest.approx(_numbers(known), abs=1 / 160)
    assert _without_numbers(found) == _without_numbers(known)


def _numbers(content):
    if isinstance(content, dict | list):
        inner = content.values() if isinstance(content, dict) else content
        return [n for value in inner for n in _numbers(value)]
    return [content] if isinstance(content, int | float) else []


def _without_numbers(content):
    if isinstance(content, dict):
        return {name: _without_numbers(value) for name, value in content.items()}
    return (
        [_without_numbers(value) for value in content]
        if isinstance(content, list)
        else str(content).strip("0123456789.")
    )


@pytest.mark.parametrize(("arguments", "words"), [
    ((("avee",), "test", 1, 0), "key 'avee'"), ((("ave",), "exam", 1, 0), "split 'exam'"),
    ((("ave",), "test", 0, 0), "samples"), ((("ave",), "test", 1, -1), "seed: 0 or more"),
    ((("ave",), "test", 1, 0, "hard"), "level 'hard'"),
])  # fmt: skip
def test_wrong_arguments(tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        build(tmp_path, *arguments)


def test_broken_index_names_file_and_line(tmp_path, folder):
    out, _ = folder
    (tmp_path / "ave").mkdir()
    text = (out / "ave" / "test.jsonl").read_text().splitlines()
    (tmp_path / "ave" / "test.jsonl").write_text(text[0] + "\n" + text[1].replace('"split"', '"spilt"') + "\n")
    with pytest.raises(SchemaError, match="test.jsonl, line 2.*spilt"):
        list(read(tmp_path, "ave", "test"))
    with pytest.raises(FileNotFoundError, match="ave/test.jsonl"):
        list(read(tmp_path, "avqa", "test"))

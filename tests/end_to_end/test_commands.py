"""The commands, run in this process as a user runs them."""

import json
import subprocess
import sys

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.schema import Prediction, from_json
from crabplus.tasks import TASKS
from crabplus.tidepool.build import build


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    out = tmp_path_factory.mktemp("clips")
    return out, list(build(out, ("ave", "avqa", "arig"), "test", 4, 21))


def test_build_predict_evaluate(tmp_path):
    data, said, scores = tmp_path / "data", tmp_path / "said.jsonl", tmp_path / "scores.json"
    assert (
        run("build", "tidepool", "--out", data, "--keys", "ave,arig", "--split", "test", "--samples", 3).exit_code == 0
    )
    assert run("predict", "--data", data, "--keys", "ave,arig", "--out", said).exit_code == 0
    assert len(said.read_text().splitlines()) == 6
    assert run("evaluate", said, "--data", data, "--out", scores).exit_code == 0
    found = json.loads(scores.read_text())
    assert set(found) == {"ave", "arig"}
    wanted = {"metric", "score", "constant", "n", "unparsable", "missing", "ci95", "others"}
    assert all(wanted <= set(row) and row["n"] == 3 for row in found.values())
    part = tmp_path / "part.jsonl"
    part.write_text("".join(line for line in said.open() if '"arig"' in line))
    told = run("evaluate", part, "--data", data, "--out", scores)
    assert told.exit_code == 0 and "no score, of ave, which" in told.output
    assert "no score" not in run("evaluate", part, "--data", data, "--keys", "arig", "--out", scores).output


def test_demo(tmp_path):
    result = run("demo", "--out", tmp_path, "--samples", 2, "--seed", 5)
    assert result.exit_code == 0 and "unseen Tidepool clips" in result.stdout and "report: " in result.stdout
    found = json.loads((tmp_path / "scores.json").read_text())
    assert set(found) == set(TASKS)
    assert sum(row["score"] - row["adapter_off"] for row in found.values()) > 8
    page = (tmp_path / "report.html").read_text()
    assert page.count("<video") >= 6 and "http://" not in page.replace("http://www.w3.org", "")


def test_ask_answers_in_json_and_in_words(clips):
    out, made = clips
    said = run("ask", out / made[0].media[0].path, "--task", "ave", "--json")
    assert said.exit_code == 0
    assert from_json(said.stdout, Prediction).answer is not None
    clip = out / made[4].media[0].path
    words = run("ask", clip, "--task", "avqa", "--question", "Where is the thing that makes the sound?")
    assert words.exit_code == 0 and "I hear" in words.output


def test_window_moves_the_times(clips, tmp_path):
    """The same ten seconds, at the start of a file and 20 seconds into a longer one."""
    out, made = clips
    short = out / made[0].media[0].path
    long = tmp_path / "long.mp4"
    _delay(short, long, 20)
    first = from_json(run("ask", short, "--task", "ave", "--json").stdout, Prediction).answer.events
    later = from_json(run("ask", long, "--task", "ave", "--start", 20, "--end", 30, "--json").stdout, Prediction)
    assert [event.label for event in later.answer.events] == [event.label for event in first]
    assert [event.start for event in later.answer.events] == pytest.approx([e.start + 20 for e in first], abs=1)


def _delay(source, target, seconds):
    """The file with a still picture and faint noise put in front."""
    with av.open(str(source)) as old:
        pictures = [frame.to_ndarray(format="rgb24") for frame in old.decode(video=0)]
    with av.open(str(source)) as old:
        wave = np.concatenate([frame.to_ndarray()[0] for frame in old.decode(audio=0)])
    wave = np.concatenate([np.random.default_rng(0).normal(0, 1e-3, seconds * 16000), wave]).astype(np.float32)
    with av.open(str(target), "w") as new:
        video = new.add_stream("libx264", rate=8)
        video.width, video.height, video.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], "yuv420p"
        audio = new.add_stream("aac", rate=16000)
        audio.layout = "mono"
        for picture in [pictures[0]] * (8 * seconds) + pictures:
            new.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        new.mux(video.encode(None))
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts = 16000, start
            new.mux(audio.encode(frame))
        new.mux(audio.encode(None))


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A silent mp4, an mp3, a photo, and three minutes of film."""
    out = tmp_path_factory.mktemp("odd")
    for name, seconds in (("silent.mp4", 4), ("long.mp4", 180)):
        with av.open(str(out / name), "w") as file:
            video = file.add_stream("libx264", rate=2)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for n in range(2 * seconds):
                file.mux(video.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), n % 256, np.uint8), "rgb24")))
            file.mux(video.encode(None))
    with av.open(str(out / "song.mp3"), "w") as file:
        audio = file.add_stream("mp3", rate=16000)
        audio.layout = "mono"
        tone = np.sin(np.arange(48000) / 9)[None].astype(np.float32) * 0.3
        frame = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
        frame.sample_rate = 16000
        for piece in (frame, None):
            file.mux(audio.encode(piece))
    import cv2

    cv2.imwrite(str(out / "photo.jpg"), np.full((90, 120, 3), 90, np.uint8))
    return out


@pytest.mark.parametrize(("arguments", "words"), [
    (("silent.mp4", "--task", "ave"), "has no sound"),
    (("song.mp3", "--task", "ave"), "has no pictures"),
    (("photo.jpg", "--task", "arig"), "--sound"),
    (("photo.jpg", "--task", "ave"), "photo.jpg"),
    (("long.mp4", "--task", "avqa", "--question", "What is it?", "--overlap", "7"), "half a window"),
    (("long.mp4", "--task", "avqa", "--question", "What is it?", "--start", "200", "--end", "210"), "not in it"),
    (("silent.mp4", "--task", "avqa"), "--question"),
    (("silent.mp4", "--task", "avqaa", "--question", "x"), "did you mean 'avqa'"),
    (("nothing.mp4", "--task", "ave"), "nothing.mp4"),
])  # fmt: skip
def test_ask_refuses_clearly(odd, arguments, words):
    result = run("ask", odd / arguments[0], *arguments[1:])
    assert result.exit_code == 2
    assert words in result.output and "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [
    ("silent.mp4", "--task", "avqa", "--question", "What is it?"),
    ("song.mp3", "--task", "avqa", "--question", "What sounds?"),
    ("photo.jpg", "--task", "arig", "--sound", "song.mp3"),
    ("photo.jpg", "--task", "avqa", "--question", "What is it?"),
    ("long.mp4", "--task", "avqa", "--question", "What is it?", "--start", "100", "--end", "110"),
])  # fmt: skip
def test_ask_answers_what_it_can(odd, arguments):
    files = [odd / part if part.endswith((".mp3", ".mp4", ".jpg")) else part for part in arguments]
    result = run("ask", *files, "--json")
    assert result.exit_code == 0
    said = from_json(result.stdout, Prediction)
    assert said.answer is not None or said.reason


def test_unreadable_sample_is_a_line_with_its_error(clips, tmp_path):
    out, made = clips
    said, scores = tmp_path / "said.jsonl", tmp_path / "scores.json"
    path = out / made[1].media[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:2000])
    try:
        assert run("predict", "--data", out, "--keys", "ave", "--out", said).exit_code == 0
    finally:
        path.write_bytes(whole)
    lines = [from_json(line, Prediction) for line in said.read_text().splitlines()]
    assert len(lines) == 4 and made[1].id in (lines[1].error or "")
    assert run("evaluate", said, "--data", out, "--out", scores).exit_code == 0
    assert json.loads(scores.read_text())["ave"]["n"] == 4


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from typer.testing import CliRunner; from crabplus.cli import app; "
        "out = CliRunner().invoke(app, ['--help']).output; assert 'demo' in out and 'ask' in out; "
        "assert not {'torch', 'numpy', 'transformers', 'pydantic', 'av', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_version():
    assert run("--version").output.startswith("crabplus ")


def test_a_box_is_told_in_words(clips):
    out, made = clips
    frame, sound = (out / item.path for item in made[8].media)
    said = run("ask", frame, "--task", "arig", "--sound", sound)
    assert said.exit_code == 0 and "% across and" in said.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--task", "ave", "--question", "Why?"), "ave takes no question"),
        (("--task", "evnts"), "did you mean 'events'"),
        (("--task", "ave", "--adapter", "nowhere"), "nowhere: there is no such folder"),
        (("--task", "ave", "--model", "/nowhere"), "no config.json in there"),
    ],
)
def test_what_is_wrong_is_told_before_a_model_is_loaded(clips, monkeypatch, options, words):
    monkeypatch.setattr("crabplus.models.qwen2_5_omni.load", lambda *a, **k: pytest.fail("loaded"))
    out, made = clips
    said = run("ask", out / made[0].media[0].path, *options)
    assert said.exit_code == 2 and words in said.output

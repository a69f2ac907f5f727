"""People's own files through the commands, in this process as a user runs them."""

import csv
import json
import shutil

import pytest
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.cli.files import _check
from crabplus.own import Asked
from crabplus.schema import EventsAnswer, Reply, from_json
from crabplus.tidepool.build import ask
from crabplus.tidepool.film import write_clip


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two clips, a film of three scenes below them, a file that is cut short, and a note."""
    out = tmp_path_factory.mktemp("videos")
    scenes = [ask("ave", "test", number, 77).scene for number in range(5)]
    write_clip(out / "a.mp4", scenes[0])
    write_clip(out / "b.mp4", scenes[1])
    (out / "below").mkdir()
    write_clip(out / "below" / "film.mp4", *scenes[2:])
    (out / "cut.mp4").write_bytes((out / "a.mp4").read_bytes()[:5000])
    (out / "notes.txt").write_text("none of the media")
    return out


def replies(out):
    return [from_json(line, Reply) for line in (out / "replies.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def answered(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "answers"
    said = run("predict", videos, "--task", "events", "--out", out, "--write", "csv,srt,coco,html,video")
    assert said.exit_code == 0 and "4 files" in said.output and "1 with an error" in said.output
    return out


def test_a_folder_has_a_reply_for_each_file(answered):
    made = replies(answered)
    assert [reply.id for reply in made] == ["a.mp4", "b.mp4", "below/film.mp4", "cut.mp4"]
    assert all(isinstance(reply.answer, EventsAnswer) for reply in made[:3]) and "cut short" in made[3].error
    assert [len(reply.windows) for reply in made] == [0, 0, 3, 0]
    assert max(event.end for event in made[2].answer.events) > 20


def test_what_people_use_elsewhere(answered):
    rows = list(csv.DictReader((answered / "replies.csv").open()))
    assert {row["file"].rpartition("/")[2] for row in rows} == {"a.mp4", "b.mp4", "film.mp4", "cut.mp4"}
    assert len(list((answered / "srt").glob("*.srt"))) == 3
    assert json.loads((answered / "coco.json").read_text())["annotations"] == []
    page = (answered / "report.html").read_text()
    assert "below/film.mp4" in page and "cut short" in page and page.count("<video") == 3
    assert len(list((answered / "copies").glob("*.mp4"))) == 3


def test_the_same_command_goes_on(answered, videos, tmp_path, monkeypatch):
    out = tmp_path / "answers"
    shutil.copytree(answered, out)
    lines = (out / "windows.jsonl").read_text().splitlines(keepends=True)
    (out / "windows.jsonl").write_text("".join(lines[:2]) + lines[2][:20])  # killed in the third window
    (out / "replies.jsonl").unlink()
    from crabplus import answers

    monkeypatch.setattr(answers, "windows_of", lambda *args: pytest.fail("the files were looked at before"))
    assert run("predict", videos, "--task", "events", "--out", out, "--write", "csv").exit_code == 0
    assert replies(out) == replies(answered)


@pytest.mark.parametrize(("options", "words"), [
    (("--task", "boxes"), "something else was asked there"),
    (("--task", "events", "--labels", "frog"), "something else was asked there"),
    (("--task", "events", "--adapter", "none"), "adapter"),
])  # fmt: skip
def test_a_folder_of_another_question_is_refused(answered, videos, tmp_path, options, words):
    out = tmp_path / "answers"
    shutil.copytree(answered, out)
    said = run("predict", videos, "--out", out, *options)
    assert said.exit_code == 2 and words in said.output


def test_a_file_that_has_changed_is_not_taken_for_the_old_one(videos, tmp_path):
    (tmp_path / "in").mkdir()
    clip = tmp_path / "in" / "a.mp4"
    shutil.copy(videos / "a.mp4", clip)
    assert run("predict", clip, "--task", "events", "--out", tmp_path / "out", "--write", "csv").exit_code == 0
    shutil.copy(videos / "b.mp4", clip)
    said = run("predict", clip, "--task", "events", "--out", tmp_path / "out")
    assert said.exit_code == 2 and "has changed" in said.output
    again = run("predict", clip, "--task", "events", "--out", tmp_path / "out", "--overwrite", "--write", "csv")
    assert again.exit_code == 0 and len(replies(tmp_path / "out")) == 1


def test_a_file_that_was_mended_is_asked_about(videos, tmp_path):
    clips, out = tmp_path / "in", tmp_path / "out"
    clips.mkdir()
    shutil.copy(videos / "cut.mp4", clips / "a.mp4")
    said = run("predict", clips, "--task", "events", "--out", out, "--write", "csv")
    assert said.exit_code == 1 and "cut short" in replies(out)[0].error  # nothing could be answered
    shutil.copy(videos / "a.mp4", clips / "a.mp4")
    assert run("predict", clips, "--task", "events", "--out", out, "--write", "csv").exit_code == 0
    assert replies(out)[0].answer and not replies(out)[0].error


def test_masks_of_boxes_in_one_command(videos, tmp_path):
    out = tmp_path / "answers"
    options = ("--task", "boxes", "--segment", "grabcut", "--write", "coco,html,video,srt")
    said = run("predict", videos, "--out", out, *options)  # one of them cannot be read
    assert said.exit_code == 0 and "no subtitles" in said.output
    made = json.loads((out / "coco.json").read_text())
    assert len(made["annotations"]) == sum(len(reply.answer.objects) for reply in replies(out) if reply.answer) == 5
    assert all("segmentation" in row for row in made["annotations"])
    assert all((out / row["file_name"]).stat().st_size > 500 for row in made["images"])
    assert len(list((out / "masks" / "masks").rglob("*.png"))) == 5
    assert [path.name for path in sorted((out / "copies").iterdir())] == ["a.mp4", "b.mp4", "film.mp4"]
    page = (out / "report.html").read_text()
    assert page.count("<video") == 3 and "cannot be shown" not in page and page.count("data:image") >= 5
    assert {reply.media[0].kind for reply in replies(out) if reply.answer} == {"video"}


@pytest.mark.parametrize(("arguments", "words"), [
    (("--task", "events", "--data", "x"), "either own files"), ((), "name what is asked"),
    (("--keys", "ave"), "--data"),
    (("--task", "events", "--shard", "1/2"), "--data"), (("--task", "boxes", "--segment", "nowhere/"), "nowhere"),
    (("--task", "events", "--start", "1:x"), "h:mm:ss"),
    (("--task", "events", "--write", "pdf"), "one of csv"), (("--task", "events", "--segment", "grabcut"), "boxes"),
])  # fmt: skip
def test_what_cannot_be_is_told_before_anything_is_done(videos, tmp_path, arguments, words):
    said = run("predict", videos / "a.mp4", "--out", tmp_path / "out", *arguments)
    assert said.exit_code == 2 and words in said.output and not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_write_into(videos, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        said = run("predict", videos / "a.mp4", "--task", "events", "--out", out)
        assert said.exit_code == 2 and "is a file, and a folder is wanted" in said.output


def test_files_that_belong_together_are_asked_about_by_ask():
    with pytest.raises(ValueError, match="crabplus ask"):
        _check(Asked("a2v"), None)


def test_ask_says_what_it_joined(videos):
    said = run("ask", videos / "below" / "film.mp4", "--task", "events")
    assert said.exit_code == 0 and "from 3 windows" in said.output
    said = run("ask", videos, "--task", "boxes")
    assert said.exit_code == 1 and "cut.mp4: no answer" in said.output and "a.mp4: " in said.output

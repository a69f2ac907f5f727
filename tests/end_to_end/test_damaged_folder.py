"""A folder of three hundred damaged files with two good ones among them: all have a reply, and nothing is lost."""

import pytest
from damage import COUNT, damaged_files
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.own import find_files
from crabplus.schema import Reply, from_json
from crabplus.tidepool.build import ask
from crabplus.tidepool.film import write_clip


@pytest.mark.slow
def test_a_folder_of_damaged_files(tmp_path):
    folder, out = tmp_path / "videos", tmp_path / "out"
    made = damaged_files(folder, 5)
    for name in ("0 tidepool.mp4", "zz tidepool.mp4"):
        write_clip(folder / name, ask("ave", "test", len(name), 77).scene)
    arguments = ["predict", str(folder), "--task", "events", "--out", str(out), "--write", "csv,srt,coco,html"]
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    replies = [from_json(line, Reply) for line in (out / "replies.jsonl").read_text().splitlines()]
    assert [reply.id for reply in replies] == [named.name for named in find_files([folder])]
    assert len(made) == COUNT and len(replies) > 0.7 * COUNT  # the others have names of no medium
    good = {reply.id: reply.answer for reply in replies if reply.id.endswith("tidepool.mp4")}
    assert len(good) == 2 and all(good.values())
    for reply in replies:
        said = [text for text in (reply.error, reply.reason, reply.answer) if text is not None]
        assert len(said) == 1 or reply.windows, reply
        assert reply.error is None or (len(reply.error) < 1000 and "Traceback" not in reply.error)
    assert sum(reply.error is not None for reply in replies) > 100

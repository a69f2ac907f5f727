"""Samples for other software: the forms they read, with media in order."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.datasets.avuie import write
from crabplus.datasets.export import conversation, export
from crabplus.schema import Media, Sample, from_json
from crabplus.tasks import TASKS, get_task
from every_key import SAMPLES


@pytest.mark.parametrize("key", TASKS)
def test_placeholders_and_files_go_together(key: str, tmp_path: Path) -> None:
    made = conversation(SAMPLES[key], tmp_path)
    assert [message["role"] for message in made["messages"]] == ["system", "user", "assistant"]
    for place, files in (("<video>", "videos"), ("<audio>", "audios"), ("<image>", "images")):
        assert made["messages"][1]["content"].count(place) == len(made.get(files, []))
        assert all(Path(path).is_absolute() for path in made.get(files, []))
    said = made["messages"][-1]["content"]
    assert said == get_task(key).target(SAMPLES[key]) or key == "avvp"
    assert get_task(key).parse(said, SAMPLES[key]) == get_task(key).parse(
        get_task(key).target(SAMPLES[key]), SAMPLES[key]
    )
    assert not any(place in said for place in ("<audio>", "<video>", "<image>"))


def test_the_track_of_a_video_is_an_audio_behind_it(tmp_path: Path) -> None:
    made = conversation(SAMPLES["ave"], tmp_path)
    assert "<video><audio>" in made["messages"][1]["content"] and made["videos"] == made["audios"]
    assert "audios" in conversation(SAMPLES["a2v"], tmp_path)


def test_llama_factory_gets_its_list(tmp_path: Path) -> None:
    for key in ("ave", "arig"):
        export([SAMPLES[key]], tmp_path, tmp_path, f"{key}_train", "llama-factory")
    known = json.loads((tmp_path / "dataset_info.json").read_text())
    assert set(known) == {"ave_train", "arig_train"}
    for name, listed in known.items():
        for line in (tmp_path / listed["file_name"]).read_text().splitlines():
            assert set(listed["columns"].values()) <= set(json.loads(line)), name


def test_windows_are_told(tmp_path: Path) -> None:
    sample = Sample("1", "d", "arig", "train", (
        Media("frame", "image", "a.jpg"), Media("sound", "audio", "a.wav", start=1, end=2)
    ), answer=SAMPLES["arig"].answer)  # fmt: skip
    assert export([sample], tmp_path, tmp_path, "x", "ms-swift") == [
        "1 samples mean a window of a file; the whole file is named"
    ]


def test_parquet_files_of_several_keys_load_as_one(tmp_path: Path) -> None:
    for key in ("ave", "avqa", "s4"):
        export([SAMPLES[key]], tmp_path, tmp_path, f"{key}_train", "parquet")
    tables = [pyarrow.parquet.read_table(path) for path in sorted(tmp_path.glob("*.parquet"))]
    rows = pyarrow.concat_tables(tables).to_pylist()
    assert {row["task"] for row in rows} == {"ave", "avqa", "s4"}
    assert all(row["messages"][-1]["role"] == "assistant" for row in rows)


def test_nothing_to_write_is_told(tmp_path: Path) -> None:
    blind = Sample("none", "d", "ave", "train")
    assert export([blind], tmp_path, tmp_path / "out", "x", "ms-swift") == [
        "1 samples without a true answer are left out", "nothing to write"
    ]  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_on_the_command_line(tmp_path: Path) -> None:
    write(tmp_path, "ave", "train", [SAMPLES["ave"], Sample("none", "d", "ave", "train")])
    for form, name in (("ms-swift", "ave_train.jsonl"), ("parquet", "ave_train.parquet")):
        arguments = ["--data", str(tmp_path), "--keys", "ave", "--out", str(tmp_path / form), "--to", form]
        told = CliRunner().invoke(app, ["export", *arguments])
        assert told.exit_code == 0 and (tmp_path / form / name).is_file(), told.output
    assert len((tmp_path / "ms-swift" / "ave_train.jsonl").read_text().splitlines()) == 1
    assert "1 samples without a true answer are left out" in told.output
    rows = pyarrow.parquet.read_table(tmp_path / "parquet" / "ave_train.parquet").to_pylist()
    assert from_json(rows[0]["sample"]) == SAMPLES["ave"] and rows[0]["reasoning"] == "I hear it."
    wrong = CliRunner().invoke(app, ["export", *arguments[:-1], "csv"])
    assert wrong.exit_code == 2 and "one of ms-swift, llama-factory, parquet wanted, got 'csv'" in wrong.output

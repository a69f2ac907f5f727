"""What a data folder holds, counted, listed and shown."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.datasets.avuie import write
from crabplus.datasets.summary import summaries
from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Sample,
    SchemaError,
    TextAnswer,
)

CLIP = Media("clip", "video", "ks/a.mp4", duration=10.0)
SILENT = Media("clip", "video", "ks/b.mp4", sound="none")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def sample(name: str, key: str, **fields: object) -> Sample:
        return Sample(name, "own", key, "train", **fields)  # type: ignore[arg-type]

    write(tmp_path, "ks", "train", [
        sample("1", "ks", media=(CLIP,), answer=LabelAnswer("bowling"), reasoning="A lane."),
        sample("2", "ks", media=(SILENT,), answer=LabelAnswer("bowling")), sample("3", "ks", media=(CLIP,)),
    ])  # fmt: skip
    write(tmp_path, "a2v", "train", [sample("1", "a2v", options=("one", "two"), answer=ChoiceAnswer(1))])
    write(tmp_path, "avqa", "train", [sample("1", "avqa", question="?", answer=TextAnswer("two"))])
    write(tmp_path, "avcap", "train", [sample("1", "avcap", answer=TextAnswer("A dog."))])
    write(
        tmp_path, "ave", "train", [sample("1", "ave", answer=EventsAnswer((Event("Bark", 0, 1), Event("Bark", 2, 3))))]
    )
    write(tmp_path, "arig", "train", [sample("1", "arig", answer=ObjectsAnswer((Object("dog", (0, 0, 1, 1)),)))])
    (tmp_path / "ks" / "train.1-of-2.jsonl").write_text("{}\n")
    return tmp_path


def test_counts(folder: Path) -> None:
    made = {summary.key: summary for summary in summaries(folder)}
    assert set(made) == {"ks", "a2v", "avqa", "avcap", "ave", "arig"}
    ks = made["ks"]
    assert (ks.family, ks.samples, ks.answered, ks.reasoned, ks.sounding) == ("action recognition", 3, 2, 1, 2)
    assert (ks.seconds, ks.timed, ks.labels) == (20.0, 2, {"bowling": 2})
    labels = {key: list(summary.labels.items()) for key, summary in made.items()}
    assert labels["a2v"] == [("two", 1)] and labels["avqa"] == [("two", 1)] and labels["avcap"] == []
    assert labels["ave"] == [("Bark", 2)] and labels["arig"] == [("dog", 1)]


def test_on_the_command_line(folder: Path) -> None:
    told = CliRunner().invoke(app, ["ls", "data", str(folder), "--json"])
    assert [row["key"] for row in json.loads(told.output)] == ["a2v", "arig", "avcap", "ave", "avqa", "ks"]
    table = CliRunner().invoke(app, ["ls", "data", str(folder)], env={"COLUMNS": "200"})
    assert "bowling 2" in table.output and "?" in table.output
    datasets = CliRunner().invoke(app, ["ls", "datasets"], env={"COLUMNS": "200"})
    assert "trainSet.txt" in datasets.output
    everything = json.loads(CliRunner().invoke(app, ["ls", "datasets", "--json"]).output)
    assert everything["ave"]["homepage"].endswith("AVE-ECCV18") and everything["ms3"]["splits"]["train"] is None


def test_a_folder_without_an_index(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="holds no index"):
        summaries(tmp_path)
    assert CliRunner().invoke(app, ["ls", "data", str(tmp_path)]).exit_code == 2

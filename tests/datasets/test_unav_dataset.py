"""UnAV-100: one JSON, classes by number, repeated annotations."""

import json
from pathlib import Path
from typing import Any

import pytest
from miniatures import unav

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import Event


def test_events_of_a_video(tmp_path: Path) -> None:
    unav.make(tmp_path)
    dataset = get_dataset("unav")
    (sample,) = dataset.read(tmp_path, "test")
    assert sample.answer.events == (
        Event("man speaking", 0, 12.3), Event("people clapping", 10.1, 41.5), Event("man speaking", 20, 31)
    )  # fmt: skip
    assert dataset.notes == ["1 annotations that repeat an earlier one: left out"]
    assert sample.options == ("people clapping", "man speaking")
    assert (sample.media[0].path, sample.media[0].duration) == ("raw_videos/00000000000.mp4", 41.5)
    assert [s.id for s in dataset.read(tmp_path, "train")] == ["aAbBcCdDeEf"]  # written "Train" there


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment": [3, 1]}, "segment .*: start and end wanted"),
        ({"segment": None}, "start and end wanted"),
        ({"label_id": 57}, "class 57 has two names"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    video = unav.DATABASE["zZyYxXwWvVu"]
    broken = {**video, "annotations": [{**video["annotations"][0], **change}]}
    database = {"aAbBcCdDeEf": unav.DATABASE["aAbBcCdDeEf"], "b": broken}
    (tmp_path / "unav100_annotations.json").write_text(json.dumps({"database": database}))
    with pytest.raises(DatasetError, match=f"video 'b': .*{message}"):
        list(get_dataset("unav").read(tmp_path, "val"))


@pytest.mark.parametrize("content", ["[]", "{", '{"data": 1}', '{"database": {"a": {}}}'])
def test_another_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "unav100_annotations.json").write_text(content)
    with pytest.raises(DatasetError, match=r"unav100_annotations.json: "):
        list(get_dataset("unav").read(tmp_path, "val"))

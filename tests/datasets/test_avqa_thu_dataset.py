"""AVQA: choices that are null or fewer than four, and answers by index."""

import json
from pathlib import Path
from typing import Any

import pytest
from miniatures import avqa_thu

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import ChoiceAnswer


def test_questions_and_their_choices(tmp_path: Path) -> None:
    avqa_thu.make(tmp_path)
    (train,) = get_dataset("avqa_thu").read(tmp_path, "train")
    (val,) = get_dataset("avqa_thu").read(tmp_path, "val")
    assert (train.options[1], train.answer, train.meta["type"]) == ("Dog", ChoiceAnswer(1), "Which")
    assert (val.options, val.answer) == (("street", "null", "Sea"), ChoiceAnswer(2))
    assert val.media[0].path == "video/zZyYxXwWvVu_000100.mp4"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": 3}, "answer: the index of one of multi_choice wanted, got 3"),
        ({"answer": "Sea"}, "got 'Sea'"),
        ({"multi_choice": "street"}, "the index of one of multi_choice"),
    ],
)
def test_a_wrong_item_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    items = [avqa_thu.ITEMS["train"][0], {**avqa_thu.ITEMS["val"][0], **change}]
    (tmp_path / "val_qa.json").write_text(json.dumps(items))
    with pytest.raises(DatasetError, match=f"val_qa.json, item 1: .*{message}"):
        list(get_dataset("avqa_thu").read(tmp_path, "val"))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "val_qa.json").write_text('[{"id": 1}]')
    with pytest.raises(DatasetError, match="item 0: video_name, video_id"):
        list(get_dataset("avqa_thu").read(tmp_path, "val"))

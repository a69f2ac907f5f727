"""MUSIC-AVQA: templates, both versions, doubled and deleted questions."""

import json
from pathlib import Path
from typing import Any

import pytest
from miniatures import music_avqa

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import TextAnswer


def test_templates_are_filled(tmp_path: Path) -> None:
    music_avqa.make(tmp_path)
    dataset = get_dataset("avqa")
    questions = [s.question for split in dataset.splits for s in dataset.read(tmp_path, split)]
    assert questions == [
        "Which violin makes the sound last?", "Are there erhu and tuba sound?", "How many sounding pipa in the video?",
        "What is the first instrument that comes in?",
    ]  # fmt: skip
    assert dataset.notes == ["1 questions marked as deleted: left out"]


def test_a_question_that_stands_twice_is_kept_twice(tmp_path: Path) -> None:
    music_avqa.make(tmp_path)
    dataset = get_dataset("avqa", version="json")
    samples = list(dataset.read(tmp_path, "test"))
    assert [(s.id, s.answer.text) for s in samples] == [
        ("3", "more than ten"),
        ("4", "acoustic_guitar"),
        ("3-2", "two"),
    ]
    assert samples[0].meta == {"type": ["Audio-Visual", "Temporal"], "video": "00000003"}
    assert any("stand more than once" in note for note in dataset.notes)
    assert [s.answer for s in get_dataset("avqa", version="json", part="real").read(tmp_path, "val")] == [
        TextAnswer("no")
    ]
    assert dataset.splits["test"] == 9185 and get_dataset("avqa").splits["test"] == 9129


def test_videos_are_found_where_they_are(tmp_path: Path) -> None:
    music_avqa.make(tmp_path)
    (tmp_path / "00000001.mp4").touch()
    (sample,) = get_dataset("avqa").read(tmp_path, "train")
    assert sample.media[0].path == "00000001.mp4"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"templ_values": "[]"}, "more placeholders than templ_values"),
        ({"templ_values": "violin"}, "templ_values: a list wanted, got 'violin'"),
        ({"type": '["Audio"]'}, "type: a list wanted"),
    ],
)
def test_a_wrong_item_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    music_avqa.make(tmp_path)
    path = tmp_path / "data" / "json_update" / "avqa-train.json"
    path.write_text(json.dumps([music_avqa.ITEMS["val"][0], {**music_avqa.ITEMS["train"][0], **change}]))
    with pytest.raises(DatasetError, match=f"avqa-train.json, item 1: {message}"):
        list(get_dataset("avqa").read(tmp_path, "train"))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    music_avqa.make(tmp_path)
    path = tmp_path / "data" / "json_update" / "avqa-train.json"
    path.write_text('[{"video_id": "1", "type": "[]", "question_content": "?", "templ_values": "[]", "anser": "x"}]')
    with pytest.raises(DatasetError, match="item 0: question_id wanted"):
        list(get_dataset("avqa").read(tmp_path, "train"))
    path.write_text("[3]")
    with pytest.raises(DatasetError, match="item 0: an object wanted"):
        list(get_dataset("avqa").read(tmp_path, "train"))
    with pytest.raises(DatasetError, match="part=real goes with version=json"):
        get_dataset("avqa", part="real")

"""The published AV-UIE v2 layout: records made by us with the fields that upstream's loaders read, in both splits."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crabplus.datasets.avuie import published_path, read, read_published, write, write_published
from crabplus.datasets.avuie.published import LAYOUTS
from crabplus.schema import (
    EventsAnswer,
    LabelAnswer,
    Media,
    Sample,
    SchemaError,
)
from crabplus.tasks import TASKS
from published_records import (
    AVE,
    CLIP,
    TEST,
    TRAIN,
)

ALL = [("train", key, *made) for key, made in TRAIN.items()] + [("test", key, *made) for key, made in TEST.items()]
NAMES = [f"{key}/{split}" for split, key, *_ in ALL]


def put(root: Path, key: str, split: str, *records: Any) -> Path:
    path = published_path(root, key, split)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records))
    return path


def test_every_key_has_a_layout() -> None:
    assert set(LAYOUTS) == set(TASKS) == set(TRAIN)
    assert {key for key, layout in LAYOUTS.items() if layout.test} == set(TEST)


@pytest.mark.parametrize(("split", "key", "record", "answer"), ALL, ids=NAMES)
def test_reads_the_truth(tmp_path: Path, split: str, key: str, record: dict[str, Any], answer: Any) -> None:
    put(tmp_path, key, split, record)
    (sample,) = read(tmp_path, key, split)
    assert (sample.task, sample.split, sample.answer) == (key, split, answer)
    assert all(item.path.startswith(f"{key}/") for item in sample.media)
    assert (sample.reasoning is not None) == (split == "train" and key not in ("avcap", "s4"))


@pytest.mark.parametrize(("split", "key", "record", "answer"), ALL, ids=NAMES)
def test_written_and_read_again_says_the_same(
    tmp_path: Path, split: str, key: str, record: dict[str, Any], answer: Any
) -> None:
    put(tmp_path / "a", key, split, record, record)
    samples = list(read(tmp_path / "a", key, split))
    write_published(tmp_path / "b", key, split, samples)
    assert list(read(tmp_path / "b", key, split)) == samples


@pytest.mark.parametrize(("split", "key", "record", "answer"), ALL, ids=NAMES)
def test_a_missing_or_unknown_field_is_named(
    tmp_path: Path, split: str, key: str, record: dict[str, Any], answer: Any
) -> None:
    for name in record:
        path = put(tmp_path, key, split, record, {field: value for field, value in record.items() if field != name})
        with pytest.raises(SchemaError, match=rf"{path.name}: record 1, {name}: is missing"):
            list(read(tmp_path, key, split))
    put(tmp_path, key, split, record, {**record, "colour": 1})
    with pytest.raises(SchemaError, match="record 1, colour: is no field"):
        list(read(tmp_path, key, split))
    assert list(read_published(tmp_path, key, split, strict=False))[1].meta["colour"] == 1


@pytest.mark.parametrize(
    ("key", "field", "value", "message"),
    [
        ("a2v", "correct_video", 3, "1 or 2 wanted, got '3'"),
        ("avqa", "type", "Audio", "a pair of modality and kind wanted"),
        ("avqa", "question", None, "text wanted, got None"),
        ("avqa_thu", "answer", 4, "or its index wanted, got '4'"),
        ("avqa_thu", "multi_choice", "Train", "a list of options wanted"),
        ("ave", "end_time", 1, "not before start_time 2 wanted, got 1"),
        ("ave", "start_time", "soon", "a number wanted, got 'soon'"),
        ("arig", "top_left", [1], r"two numbers wanted, got \[1\]"),
        ("arig", "bottom_right", "(20,1)", "right of and below top_left wanted"),
        ("s4", "frame_idx", -1, "greater than or equal to 0"),
        ("ks", "video_path", "", "text wanted, got ''"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, key: str, field: str, value: Any, message: str) -> None:
    good = TEST[key][0]
    put(tmp_path, key, "test", good, {**good, field: value})
    with pytest.raises(SchemaError, match=f"record 1, .*{message}") as error:
        list(read(tmp_path, key, "test"))
    assert field in str(error.value) or key == "s4"


def test_many_bad_records_are_one_error(tmp_path: Path) -> None:
    put(tmp_path, "ks", "test", *[{**CLIP} for _ in range(8)])
    with pytest.raises(SchemaError, match="record 4, action: is missing; and 3 more$"):
        list(read(tmp_path, "ks", "test"))


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "[1]", b"\xff"])
def test_a_file_that_is_no_list_of_records(tmp_path: Path, content: str | bytes) -> None:
    path = put(tmp_path, "ks", "test")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SchemaError, match="test.json: "):
        list(read(tmp_path, "ks", "test"))


def test_a_target_text_without_an_answer_is_an_error_where_it_is_the_truth(tmp_path: Path) -> None:
    put(tmp_path, "unav", "train", {**TRAIN["unav"][0], "label_content": "They eat."})
    with pytest.raises(SchemaError, match="record 0, label_content: no <event> tag"):
        list(read(tmp_path, "unav", "train"))
    put(tmp_path, "ks", "train", {**TRAIN["ks"][0], "label": "They bowl."})
    (sample,) = read(tmp_path, "ks", "train")
    assert (sample.answer, sample.reasoning, sample.meta["label"]) == (LabelAnswer("bowling"), None, "They bowl.")


def test_media(tmp_path: Path) -> None:
    put(tmp_path, "ks", "test", TEST["ks"][0], {**TEST["ks"][0], "audio_path": "../video/k1.mp4"})
    apart, together = read(tmp_path, "ks", "test")
    assert apart.media == (
        Media("clip", "video", "ks/video/k1.mp4", sound="file"), Media("sound", "audio", "ks/audio/k1.mp3")
    )  # fmt: skip
    assert together.media == (Media("clip", "video", "ks/video/k1.mp4", sound="track"),)
    put(tmp_path, "ms3", "test", TEST["ms3"][0])
    (still,) = read(tmp_path, "ms3", "test")
    assert still.media[1] == Media("sound", "audio", "ms3/v1s/k1/audio.wav", start=3, end=4)
    put(tmp_path, "a2v", "test", TEST["a2v"][0])
    (pair,) = read(tmp_path, "a2v", "test")
    assert [(item.role, item.sound) for item in pair.media] == [
        ("given", "track"),
        ("first", "none"),
        ("second", "none"),
    ]


def test_names_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path, "ave", "test", AVE, {**AVE, "vid": "k1-2"}, AVE, AVE)
    assert [sample.id for sample in read(tmp_path, "ave", "test")] == ["k1", "k1-2", "k1-3", "k1-4"]


def test_an_event_of_no_length_is_none(tmp_path: Path) -> None:
    put(tmp_path, "ave", "test", {**AVE, "end_time": 2})
    (sample,) = read(tmp_path, "ave", "test")
    assert (sample.answer, sample.meta["event"]) == (EventsAnswer(), "Violin, fiddle")


def test_what_cannot_be_written_names_the_sample(tmp_path: Path) -> None:
    silent = Sample("x", "own", "ks", "train", (Media("clip", "video", "ks/video/x.mp4"),))
    with pytest.raises(SchemaError, match="sample 'x': answer: a true LabelAnswer wanted, got none"):
        write_published(tmp_path, "ks", "test", [silent])
    with pytest.raises(SchemaError, match="sample 'x': media: one video file wanted, got 0"):
        write_published(tmp_path, "ks", "test", [replace(silent, media=(), answer=LabelAnswer("a"))])
    with pytest.raises(SchemaError, match="published are train.json of"):
        write_published(tmp_path, "mer24", "test", [])
    assert not list(tmp_path.rglob("*.json"))


def test_our_own_index_comes_first(tmp_path: Path) -> None:
    put(tmp_path, "ks", "test", TEST["ks"][0])
    own = Sample("own", "own", "ks", "test", answer=LabelAnswer("a"))
    write(tmp_path, "ks", "test", [own])
    assert list(read(tmp_path, "ks", "test")) == [own]
    with pytest.raises(FileNotFoundError, match=r"holds ks/test.json, ks/test.jsonl"):
        list(read(tmp_path, "ks", "train"))

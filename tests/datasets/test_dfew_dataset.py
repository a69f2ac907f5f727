"""DFEW: the lists of the single-label folds, and clips whose folders are not established."""

from pathlib import Path

import pytest
from miniatures import dfew

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import LabelAnswer


def test_rows_become_samples(tmp_path: Path) -> None:
    dfew.make(tmp_path)
    dataset = get_dataset("dfew")
    neutral, disgust, happy = dataset.read(tmp_path, "train")
    assert (neutral.id, neutral.answer, neutral.meta) == ("00012", LabelAnswer("neutral"), {"fold": 1})
    assert neutral.media[0].path == "Clip/original/00012.mp4"
    assert (disgust.answer, happy.answer) == (LabelAnswer("disgust"), LabelAnswer("happy"))
    assert neutral.options == ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
    assert dataset.notes == ["1 rows that stand twice: each read once"]


def test_folds(tmp_path: Path) -> None:
    dfew.make(tmp_path)
    (sample,) = get_dataset("dfew", fold="2").read(tmp_path, "test")
    assert (sample.id, sample.meta) == ("15980", {"fold": 2})
    sizes = [get_dataset("dfew", fold=fold).splits for fold in "12345"]
    assert sizes[4] == {"train": 9361, "test": 2336}
    assert {sum(size.values()) for size in sizes} == {11697} and sum(size["test"] for size in sizes) == 11697


def test_lists_under_the_names_of_the_training_code(tmp_path: Path) -> None:
    (tmp_path / "label").mkdir()
    (tmp_path / "label" / "single_testset_1.csv").write_text("video_name,label\n7,4\n")
    (sample,) = get_dataset("dfew").read(tmp_path, "test")
    assert sample.answer == LabelAnswer("angry")


def test_originals_are_found_by_their_number(tmp_path: Path) -> None:
    dfew.make(tmp_path)
    for name in ("Clip/original/part_1/00012.mkv", "Clip/original/15980.mp4", "Clip/original/part_2/7.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    paths = [s.media[0].path for split in ("train", "test") for s in get_dataset("dfew").read(tmp_path, split)]
    assert paths == [
        "Clip/original/part_1/00012.mkv",
        "Clip/original/15980.mp4",
        "Clip/original/16372.mp4",
        "Clip/original/part_2/7.mp4",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("12,0", "line 3: a label from 1 to 7 wanted, got '0'"),
        ("12,8", "line 3: a label from 1 to 7 wanted, got '8'"),
        ("12.mp4,1", "line 3: a clip from 1 to 16372 wanted, got '12.mp4'"),
        ("16373,1", "line 3: a clip from 1 to 16372 wanted, got '16373'"),
        ("7,1", "line 3: 00007 is 'happy' here and 'fear' further up"),
        ("7", "line 3: 2 fields wanted, got 1"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    dfew.make(tmp_path)
    path = tmp_path / "EmoLabel_DataSplit" / "test(single-labeled)" / "set_1.csv"
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(DatasetError, match=f"set_1.csv, {message}"):
        list(get_dataset("dfew").read(tmp_path, "test"))

"""MAFW: the lists of the single-label folds."""

from pathlib import Path

import pytest
from miniatures import mafw

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import LabelAnswer


def test_rows_become_samples(tmp_path: Path) -> None:
    mafw.make(tmp_path)
    dataset = get_dataset("mafw")
    anger, disappointment = dataset.read(tmp_path, "train")
    assert (anger.id, anger.answer, anger.meta) == ("00025", LabelAnswer("anger"), {"fold": 1})
    assert (anger.media[0].path, anger.media[0].sound) == ("clips/00025.mp4", "track")
    assert disappointment.answer == LabelAnswer("disappointment")
    assert len(set(anger.options)) == 11
    assert dataset.notes == ["1 rows that stand twice: each read once"]


def test_folds(tmp_path: Path) -> None:
    mafw.make(tmp_path)
    (sample,) = get_dataset("mafw", fold="2", folder="Data/clips").read(tmp_path, "test")
    assert (sample.id, sample.meta, sample.media[0].path) == ("00025", {"fold": 2}, "Data/clips/00025.mp4")
    with pytest.raises(DatasetError, match=r"set_3/test.txt is not in"):
        list(get_dataset("mafw", fold="3").read(tmp_path, "test"))
    for sound, total in (("by list", 9172), ("probed", 9156)):
        sizes = [get_dataset("mafw", fold=fold, sound=sound).splits for fold in "12345"]
        assert {sum(size.values()) for size in sizes} == {total}
        assert sum(size["test"] for size in sizes) == total


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("00025.mp4 bored", "line 2: 'bored' is none of anger, disgust"),
        ("00025.mp4 anger_disgust", "line 2: 'anger_disgust' is none of"),
        ("25.mp4 anger", "line 2: five digits and .mp4 wanted, got '25.mp4'"),
        ("00025.mp4\tanger", "line 2: 2 fields wanted, got 1"),
        ("00031.mp4 anger", "line 2: 00031.mp4 is 'anger' here and 'helplessness' further up"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    mafw.make(tmp_path)
    path = tmp_path / "Train & Test Set" / "single" / "no_caption" / "set_1" / "test.txt"
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(DatasetError, match=f"test.txt, {message}"):
        list(get_dataset("mafw").read(tmp_path, "test"))

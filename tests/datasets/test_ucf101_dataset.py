"""UCF-101 with sound: list files as published, with their pitfalls."""

from pathlib import Path

import pytest
from miniatures import ucf101

from crabplus.datasets import DatasetError, get_dataset
from crabplus.datasets.ucf101 import CLASSES
from crabplus.schema import LabelAnswer


def test_rows_become_samples(tmp_path: Path) -> None:
    ucf101.make(tmp_path)
    dataset = get_dataset("ucf")
    makeup, archery, pushups = dataset.read(tmp_path, "train")
    assert (makeup.id, makeup.answer) == ("v_ApplyEyeMakeup_g08_c01", LabelAnswer("apply eye makeup"))
    assert makeup.media[0].path == "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"
    assert makeup.meta == {"fold": 1, "class": "ApplyEyeMakeup", "group": 8}
    assert archery.answer == LabelAnswer("archery")
    assert pushups.media[0].path == "UCF-101/HandstandPushups/v_HandStandPushups_g25_c07.avi"
    assert (pushups.answer, pushups.meta["class"]) == (LabelAnswer("handstand pushups"), "HandstandPushups")
    assert len(set(CLASSES)) == len(makeup.options) == 51
    assert dataset.notes == [
        "1 rows of classes without sound: left out",
        "1 rows that stand twice: each read once",
    ]


def test_test_rows_have_the_class_of_their_folder(tmp_path: Path) -> None:
    ucf101.make(tmp_path)
    labels = [sample.answer.label for sample in get_dataset("ucf").read(tmp_path, "test")]
    assert labels == ["apply eye makeup", "handstand pushups"]


def test_a_folder_in_another_case(tmp_path: Path) -> None:
    ucf101.make(tmp_path)
    row = "HandStandPushups/v_HandStandPushups_g02_c03.avi"
    (tmp_path / "ucfTrainTestlist" / "testlist01.txt").write_text(row + "\n")
    (sample,) = get_dataset("ucf").read(tmp_path, "test")
    assert (sample.answer, sample.media[0].path) == (LabelAnswer("handstand pushups"), f"UCF-101/{row}")


def test_folds(tmp_path: Path) -> None:
    ucf101.make(tmp_path)
    dataset = get_dataset("ucf", fold="2")
    assert [(s.id, s.meta["fold"]) for s in dataset.read(tmp_path, "test")] == [("v_Archery_g08_c01", 2)]
    sizes = [get_dataset("ucf", fold=fold).splits for fold in "123"]
    assert sizes[0] == {"train": 4893, "test": 1944}
    assert [sum(size.values()) for size in sizes] == [6837] * 3
    with pytest.raises(DatasetError, match=r"trainlist03.txt is not in"):
        list(get_dataset("ucf", fold="3").read(tmp_path, "train"))


@pytest.mark.parametrize(
    ("split", "row", "message"),
    [
        ("train", "Archery/v_Archery_g09_c02.avi 4", "Archery has number 3 in classInd.txt, not 4"),
        ("train", "Archery/v_Archery_g09_c02.avi", "<Class>/v_<Class>_g01_c01.avi <number> wanted"),
        ("train", "Archery/v_Bowling_g09_c02.avi 3", "<Class>/v_<Class>_g01_c01.avi <number> wanted"),
        ("test", "v_Archery_g09_c02.avi", "<Class>/v_<Class>_g01_c01.avi <number> wanted"),
        ("test", "Juggling/v_Juggling_g01_c01.avi", "Juggling has number None in classInd.txt"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, split: str, row: str, message: str) -> None:
    ucf101.make(tmp_path)
    path = tmp_path / "ucfTrainTestlist" / f"{split}list01.txt"
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(DatasetError, match=rf"{split}list01.txt, line \d: {message}"):
        list(get_dataset("ucf").read(tmp_path, split))


def test_a_wrong_class_index_is_named(tmp_path: Path) -> None:
    ucf101.make(tmp_path)
    (tmp_path / "ucfTrainTestlist" / "classInd.txt").write_text("Archery 3\n")
    with pytest.raises(DatasetError, match=r"classInd.txt, line 1: a number wanted, got 'Archery'"):
        list(get_dataset("ucf").read(tmp_path, "train"))

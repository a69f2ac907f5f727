"""MER2024: the table of labels, of which two columns are known."""

from pathlib import Path

import pytest
from miniatures import mer2024

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import LabelAnswer


def test_rows_become_samples(tmp_path: Path) -> None:
    mer2024.make(tmp_path)
    dataset = get_dataset("mer24")
    worried, happy, neutral = dataset.read(tmp_path, "train")
    assert (worried.id, worried.answer) == ("sample_00000001", LabelAnswer("worried"))
    assert worried.media[0].path == "video-labeled/sample_00000001.mp4"
    assert worried.options == ("neutral", "angry", "happy", "sad", "worried", "surprise")
    assert (happy.meta, neutral.meta) == ({"made_up": "3.0"}, {"made_up": "0.1"})
    assert dataset.splits == {"train": None}
    assert dataset.notes == ["1 rows that stand twice: each read once"]


def test_two_columns_are_enough_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "label-disdim.csv").write_text("discrete,name\nangry,a.b\n")
    (sample,) = get_dataset("mer24").read(tmp_path, "train")
    assert (sample.id, sample.answer, sample.meta) == ("a.b", LabelAnswer("angry"), {})


def test_any_ending_is_found(tmp_path: Path) -> None:
    mer2024.make(tmp_path)
    (tmp_path / "video-labeled").mkdir()
    (tmp_path / "video-labeled" / "sample_00000001.avi").touch()
    (tmp_path / "video-labeled" / "sample_00000002.wav").touch()
    worried, happy, _ = get_dataset("mer24").read(tmp_path, "train")
    assert worried.media[0].path == "video-labeled/sample_00000001.avi"
    assert happy.media[0].path == "video-labeled/sample_00000002.mp4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,emotion\na,happy\n", "no column discrete among name, emotion"),
        ("name,discrete\na,joyful\n", "line 2: a name and one of neutral, angry, .* wanted, got 'a' and 'joyful'"),
        ("name,discrete\n,happy\n", "line 2: a name and one of .* wanted, got '' and 'happy'"),
        ("name,discrete\na,happy\na,sad\n", "line 3: a is 'sad' here and 'happy' further up"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "label-disdim.csv").write_text(text)
    with pytest.raises(DatasetError, match=f"label-disdim.csv.*{message}"):
        list(get_dataset("mer24").read(tmp_path, "train"))

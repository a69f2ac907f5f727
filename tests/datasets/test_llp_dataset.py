"""LLP: tab-separated tables, overlapping and empty intervals, names of no split."""

from pathlib import Path

import pytest
from miniatures import llp

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import Event


def test_overlapping_and_touching_intervals_are_one_event(tmp_path: Path) -> None:
    llp.make(tmp_path)
    dataset = get_dataset("avvp")
    speech, dog = dataset.read(tmp_path, "test")
    assert speech.answer.events == (Event("Speech", 0, 7, "audio"),)
    assert dog.answer.events == (
        Event("Dog", 1, 3, "audio"), Event("Dog", 8, 10, "audio"), Event("Dog", 0, 10, "visual")
    )  # fmt: skip
    assert speech.meta["labels"] == ["Clapping", "Speech"]
    assert dataset.notes == [
        "1 names in AVVP_eval_audio.csv that are no clip of val or test: left out",
        "2 rows of AVVP_eval_audio.csv with an interval of no length: no event",
    ]


def test_names_with_a_decimal_and_the_weak_training_split(tmp_path: Path) -> None:
    llp.make(tmp_path)
    (car,) = get_dataset("avvp").read(tmp_path, "val")
    assert (car.id, car.media[0].path) == ("00000000000_101.8_111.8", "video/00000000000.mp4")
    (weak,) = get_dataset("avvp").read(tmp_path, "train")
    assert weak.answer is None and weak.meta["labels"] == ["Speech", "Dog"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("11111111111_0_10\t1\t4\tSpeeches", "line 2: 'Speeches' is none of the 25 classes"),
        ("11111111111_0_10\t1\t11\tSpeech", "line 2: whole seconds 0 to 10 wanted, got '11'"),
        ("11111111111_0_10,1,11,Speech", "line 2: 4 fields wanted, got 1"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    llp.make(tmp_path)
    (tmp_path / "AVVP_eval_visual.csv").write_text("filename\tonset\toffset\tevent_labels\n" + row + "\n")
    with pytest.raises(DatasetError, match=message):
        list(get_dataset("avvp").read(tmp_path, "test"))


def test_a_table_with_commas_is_named(tmp_path: Path) -> None:
    llp.make(tmp_path)
    (tmp_path / "AVVP_test_pd.csv").write_text("filename,event_labels\n")
    with pytest.raises(DatasetError, match="no column filename, event_labels among filename,event_labels"):
        list(get_dataset("avvp").read(tmp_path, "test"))

"""AVE: rows as published, with the pitfalls of the original files."""

from pathlib import Path

import pytest
from miniatures import ave

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import Event, EventsAnswer


def test_rows_become_samples(tmp_path: Path) -> None:
    ave.make(tmp_path)
    dataset = get_dataset("ave")
    church, violin, frying, nothing = dataset.read(tmp_path, "train")
    assert dataset.notes == ["1 rows with an event of no length: samples without an event"]
    assert (church.id, church.media[0].path) == ("aAbBcCdDeEf", "AVE/aAbBcCdDeEf.mp4")
    assert violin.answer == EventsAnswer((Event("Violin, fiddle", 3, 8),))
    assert (frying.id, frying.answer) == ("aAbBcCdDeEf-2", EventsAnswer((Event("Frying (food)", 0, 4),)))
    assert nothing.answer == EventsAnswer()
    assert len(church.options) == 28


def test_the_header_of_the_archive_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = "Category&VideoID&Quality&StartTime&EndTime\n" + "\n".join(ave.ROWS["test"])
    (tmp_path / "data" / "testSet.txt").write_text(rows)
    assert len(list(get_dataset("ave").read(tmp_path, "test"))) == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Bark&x&good&1", "testSet.txt, line 2: 5 fields wanted, got 4"),
        ("Barking&x&good&1&2", "line 2: 'Barking' is none of the 28 classes"),
        ("Bark&x&good&one&2", "line 2: two times wanted, got 'one' and '2'"),
        ("Bark&x&good&7&3", "line 2: times in order from 0 to 10 wanted, got 7 and 3"),
        ("Bark&x&good&nan&inf", "line 2: times in order"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "testSet.txt").write_text("Bark&y&good&0&10\n" + row + "\n")
    with pytest.raises(DatasetError, match=message):
        list(get_dataset("ave").read(tmp_path, "test"))

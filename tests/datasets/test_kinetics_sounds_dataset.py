"""Kinetics-Sounds: Kinetics files and OGM-GE lists as published, with their pitfalls."""

from pathlib import Path

import pytest
from miniatures import kinetics_sounds

from crabplus.datasets import Dataset, DatasetError, get_dataset
from crabplus.datasets.kinetics_sounds import CLASSES
from crabplus.schema import LabelAnswer, Sample


def read(root: Path, split: str, **options: str) -> tuple[list[Sample], Dataset]:
    if not (root / "train.csv").exists():
        kinetics_sounds.make(root)
    dataset = get_dataset("ks", **options)
    return list(dataset.read(root, split)), dataset


def test_rows_of_the_classes_become_samples(tmp_path: Path) -> None:
    (piano, bowling, later), dataset = read(tmp_path, "train")
    assert piano.id == "aAbBcCdDeEf_000012_000022"
    assert piano.media[0].path == "video/aAbBcCdDeEf_000012_000022.mp4"
    assert (piano.answer, piano.options) == (LabelAnswer("playing piano"), CLASSES["31"])
    assert (bowling.id, later.id) == ("-zZ_yYxXwWv_000000_000010", "aAbBcCdDeEf_000040_000050")
    assert dataset.splits == {"train": None, "val": None}
    assert dataset.notes[:2] == ["3 rows of other classes: left out", "1 rows that stand twice: each read once"]
    assert dataset.notes[2].startswith("29 classes without a clip: blowing nose, ")


def test_either_word_for_validation(tmp_path: Path) -> None:
    samples, dataset = read(tmp_path, "val")
    assert [s.answer.label for s in samples] == ["bowling", "bowling", "tickling", "tickling"]
    assert dataset.notes[:2] == ["1 rows of another split: left out", "1 rows without a label: left out"]
    (tmp_path / "validate.csv").rename(tmp_path / "val.csv")
    assert read(tmp_path, "val")[0] == samples


def test_lists_of_classes(tmp_path: Path) -> None:
    assert [len(set(classes)) for classes in CLASSES.values()] == [31, 32, 34]
    assert [s.answer.label for s in read(tmp_path, "train", classes="32")[0]][-1] == "strumming guitar"
    assert [s.answer.label for s in read(tmp_path, "train", classes="34")[0]][-1] == "typing"


def test_a_further_column(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(kinetics_sounds.HEADER + ",is_cc\nbowling,aAbBcCdDeEf,1,11,train,0\n")
    assert [s.id for s in read(tmp_path, "train")[0]] == ["aAbBcCdDeEf_000001_000011"]


def test_a_clip_is_found_in_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "k400" / "bowling" / "-zZ_yYxXwWv_000000_000010.mkv"
    file.parent.mkdir(parents=True)
    file.touch()
    piano, bowling, _ = read(tmp_path, "train", folder="k400/")[0]
    assert bowling.media[0].path == "k400/bowling/-zZ_yYxXwWv_000000_000010.mkv"
    assert piano.media[0].path == "k400/aAbBcCdDeEf_000012_000022.mp4"


def test_numbers_of_ogm_ge_are_named_by_the_kinetics_files(tmp_path: Path) -> None:
    samples, dataset = read(tmp_path, "train", lists="ogm-ge")
    assert [(s.id, s.answer.label) for s in samples] == [
        ("aAbBcCdDeEf_000012_000022", "playing piano"),
        ("-zZ_yYxXwWv_000000_000010", "bowling"),
        ("99999999999_000002_000012", "bowling"),  # in no Kinetics file
    ]
    assert dataset.splits == {"train": 14799, "test": 2597}


def test_test_ids_of_ogm_ge_are_resolved_by_video(tmp_path: Path) -> None:
    samples, dataset = read(tmp_path, "test", lists="ogm-ge")
    assert [(s.id, s.answer.label) for s in samples] == [
        ("22222222222_000030_000040", "bowling"),  # of two clips the one that starts there
        ("33333333333_000120_000130", "tickling"),  # the one clip of its video
        ("44444444444_000001_000011", "tickling"),  # against the Kinetics file
        ("77777777777_000005_000015", "tickling"),
    ]
    assert dataset.notes[:2] == [
        "1 rows whose class number and Kinetics label differ: labelled by their number",
        "2 rows whose clip the Kinetics files do not tell: left out",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("bowling,aAbBcCdDeEf,1.5,11,train", "line 2: two whole seconds wanted, got '1.5' and '11'"),
        ("bowling,aAbBcCdDeEf,11,11,train", "line 2: two whole seconds wanted"),
        ("bowling,aAbBcCdDeEf,1,11,dev", "line 2: a video of train, val, validate, test wanted, .* of 'dev'"),
        ("bowling,aAbBcCdDeEf,1,11", "line 2: 5 fields wanted, got 4"),
        ("bowling,aAbBcCdDeEf,1,11,train\nsinging,aAbBcCdDeEf,1,11,train", "line 3: .* is 'singing' here and"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "train.csv").write_text(f"{kinetics_sounds.HEADER}\n{row}\n")
    with pytest.raises(DatasetError, match=rf"train.csv, {message}"):
        read(tmp_path, "train")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["22222222222_30,9,0"], "line 1: video_start or video_start_end, 10, class wanted"),
        (["22222222222_30,10,31"], "line 1: video_start or video_start_end, 10, class wanted"),
        (["88888888888_4,10,2"], "class 2 has no name: the Kinetics files call its videos nothing"),
        (["22222222222_30,10,2", "33333333333_0,10,2"], "class 2 has no name: .* videos bowling and tickling"),
        (["22222222222_30,10,2", "22222222222_7,10,3"], "give several class numbers the name bowling"),
    ],
)
def test_a_wrong_list_is_named(tmp_path: Path, rows: list[str], message: str) -> None:
    kinetics_sounds.make(tmp_path)
    (tmp_path / "my_test.txt").write_text("\n".join(rows) + "\n")
    with pytest.raises(DatasetError, match=rf"my_test.txt.*{message}|{message}"):
        read(tmp_path, "test", lists="ogm-ge")

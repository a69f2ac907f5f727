"""MELD: tables as published, with the pitfalls of the clips."""

from pathlib import Path

import pytest
from miniatures import meld

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import LabelAnswer


def test_rows_become_samples(tmp_path: Path) -> None:
    meld.make(tmp_path)
    first, second, _ = get_dataset("meld").read(tmp_path, "train")
    assert (first.id, first.answer) == ("train_dia0_utt0", LabelAnswer("surprise"))
    assert first.media[0].path == "train_splits/dia0_utt0.mp4"
    assert first.options == ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
    assert first.meta == {
        "dialogue": 0, "turn": 0, "speaker": "Dana", "sentiment": "negative", "season": "3", "episode": "4",
        "utterance": "Well, I didn\N{RIGHT SINGLE QUOTATION MARK}t see that coming.",
        "start": "00:01:02,003", "end": "00:01:04,120",
    }  # fmt: skip
    assert second.id == "train_dia0_utt1"


def test_numbers_start_anew_in_each_split(tmp_path: Path) -> None:
    meld.make(tmp_path)
    first = {split: next(get_dataset("meld").read(tmp_path, split)) for split in ("train", "dev", "test")}
    assert [sample.id for sample in first.values()] == ["train_dia0_utt0", "dev_dia0_utt0", "test_dia0_utt0"]
    assert [sample.media[0].path for sample in first.values()] == [
        "train_splits/dia0_utt0.mp4",
        "dev_splits_complete/dia0_utt0.mp4",
        "output_repeated_splits_test/dia0_utt0.mp4",
    ]


def test_flawed_clips_are_kept_and_told(tmp_path: Path) -> None:
    meld.make(tmp_path)
    dataset, flaws = get_dataset("meld"), {}
    for split in dataset.splits:
        last = list(dataset.read(tmp_path, split))[-1]
        flaws[last.id] = last.meta["flaw"], dataset.notes
    assert flaws["train_dia125_utt3"][0] == "corrupt"
    assert flaws["dev_dia110_utt7"][0] == "not in the release"
    assert flaws["test_dia38_utt4"][0] == "minutes long, or of another moment"
    assert dataset.notes == [
        "1 rows whose clip is known to be flawed: kept, dia38_utt4 (minutes long, or of another moment)"
    ]


def test_folders_are_a_matter_of_choice(tmp_path: Path) -> None:
    (tmp_path / "data" / "MELD").mkdir(parents=True)
    meld.make(tmp_path / "data" / "MELD")
    (tmp_path / "clips" / "test").mkdir(parents=True)
    for name in ("dia0_utt0.mkv", "dia108_utt2.mp4", "final_videos_testdia0_utt0.mp4"):
        (tmp_path / "clips" / "test" / name).touch()
    dataset = get_dataset("meld", test_folder="clips/test")
    no, oh = dataset.read(tmp_path, "test")
    assert (no.media[0].path, oh.media[0].path) == ("clips/test/dia0_utt0.mkv", "clips/test/dia38_utt4.mp4")
    assert dataset.notes[-1] == "2 files of clips/test that have no row: left out"
    assert dataset.chosen["train_folder"] == "train_splits"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('9,A,B,bored,neutral,1,0,1,1,"0","1"', "line 3: 'bored' is none of neutral, surprise"),
        ('9,A,B,joy,positive,,0,1,1,"0","1"', "line 3: two numbers that no row had before wanted, got dia_utt0"),
        ('9,A,B,joy,positive,x,0,1,1,"0","1"', "line 3: two numbers that no row had before wanted, got diax_utt0"),
        ('9,A,B,joy,positive,0,0,1,1,"0","1"', "line 3: two numbers that no row had before wanted, got dia0_utt0"),
        ("9,A,B,joy,positive,0,1,1,1,00:01:04,300,00:01:05,000", "line 3: 11 fields wanted, got 13"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    rows = [meld.HEADER, meld.ROWS["test"][0], row]
    (tmp_path / "test_sent_emo.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(DatasetError, match=f"test_sent_emo.csv, {message}"):
        list(get_dataset("meld").read(tmp_path, "test"))

"""Ref-AVS: rows and masks as published, with the pitfalls of the original files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from miniatures import avsbench, ref_avs
from PIL import Image

from crabplus.datasets import Dataset, DatasetError, get_dataset
from crabplus.schema import Media, ObjectsAnswer

CAT, DRYER, NULL = ref_avs.CAT, ref_avs.DRYER, ref_avs.NULL
ABSENT = ObjectsAnswer(present=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    ref_avs.make(tmp_path)
    return tmp_path


@pytest.fixture
def dataset() -> Dataset:
    return get_dataset("ref_avs")


def test_rows_become_ten_samples(root: Path, dataset: Dataset) -> None:
    train = list(dataset.read(root, "train"))
    assert len(train) == 30
    third = train[2]
    assert third.media == (
        Media("frame", "image", f"media/{CAT}/frames/2.jpg"), Media("sound", "audio", f"media/{CAT}/audio.wav", 2, 3)
    )  # fmt: skip
    assert (third.id, third.question) == (f"1/{CAT}_cat_1/2", "The sounding object on the sofa.")
    assert third.meta == {
        "vid": CAT, "uid": f"{CAT}_cat_1", "fid": "0", "category": "cat", "frame": 2,
        "mask": f"gt_mask/{CAT}/fid_0/00002.png",
    }  # fmt: skip
    (cat,) = third.answer.objects
    assert (cat.label, cat.box, len(cat.points)) == ("cat", (0.125, 0.25, 0.625, 0.75), 3)
    assert train[10].question == "The cat’s sound is louder" and train[10].answer == train[0].answer


def test_what_is_not_in_a_frame_is_not_present(root: Path, dataset: Dataset) -> None:
    answers = [sample.answer for sample in dataset.read(root, "test_u")]
    assert [answer == ABSENT for answer in answers] == [False] * 6 + [True] * 4


def test_null_rows_have_the_folder_of_their_uid(root: Path, dataset: Dataset) -> None:
    null = list(dataset.read(root, "train"))[20:]
    assert {sample.media[0].path for sample in null} == {f"media/{NULL}/frames/{n}.jpg" for n in range(10)}
    assert all(sample.answer == ABSENT for sample in null)
    assert null[0].meta["mask"] == f"gt_mask/{NULL}/fid_0/00000.png" and null[0].meta["vid"] == DRYER
    assert dataset.notes == ["1 rows of split TODO belong to no split"]


def test_missing_masks_of_null_rows_are_empty_and_counted(root: Path, dataset: Dataset) -> None:
    samples = list(dataset.read(root, "test_n"))
    assert len(samples) == 10 and all(sample.answer == ABSENT for sample in samples)
    assert "mask" not in samples[0].meta
    assert dataset.notes == [
        "1 rows of split TODO belong to no split",
        "10 masks of rows that refer to nothing are not there: taken as empty",
    ]


def test_a_missing_mask_of_a_thing_is_an_error(root: Path, dataset: Dataset) -> None:
    (root / f"gt_mask/{CAT}/fid_0/00007.png").unlink()
    with pytest.raises(DatasetError, match="fid_0/00007.png: no mask can be read"):
        list(dataset.read(root, "val"))


def test_quoted_expressions_and_doubled_uids(root: Path, dataset: Dataset) -> None:
    assert next(dataset.read(root, "val")).question == "The furry one, heard before the dog"
    doubled = [sample.id for sample in dataset.read(root, "test_s")]
    assert (doubled[0], doubled[10]) == (f"5/{DRYER}_hair-dryer_1/0", f"6/{DRYER}_hair-dryer_1/0")
    assert next(dataset.read(root, "test_s")).answer.objects[0].label == "hair-dryer"


def test_points_lie_on_the_mask_and_boxes_hold_it(root: Path, dataset: Dataset) -> None:
    for sample in dataset.read(root, "val"):
        mask = np.asarray(Image.open(root / sample.meta["mask"])) > 0
        inside = np.zeros_like(mask)
        for thing in sample.answer.objects:
            x1, y1, x2, y2 = (round(side * pixels) for side, pixels in zip(thing.box, (320, 180) * 2, strict=True))
            inside[y1:y2, x1:x2] = True
            assert all(mask[int(y * 180), int(x * 320)] for x, y in thing.points)
        assert (inside == mask).all()


def test_numbers_of_samples() -> None:
    rows = {"train": 14113, "val": 1349, "test_s": 2288, "test_u": 1656, "test_n": 1028}
    assert get_dataset("ref_avs").splits == {split: 10 * count for split, count in rows.items()}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{CAT},{CAT}_cat_1,tset,0,The cat", "metadata.csv, line 2: split is one of train, val, .* not 'tset'"),
        (f"{CAT},cat_1,val,0,The cat", "line 2: uid of clip, thing and number wanted, got 'cat_1'"),
        (f"{CAT},{CAT}_cat_1,val,one,The cat", "line 2: fid is a whole number, not 'one'"),
        (f"{CAT},{CAT}_cat_1,val,0, ", "line 2: an expression wanted, got ' '"),
        (f"{CAT},{CAT}_cat_1,val,0,The cat, loud", "line 2: 5 fields wanted, got 6"),
    ],
)
def test_a_wrong_row_is_named(root: Path, dataset: Dataset, row: str, message: str) -> None:
    avsbench.write(root / "metadata.csv", f"{ref_avs.HEADER}\r\n{row}\r\n")
    with pytest.raises(DatasetError, match=message):
        list(dataset.read(root, "val"))


def test_without_masks_the_expressions_are_read(tmp_path: Path) -> None:
    ref_avs.make(tmp_path)
    shutil.rmtree(tmp_path / "gt_mask")
    dataset = get_dataset("ref_avs")
    samples = list(dataset.read(tmp_path, "train"))
    absent = [sample for sample in samples if sample.meta["category"] == "null"]
    assert samples and all(s.answer == ObjectsAnswer(present=False) for s in absent)
    assert all(s.answer is None and "mask" not in s.meta for s in samples if s not in absent)
    assert any("gt_mask is not there" in note for note in dataset.notes)

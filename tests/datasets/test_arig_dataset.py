"""ARIG: one box for each frame of AVSBench S4 in which something sounds."""

from pathlib import Path

import pytest
from miniatures import arig, avsbench

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import Media, Object, ObjectsAnswer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    arig.make(tmp_path)
    return tmp_path


def test_frames_have_a_box_and_the_whole_sound(root: Path) -> None:
    dataset = get_dataset("arig")
    samples = list(dataset.read(root, "test"))
    assert samples[0].answer == ObjectsAnswer((Object("horse clip-clop", (0.125, 0.25, 0.25, 0.75)),))
    place = "Single-source/s4_data/{}/test/horse_clip-clop/Qq2Rr3Ss4Tt"
    assert samples[0].media == (
        Media("frame", "image", place.format("visual_frames") + "/Qq2Rr3Ss4Tt_1.png"),
        Media("sound", "audio", place.format("audio_wav") + ".wav"),
    )
    assert samples[0].meta["mask"] == place.format("gt_masks") + "/Qq2Rr3Ss4Tt_1.png"
    assert {(sample.task, sample.dataset) for sample in samples} == {("arig", "ARIG")}


def test_silent_frames_are_left_out_and_counted(root: Path) -> None:
    dataset = get_dataset("arig")
    assert [sample.meta["frame"] for sample in dataset.read(root, "test")] == [1, 2, 3, 5]
    assert dataset.notes == ["1 frames in which nothing sounds are left out"]
    assert len(list(dataset.read(root, "train"))) == 2 and dataset.notes == []


def test_the_semantic_release_has_one_box_around_all_classes(root: Path) -> None:
    path = root / "v1s/Zz9Yy8_Xx7W_12000_17000/labels_semantic/0.png"
    avsbench.put(path, {(1, 1, 2, 2): avsbench.DOG, (5, 3, 6, 8): avsbench.MAN}, (640, 360))
    dataset = get_dataset("arig", release="semantic")
    first = next(dataset.read(root, "val"))
    assert first.answer == ObjectsAnswer((Object("dog and man", (0.125, 0.125, 0.75, 1)),))
    assert first.media[1] == Media("sound", "audio", "v1s/Zz9Yy8_Xx7W_12000_17000/audio.wav")
    assert len(list(dataset.read(root, "val"))) == 4
    assert dataset.notes[-1] == "1 frames in which nothing sounds are left out"


def test_only_the_number_of_test_frames_is_known(root: Path) -> None:
    assert get_dataset("arig").splits == {"train": None, "val": None, "test": 3694}
    assert get_dataset("arig", release="semantic").splits["test"] is None


def test_wrong_rows_are_named(root: Path) -> None:
    avsbench.write(root / "Single-source/s4_meta_data.csv", "n,s,c,split\nx,1,barking,test\n")
    with pytest.raises(DatasetError, match="line 2: 'barking' is none of the 23 categories"):
        list(get_dataset("arig").read(root, "test"))

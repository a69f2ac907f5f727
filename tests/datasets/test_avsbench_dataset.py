"""AVSBench S4 and MS3 in both releases: tables and masks as published, with the pitfalls of the original files."""

from pathlib import Path

import numpy as np
import pytest
from miniatures import avsbench
from PIL import Image

from crabplus.datasets import Dataset, DatasetError, get_dataset
from crabplus.datasets.avsbench import CATEGORIES
from crabplus.datasets.avsbench_classes import CLASSES
from crabplus.evaluate import evaluate
from crabplus.schema import Media, ObjectsAnswer, Prediction, Sample
from crabplus.tasks import get_task

BOTH = pytest.mark.parametrize("key", ["s4", "ms3"])
RELEASES = pytest.mark.parametrize("release", ["object", "semantic"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    avsbench.make(tmp_path)
    return tmp_path


def things(sample: Sample) -> dict[str, tuple[float, ...]]:
    """Boxes in eighths."""
    assert isinstance(sample.answer, ObjectsAnswer)
    return {thing.label: tuple(8 * side for side in thing.box or ()) for thing in sample.answer.objects}


def test_s4_object_frames_count_from_one(root: Path) -> None:
    dataset = get_dataset("s4")
    first, *others = dataset.read(root, "test")
    place = "Single-source/s4_data/{}/test/horse_clip-clop/Qq2Rr3Ss4Tt"
    assert first.media == (
        Media("frame", "image", place.format("visual_frames") + "/Qq2Rr3Ss4Tt_1.png"),
        Media("sound", "audio", place.format("audio_wav") + ".wav", 0, 1),
    )
    assert (first.id, things(first)) == ("Qq2Rr3Ss4Tt/1", {"horse clip-clop": (1, 2, 2, 6)})
    assert first.meta == {
        "vid": "Qq2Rr3Ss4Tt", "uid": "Qq2Rr3Ss4Tt", "category": "horse_clip-clop", "frame": 1,
        "mask": place.format("gt_masks") + "/Qq2Rr3Ss4Tt_1.png",
    }  # fmt: skip
    assert [sample.meta["frame"] for sample in others] == [2, 3, 4, 5]
    assert others[3].media[1].end == 5
    assert others[2].answer == ObjectsAnswer() and dataset.notes == []


def test_s4_trains_on_the_first_frame_alone(root: Path) -> None:
    for release in ("object", "semantic"):
        train = list(get_dataset("s4", release=release).read(root, "train"))
        assert {sample.media[1].start for sample in train} == {0}
    assert [sample.id for sample in get_dataset("s4").read(root, "train")] == ["Ab1Cd2Ef3Gh/1", "Zz9Yy8_Xx7W/1"]
    assert len(list(get_dataset("ms3").read(root, "train"))) == 5


def test_ms3_object_pictures_have_no_split_and_an_infix(root: Path) -> None:
    first, *others = get_dataset("ms3").read(root, "test")
    name, data = "Qq2Rr3Ss4Tt_2", "Multi-sources/ms3_data"
    assert first.media[0].path == f"{data}/visual_frames/{name}/{name}.mp4_1.png"
    assert first.media[1].path == f"{data}/audio_wav/test/{name}.wav"
    assert first.meta["mask"] == f"{data}/gt_masks/test/{name}/{name}_1.png"
    assert [(sample.media[1].start, sample.media[1].end) for sample in others] == [(1, 2), (2, 3), (3, 4), (4, 5)]


def test_each_part_of_an_ms3_object_mask_is_a_thing(root: Path) -> None:
    first, second, _, silent, _ = get_dataset("ms3").read(root, "test")
    assert [thing.label for thing in first.answer.objects] == ["object", "object"]
    assert [thing.box for thing in first.answer.objects] == [(0, 0, 0.25, 0.375), (0.5, 0.25, 0.625, 1)]
    assert [thing.box for thing in second.answer.objects] == [(0.5, 0.25, 0.75, 1), (0, 0, 0.25, 0.375)]
    assert silent.answer == ObjectsAnswer()


def test_s4_semantic_frames_count_from_zero_and_ids_hold_underscores(root: Path) -> None:
    dataset = get_dataset("s4", release="semantic")
    first, second, silent, *_ = dataset.read(root, "val")
    place = "v1s/Zz9Yy8_Xx7W_12000_17000"
    assert first.media == (
        Media("frame", "image", f"{place}/frames/0.jpg"), Media("sound", "audio", f"{place}/audio.wav", 0, 1)
    )  # fmt: skip
    assert (first.meta["vid"], first.meta["category"], first.meta["frame"]) == ("Zz9Yy8_Xx7W", "dog", 0)
    assert first.meta["mask"] == f"{place}/labels_semantic/0.png"
    assert things(first) == {"dog": (1, 1, 4, 2)} and silent.answer == ObjectsAnswer()
    assert (second.id, second.media[1].start) == ("Zz9Yy8_Xx7W_12000_17000/1", 1)
    assert dataset.notes == ["3 rows of v1m are not AVSBench S4", "2 rows of v2 are not AVSBench S4"]


def test_colours_say_the_class_where_there_are_no_numbers(root: Path) -> None:
    first = next(get_dataset("s4", release="semantic").read(root, "test"))
    assert first.meta["mask"] == "v1s/Qq2Rr3Ss4Tt_0_5000/labels_rgb/0.png"
    assert things(first) == {"guitar": (1, 1, 4, 2)}


def test_each_class_of_an_ms3_semantic_mask_is_a_thing(root: Path) -> None:
    first = next(get_dataset("ms3", release="semantic").read(root, "val"))
    assert things(first) == {"guitar": (1, 1, 4, 2), "man": (4, 0, 8, 4)}
    assert (first.meta["vid"], first.media[0].path) == ("Kk4Ll5_Mm6N", "v1m/Kk4Ll5_Mm6N_2/frames/0.jpg")


@BOTH
@RELEASES
def test_points_lie_on_the_mask_and_boxes_hold_it(root: Path, key: str, release: str) -> None:
    dataset = get_dataset(key, release=release)
    for sample in (sample for split in dataset.splits for sample in dataset.read(root, split)):
        values = np.asarray(Image.open(root / sample.meta["mask"])).astype(int)
        mask = (values if values.ndim == 2 else values.sum(axis=2)) > 0
        inside = np.zeros_like(mask)
        height, width = mask.shape
        for thing in sample.answer.objects:
            x1, y1, x2, y2 = thing.box
            inside[round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)] = True
            assert len(thing.points) == 3 and all(mask[int(y * height), int(x * width)] for x, y in thing.points)
            assert all(x1 < x < x2 and y1 < y < y2 for x, y in thing.points)
        assert (inside == mask).all()


@BOTH
@RELEASES
def test_targets_of_both_releases_score_perfectly(root: Path, key: str, release: str) -> None:
    task, dataset = get_task(key), get_dataset(key, release=release)
    for split in dataset.splits:
        asked = list(dataset.read(root, split))
        said = [Prediction(s.id, key, answer=task.parse(task.target(s), s)) for s in asked]
        score = evaluate(asked, said)[key]
        assert (score.unparsable, score.score, score.others["box_f"]) == (0, 1.0, 1.0)


@BOTH
def test_only_the_numbers_of_the_object_release_are_known(key: str) -> None:
    assert get_dataset(key).splits["test"] == {"s4": 3700, "ms3": 320}[key]
    assert get_dataset(key, release="semantic").splits == {"train": None, "val": None, "test": None}
    assert get_dataset(key).splits["test"] is not None
    with pytest.raises(DatasetError, match="release is one of object, semantic, not 'old'"):
        get_dataset(key, release="old")


def test_classes_have_their_official_numbers() -> None:
    assert (len(CLASSES), len(set(CLASSES)), len(set(CATEGORIES))) == (71, 71, 23)
    assert (CLASSES[0], CLASSES[41], CLASSES[45], CLASSES[70]) == ("background", "man", "mower", "woman")


def test_tables_may_lie_beside_their_data(root: Path) -> None:
    first = next(get_dataset("s4").read(root / "Single-source", "test"))
    assert first.media[0].path.startswith("s4_data/visual_frames/test/")
    first = next(get_dataset("ms3").read(root / "Multi-sources", "test"))
    assert first.meta["mask"].startswith("ms3_data/gt_masks/test/")


def test_further_columns_and_other_names_of_columns_are_read(root: Path) -> None:
    table = root / "Single-source/s4_meta_data.csv"
    avsbench.write(table, "a,b,c,split,e\r\nQq2Rr3Ss4Tt,0,horse_clip-clop,test,x\r\n")
    assert len(list(get_dataset("s4").read(root, "test"))) == 5
    avsbench.write(root / "Multi-sources/ms3_meta_data.csv", "a,b,split\nQq2Rr3Ss4Tt_2,x,test\n")
    assert len(list(get_dataset("ms3").read(root, "test"))) == 5


def test_a_clip_that_comes_again_has_a_name_of_its_own(root: Path) -> None:
    avsbench.write(root / "Multi-sources/ms3_meta_data.csv", "a,split\nQq2Rr3Ss4Tt_2,test\nQq2Rr3Ss4Tt_2,test\n")
    assert [sample.id for sample in get_dataset("ms3").read(root, "test")][5] == "Qq2Rr3Ss4Tt_2-2/1"


@pytest.mark.parametrize(
    ("key", "release", "table", "rows", "message"),
    [
        ("s4", "object", "Single-source/s4_meta_data.csv", "n,s,c,split\nx,1,dog_barking\n",
         "s4_meta_data.csv, line 2: name, start, category and split wanted"),
        ("s4", "object", "Single-source/s4_meta_data.csv", "n,s,c,split\nx,1,barking,test\n",
         "line 2: 'barking' is none of the 23 categories"),
        ("s4", "object", "Single-source/s4_meta_data.csv", "n,s,c,split\nx,1,dog_barking,tset\n",
         "line 2: split is one of train, val, test, not 'tset'"),
        ("s4", "object", "Single-source/s4_meta_data.csv", "n,s,c,split\nx,1,dog_barking,test\n",
         "gt_masks/test/dog_barking/x/x_1.png is not in"),
        ("ms3", "object", "Multi-sources/ms3_meta_data.csv", "n,s\nx,test\n", "no column split among n, s"),
        ("ms3", "object", "Multi-sources/ms3_meta_data.csv", "n,split\n,test\n", "line 2: the name of a clip wanted"),
        ("ms3", "object", "Multi-sources/ms3_meta_data.csv", "n,split\nx,tset\n", "line 2: split is one of"),
        ("s4", "semantic", "metadata.csv", "uid,split\nx_0_5000,test\n", "no column label among uid, split"),
        ("s4", "semantic", "metadata.csv", "uid,split,label\nx_0_5000,test,v3\n",
         "metadata.csv, line 2: label is one of v1s, v1m, v2, not 'v3'"),
        ("s4", "semantic", "metadata.csv", "uid,split,label\nx_0_5000,tset,v1s\n", "line 2: split is one of"),
        ("s4", "semantic", "metadata.csv", "uid,split,label\nx_5000,test,v1s\n",
         "line 2: a video id and 2 parts wanted, got 'x_5000'"),
        ("ms3", "semantic", "metadata.csv", "uid,split,label\nx_1,test,v1m\n",
         "v1m/x_1/labels_semantic/0.png or v1m/x_1/labels_rgb/0.png is not in"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(root: Path, key: str, release: str, table: str, rows: str, message: str) -> None:
    avsbench.write(root / table, rows)
    with pytest.raises(DatasetError, match=message):
        list(get_dataset(key, release=release).read(root, "test"))


def test_pixels_of_no_class_are_named(root: Path) -> None:
    dataset: Dataset = get_dataset("s4", release="semantic")
    path = root / "v1s/Zz9Yy8_Xx7W_12000_17000/labels_semantic/0.png"
    avsbench.put(path, {(0, 0, 4, 4): 71})
    with pytest.raises(DatasetError, match=r"labels_semantic/0.png: classes 0 to 70 wanted, got \[0, 71\]"):
        list(dataset.read(root, "val"))
    Image.new("RGB", (4, 4), (1, 2, 3)).save(root / "v1s/Qq2Rr3Ss4Tt_0_5000/labels_rgb/0.png")
    with pytest.raises(DatasetError, match="labels_rgb/0.png: colour #010203 belongs to no class"):
        list(dataset.read(root, "test"))

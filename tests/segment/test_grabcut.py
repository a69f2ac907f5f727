"""GrabCut on Tidepool's true boxes and points, and on pictures and prompts that are hard to cut at all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco
from reefs import Reef, reefs

from crabplus.schema import Object
from crabplus.segment import Mask, load_segmenter
from crabplus.segment.video import load_tracker

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> list[Reef]:
    return list(reefs(20, seed=11))


def cut(picture: Picture, *things: Object) -> list[Mask]:
    (found,) = load_segmenter().segment([picture], [things])
    return [Mask(thing.label, score) for thing, score in zip(things, found, strict=True)]


def iou(mask: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float((mask & true).sum() / (mask | true).sum())


def disc(side: int, radius: float, seed: int = 0) -> tuple[Picture, NDArray[np.bool_]]:
    """A red disc on noisy green, and where it is."""
    y, x = np.mgrid[:side, :side] + 0.5
    true = np.hypot(x - side / 2, y - side / 2) < radius
    picture = np.where(true[..., None], (200, 60, 40), (60, 140, 80))
    return np.clip(picture + np.random.default_rng(seed).normal(0, 8, picture.shape), 0, 255).astype(np.uint8), true


def test_true_boxes_and_points_of_tidepool(pictures: list[Reef]) -> None:
    found = [iou(cut(one.picture, one.thing)[0].mask, one.mask) for one in pictures]
    assert np.mean(found) >= 0.85
    assert min(found) > 0.4


@pytest.mark.parametrize("side", [40, 200, 1500])
def test_a_picture_of_any_size_is_cut_at_its_own_resolution(side: int) -> None:
    picture, true = disc(side, side * 0.2)
    (mask,) = cut(picture, Object("disc", (0.3, 0.3, 0.7, 0.7)))
    assert mask.score.shape == (side, side) and mask.score.dtype == np.float32
    assert iou(mask.mask, true) > 0.9
    assert mask.score.min() == 0 and mask.score.max() == 1


def test_points_without_a_box() -> None:
    picture, true = disc(200, 45)
    (mask,) = cut(picture, Object("disc", None, ((0.5, 0.5), (0.4, 0.5), (0.55, 0.6))))
    assert iou(mask.mask, true) > 0.9


def test_a_point_says_which_of_two_things_in_the_box_is_meant() -> None:
    picture = np.full((100, 200, 3), 120, np.uint8)
    cv2.circle(picture, (50, 50), 30, (220, 40, 40), -1)
    cv2.circle(picture, (150, 50), 30, (40, 40, 220), -1)
    (mask,) = cut(picture, Object("blue", (0.05, 0.1, 0.95, 0.9), ((0.75, 0.5),)))
    assert mask.mask[50, 150]


def test_a_point_is_on_the_thing_whatever_its_colour() -> None:
    picture, true = disc(120, 30)
    x, y = 35, 36  # grass, in the corner of the box
    (mask,) = cut(picture, Object("disc", (0.25, 0.25, 0.75, 0.75), ((x / 120, y / 120),)))
    assert mask.mask[y, x] and not true[y, x] and iou(mask.mask, true) > 0.8


def test_a_box_that_fills_the_picture() -> None:
    picture, true = disc(120, 40)
    (mask,) = cut(picture, Object("disc", (0.0, 0.0, 1.0, 1.0), ((0.5, 0.5),)))
    assert iou(mask.mask, true) > 0.9


def test_nothing_lies_outside_of_the_box_and_what_cannot_be_told_apart_is_the_box() -> None:
    picture, _ = disc(100, 40)
    (mask,) = cut(picture, Object("part", (0.4, 0.4, 0.6, 0.5)))
    x1, y1, x2, y2 = mask.box or (0, 0, 1, 1)
    assert x1 >= 0.39 and y1 >= 0.39 and x2 <= 0.61 and y2 <= 0.51
    (plain,) = cut(np.full((100, 100, 3), 90, np.uint8), Object("nothing", (0.2, 0.2, 0.6, 0.6)))
    assert plain.area > 0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (3, 1), (2, 400), (9, 7), (150, 240)])
def test_no_picture_and_no_prompt_breaks_it(height: int, width: int) -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (height, width, 3), np.uint8)
    things = (
        Object("all", (0, 0, 1, 1)), Object("corner", None, ((0.0, 0.0), (1.0, 1.0))), Object("dot", None, ((1, 0),)),
        Object("speck", (0.5, 0.5, 0.5001, 0.5001), ((0.5, 0.5),)), Object("odd", (0.2, 0.2, 0.4, 0.4), ((0.9, 0.9),)),
        Object("strip", (0.0, 0.99, 1.0, 1.0)),
    )  # fmt: skip
    for picture in (noise, np.full_like(noise, 255)):
        for mask in cut(picture, *things):
            assert mask.score.shape == (height, width) and 0 <= mask.score.min() <= mask.score.max() <= 1


def test_the_same_again_on_any_number_of_threads(pictures: list[Reef]) -> None:
    first = [cut(one.picture, one.thing)[0].score for one in pictures[:6]]
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        with ThreadPoolExecutor(3) as pool:
            again = list(pool.map(lambda one: cut(one.picture, one.thing)[0].score, pictures[:6]))
    finally:
        cv2.setNumThreads(threads)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_each_thing_of_each_picture(pictures: list[Reef]) -> None:
    both = pictures[0].picture, np.ascontiguousarray(pictures[1].picture[:100])
    things = [[pictures[0].thing, Object("other", (0.1, 0.1, 0.3, 0.3))], []]
    found = load_segmenter("grabcut").segment(both, things)
    assert [len(masks) for masks in found] == [2, 0]
    assert np.array_equal(found[0][0], cut(both[0], things[0][0])[0].score)


def test_what_it_cannot_take_is_named() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="'ghost' has neither box nor points"):
        cut(picture, Object("ghost"))
    with pytest.raises(ValueError, match="a list for each picture wanted, got 0 for 1"):
        load_segmenter().segment([picture], [])
    with pytest.raises(ValueError, match="picture 0: uint8"):
        load_segmenter().segment([picture[..., 0]], [[]])
    with pytest.raises(ValueError, match="grabcut sees one picture at a time"):
        load_tracker("grabcut")


def test_a_mask_tells_its_box_area_and_run_lengths(tmp_path: Path) -> None:
    score = np.zeros((6, 10), np.float32)
    score[2:5, 3:9] = 0.6
    score[2, 3] = 0.5  # no more than 0.5: outside
    mask = Mask("fish", score, 1.5, 0.9)
    assert mask.area == 17 and mask.box == (0.3, 2 / 6, 0.9, 5 / 6)
    assert isinstance(mask.rle["counts"], str) and mask.rle["size"] == [6, 10]
    assert np.array_equal(coco.decode(mask.rle), mask.mask)
    empty = Mask("none", np.zeros((6, 10), np.float32))
    assert empty.box is None and empty.area == 0 and coco.decode(empty.rle).sum() == 0

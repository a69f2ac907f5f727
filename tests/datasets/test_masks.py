"""Masks: boxes hold them tightly, points lie on them, inside and apart, and files of every kind are read alike."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from crabplus.datasets import DatasetError
from crabplus.datasets.masks import find_thing, read_colours, read_mask, read_numbers, split_parts
from crabplus.tasks import default_pack
from crabplus.tasks.tags import read_object, write_object

MASKS = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda shape: arrays(np.bool_, shape))
WIDE = MASKS.map(lambda mask: np.pad(mask, ((3, 260), (460, 7))))
CANVAS = default_pack().canvas


def rectangle(x1: int, y1: int, x2: int, y2: int, size: tuple[int, int] = (224, 224)) -> np.ndarray:
    """A mask of a width and height with one rectangle on it."""
    mask = np.zeros(size[::-1], np.bool_)
    mask[y1:y2, x1:x2] = True
    return mask


@given(MASKS | WIDE)
def test_points_lie_on_the_mask_and_the_box_is_tight(mask: np.ndarray) -> None:
    thing = find_thing(mask, "dog")
    assert (thing is None) == (not mask.any())
    if thing is None:
        return
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    pixels = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    tight = pixels / (width, height, width, height)
    # half a unit of rounding, and up to one more where the box is widened to a unit
    assert np.abs(np.array(thing.box) - tight).max() <= 1.5 / 224
    units = np.array(thing.box) * 224
    assert units == pytest.approx(units.round()) and (units[2:] - units[:2]).min() > 0.99
    assert all(mask[int(y * height), int(x * width)] for x, y in thing.points)
    assert min(3, np.count_nonzero(mask)) <= len(set(thing.points)) == len(thing.points) <= 3
    assert find_thing(mask, "dog") == thing


@given(MASKS)
def test_what_is_written_of_it_reads_the_same(mask: np.ndarray) -> None:
    thing = find_thing(np.kron(mask, np.ones((6, 6), np.bool_)), "dog")
    if thing is not None:
        assert read_object(write_object(thing, CANVAS), CANVAS)[0] == thing


def test_a_mask_of_the_canvas_keeps_its_box() -> None:
    thing = find_thing(rectangle(31, 40, 189, 224), "dog")
    assert thing is not None and thing.box == (31 / 224, 40 / 224, 189 / 224, 1.0)


def test_a_tiny_thing_has_a_box_of_one_unit_and_its_pixel_as_point() -> None:
    thing = find_thing(rectangle(1279, 719, 1280, 720, (1280, 720)), "dog")
    assert thing is not None and thing.box == (223 / 224, 223 / 224, 1.0, 1.0)
    assert thing.points == ((1279.5 / 1280, 719.5 / 720),)


def test_points_are_inside_and_apart() -> None:
    (x, y), *others = find_thing(rectangle(20, 80, 200, 120), "dog").points
    assert 80 / 224 < y < 120 / 224
    for px, py in others:
        assert 29 / 224 < px < 191 / 224 and 89 / 224 < py < 111 / 224
        assert abs(px - x) + abs(py - y) > 50 / 224
    assert abs(others[0][0] - others[1][0]) > 50 / 224


def test_parts_come_by_size_and_fragments_do_not_come() -> None:
    mask = rectangle(0, 0, 30, 30) | rectangle(100, 100, 180, 180) | rectangle(220, 220, 222, 222)
    large, small = split_parts(mask, 0.005)
    assert (large.sum(), small.sum()) == (6400, 900)
    dots = rectangle(1, 1, 3, 3) | rectangle(9, 9, 11, 11)
    assert len(split_parts(dots, 0.005)) == 1 and (split_parts(dots, 0.005)[0] == dots).all()
    assert split_parts(rectangle(0, 0, 0, 0), 0.005) == []
    assert len(split_parts(rectangle(0, 0, 50, 50) | rectangle(50, 50, 99, 99), 0.005)) == 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
def test_foreground_is_what_is_not_zero(mode: str, tmp_path: Path) -> None:
    true, path = rectangle(2, 1, 4, 3, (6, 5)), tmp_path / "mask.png"
    if mode == "P":
        picture = Image.fromarray(true.astype(np.uint8))
        picture.putpalette([0, 0, 0, 0, 0, 0])
    elif mode == "I;16":
        picture = Image.fromarray(true.astype(np.int32)).convert(mode)
    elif mode == "1":
        picture = Image.fromarray(true)
    else:
        picture = Image.fromarray(true.astype(np.uint8)).convert(mode)
    picture.save(path)
    assert (read_mask(path) == true).all() and read_mask(path).shape == (5, 6)


def test_files_that_are_no_masks_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none.png: no mask can be read"):
        read_mask(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DatasetError, match="text.png: no mask can be read"):
        read_colours(tmp_path / "text.png")
    Image.effect_noise((64, 64), 50).convert("RGB").save(tmp_path / "colours.png")
    cut = (tmp_path / "colours.png").read_bytes()[:1000]
    with pytest.raises(DatasetError, match="colours.png: one channel wanted, got 3"):
        read_numbers(tmp_path / "colours.png")
    (tmp_path / "cut.png").write_bytes(cut)
    with pytest.raises(DatasetError, match="cut.png: no mask can be read"):
        read_mask(tmp_path / "cut.png")

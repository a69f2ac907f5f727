"""Grounding: the IoU equals the drawn grids of the protocol, the area its trapezoids, golden values by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.metrics.arig import Box, box_iou, grounding

UNIT = st.floats(0, 1)
BOXES = st.tuples(UNIT, UNIT, UNIT, UNIT)
PIXEL_BOXES = st.tuples(*(st.integers(0, 224) for _ in range(4)))


def drawn_iou(predicted: tuple[int, ...], truth: tuple[int, ...]) -> float:
    """The protocol itself: draw both boxes of whole pixels on 224 x 224 and count."""
    maps = np.zeros((2, 224, 224))
    for grid, (x1, y1, x2, y2) in zip(maps, (predicted, truth), strict=True):
        grid[y1:y2, x1:x2] = 1
    said, true = maps
    union = true.sum() + (said * (true == 0)).sum()
    return float((said * true).sum() / union) if union else 0.0


def unit(box: tuple[int, ...]) -> Box:
    x1, y1, x2, y2 = (value / 224 for value in box)
    return x1, y1, x2, y2


@given(PIXEL_BOXES, PIXEL_BOXES)
def test_equals_the_drawn_grids(predicted: tuple[int, ...], truth: tuple[int, ...]) -> None:
    assert box_iou([unit(predicted)], [unit(truth)])[0] == drawn_iou(predicted, truth)


@given(st.lists(st.tuples(BOXES, BOXES), min_size=1, max_size=5))
def test_bounded_and_symmetric(pairs: list[tuple[Box, Box]]) -> None:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    iou = box_iou(first, second)
    assert iou.shape == (len(pairs),) and (iou >= 0).all() and (iou <= 1).all()
    assert (iou == box_iou(second, first)).all()


@given(BOXES)
def test_a_box_with_area_matches_itself(box: Box) -> None:
    x1, y1, x2, y2 = (np.floor(value * 224 + 0.5) for value in box)
    assert box_iou([box], [box])[0] == float(x1 < x2 and y1 < y2)


def test_by_hand() -> None:
    halves = box_iou([(0, 0, 0.5, 1), (0, 0, 0.5, 0.5)], [(0.25, 0, 0.75, 1), (0.5, 0.5, 1, 1)])
    assert halves.tolist() == [pytest.approx(1 / 3), 0.0]


def test_rounds_to_the_nearest_pixel_halves_up() -> None:
    """0.5 pixel of 4 goes up to 1, 0.49 down to 0: three columns against two."""
    assert box_iou([(0.0, 0, 0.625, 1)], [(0, 0, 0.5, 1)], side=4)[0] == pytest.approx(2 / 3)
    assert box_iou([(0.0, 0, 0.62, 1)], [(0, 0, 0.5, 1)], side=4)[0] == 1.0


@pytest.mark.parametrize("box", [None, (0.6, 0.1, 0.4, 0.9), (0.5, 0.5, 0.5, 0.9), (float("nan"), 0, 1, 1),
                                 (0.1, 0.1, float("inf"), 1)])  # fmt: skip
def test_unusable_boxes_score_zero(box: Box | None) -> None:
    whole = (0.0, 0.0, 1.0, 1.0)
    assert box_iou([box, whole], [whole, whole]).tolist() == [0.0, 1.0]
    assert box_iou([box], [box]).tolist() == [0.0]


def test_coordinates_outside_the_picture_are_clipped() -> None:
    assert box_iou([(-0.5, 0, 2, 1)], [(0, 0, 1, 1)])[0] == 1.0


def test_uneven_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="2 predicted for 1"):
        box_iou([None, None], [(0, 0, 1, 1)])


def test_grounding_by_hand() -> None:
    """IoU 1, 0.5 and 0: shares 1 at t = 0, 2/3 up to 0.5, 1/3 up to 1."""
    numbers = grounding([1.0, 0.5, 0.0])
    assert numbers["iou_0.5"] == pytest.approx(2 / 3) and numbers["mean_iou"] == pytest.approx(0.5)
    shares = [1] + [2 / 3] * 10 + [1 / 3] * 10
    assert numbers["auc"] == pytest.approx(0.05 * sum((a + b) / 2 for a, b in zip(shares, shares[1:], strict=False)))


def test_area_is_never_below_its_floor() -> None:
    assert grounding([0.0]) == {"iou_0.5": 0.0, "auc": pytest.approx(0.025), "mean_iou": 0.0}
    assert grounding([1.0]) == {"iou_0.5": 1.0, "auc": pytest.approx(1.0), "mean_iou": 1.0}


@given(st.lists(UNIT, min_size=1))
def test_area_equals_the_protocol(iou: list[float]) -> None:
    shares = [np.sum(np.array(iou) >= 0.05 * i) / len(iou) for i in range(21)]
    area = sum((0.05 * (i + 1) - 0.05 * i) * (shares[i] + shares[i + 1]) / 2 for i in range(20))
    numbers = grounding(iou)
    assert numbers["auc"] == pytest.approx(area)
    assert numbers["iou_0.5"] == shares[10]


@pytest.mark.parametrize("iou", [[], [[0.5]], [1.5], [-0.1], [float("nan")]])
def test_what_is_no_iou_is_refused(iou: list) -> None:
    with pytest.raises(ValueError, match="iou"):
        grounding(iou)

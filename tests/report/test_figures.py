"""The picture for the README: it is drawn, has its size, and shows truth and prediction in their colours."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crabplus.report.card import Card
from crabplus.report.figures import draw_cards
from crabplus.schema import Event, EventsAnswer, Media, Object, ObjectsAnswer, Prediction, TextAnswer

TRUTH, SAID, TRUE_BOX, SAID_BOX = (11, 102, 195), (191, 75, 6), (93, 176, 255), (255, 148, 71)
Make = Callable[..., Card]
GREY = np.full((8, 48, 64, 3), 128, np.uint8)


def count(path: Path, colour: tuple[int, int, int]) -> int:
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((abs(pixels - colour).max(axis=2) <= 2).sum())


def test_timeline_bars_are_as_long_as_the_events(card: Make, tmp_path: Path) -> None:
    """The true event lasts 8 s, the predicted one 2 s: four times the colour, but for the rows' names."""
    media = (Media("clip", "video", "clip.mp4", duration=10),)
    events = card(EventsAnswer((Event("a", 1, 9),)), EventsAnswer((Event("a", 1, 3),)), media=media)
    draw_cards(tmp_path / "a.png", [events], [GREY], dpi=50)
    assert Image.open(tmp_path / "a.png").width == 550
    assert count(tmp_path / "a.png", TRUTH) / count(tmp_path / "a.png", SAID) == pytest.approx(4, rel=0.2)


def test_boxes_are_drawn_on_a_picture(card: Make, tmp_path: Path) -> None:
    box = ObjectsAnswer((Object("bell", (0.1, 0.1, 0.6, 0.6), ((0.3, 0.3),)),))
    draw_cards(tmp_path / "a.png", [card(box, None)], [GREY[:1]])
    assert count(tmp_path / "a.png", TRUE_BOX) > 100 and count(tmp_path / "a.png", SAID_BOX) == 0


def test_cards_are_laid_out_in_rows(card: Make, tmp_path: Path) -> None:
    """Events take a row, other cards share one: the page grows with the rows."""
    events = card(EventsAnswer((Event("a", 1, 9),)), None)
    words = card(TextAnswer("two"), TextAnswer("ten"), question="How many? Each costs $5 or $7.")
    heights = []
    for cards in ([words, words], [words, words, words], [words, events, words]):
        draw_cards(tmp_path / "a.png", cards, [GREY] * len(cards), dpi=30)
        heights.append(Image.open(tmp_path / "a.png").height)
    one_row, two_rows, three_rows = heights
    assert one_row < two_rows < three_rows < 2 * two_rows


def test_long_and_missing_texts_fit(card: Make, folder: Path, tmp_path: Path) -> None:
    long = " ".join(["word"] * 200)
    said = Prediction("clip-1", "avqa", answer=TextAnswer(long), reasoning=long)
    cards = [card(TextAnswer(long), None, prediction=said, question=long), Card(card(None, None).sample, None, folder)]
    draw_cards(tmp_path / "a.png", cards, [GREY, GREY[:1]], dpi=50)
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert (pixels[:5] == 255).all() and (pixels[-5:] == 255).all() and (pixels[:, -2:] == 255).all()


@pytest.mark.parametrize("pictures", [[], [GREY, GREY]])
def test_one_stack_of_pictures_per_card(card: Make, pictures: list, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one stack per card"):
        draw_cards(tmp_path / "a.png", [card(TextAnswer("two"), None)], pictures)

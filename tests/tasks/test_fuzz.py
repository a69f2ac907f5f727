"""A hundred thousand random and mutated answers for every parser: none raises; and long answers are read at once."""

import random
import string

import pytest

from crabplus.schema import Sample
from crabplus.tasks import TASKS, get_task

PIECES = [
    "<answer>", "</answer>", "<event>", "</event>", "<audio>", "<visual_event>", "<obj>", "</obj>", "<caption>",
    "< obj >", "(3 8)", "(3,4)", "[1,2,3,4]", "(1,2)(3,4)", "true", "dog, ", "-", "1e9", "99999999999999999999", "\x00",
    "\u0661", "é", "<range>", "</range>", "3,8",
    "\n", "   ", "(", ")", "[", "]", "<", ">", "/", ",", ".", "one", "B. ", "nan", "inf", "\U0001f600", "\ud800",
]  # fmt: skip
WHOLE = [
    "I hear it. <answer>left</answer>", "<event>dog, (0 3)(7 10)</event>", "<caption>A man.</caption>",
    "<audio>a, (0 4)</audio><visual>b, (2 10)</visual>", "<answer>true</answer><obj>dog (31,40)(188,201) (60,80)</obj>",
]  # fmt: skip
SAMPLE = Sample("1", "d", "any", "test", question="?", options=("one", "two", "dog", "left"))


def mutated(rng: random.Random) -> str:
    """A right answer with characters and pieces put in, taken out or doubled; or pieces and characters at random."""
    if rng.random() < 0.5:
        return "".join(rng.choice(PIECES + [rng.choice(string.printable)]) for _ in range(rng.randint(0, 25)))
    text = rng.choice(WHOLE)
    for _ in range(rng.randint(1, 6)):
        at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        text = rng.choice([text[:at] + text[end:], text[:at] + rng.choice(PIECES) + text[at:], text[:end] + text[at:]])
    return text


@pytest.mark.slow
@pytest.mark.parametrize("key", TASKS)
def test_no_text_raises(key: str) -> None:
    task, rng = get_task(key), random.Random(key)
    for _ in range(100_000):
        text = mutated(rng)
        found = task.read(text, SAMPLE)
        assert (found.answer is None) == bool(found.reason), text


@pytest.mark.parametrize(
    "piece", [*PIECES, "(1", "[1,", "( 1 ", "<obj>(1,2)", "<event>a (1 2)", "<answer>a", "1,2,", "< "]
)
def test_a_long_answer_is_read(piece: str) -> None:
    """A reader that looks back over the text would take hours for this."""
    for tag in ("", "<event>", "<audio>", "<obj>", "<answer>"):
        text = tag + piece * (200_000 // len(piece))
        for key in ("avqa", "ave", "avvp", "ms3", "ref_avs", "avcap", "a2v", "avqa_thu"):
            found = get_task(key).read(text, SAMPLE)
            assert (found.answer is None) == bool(found.reason)

"""Matching of sound and picture: which of two."""

import re
from collections.abc import Mapping, Sequence

from crabplus.metrics.classification import typed_accuracy
from crabplus.schema import Answer, ChoiceAnswer, Sample
from crabplus.tasks import forms
from crabplus.tasks.base import Pair, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_answer, write_answer

WORDS = ("one", "two")
_NAMES = "video|sound|audio|clip|option|candidate|number|one"
_SAID = re.compile(rf"(?:(?:the|{_NAMES}) )*(one|two|1|2|first|second)(?: (?:{_NAMES}))*", re.IGNORECASE)
_NUMBERS = {"one": 0, "1": 0, "first": 0, "two": 1, "2": 1, "second": 1}


class Matching(Task):
    """``a2v``: which of two videos a sound belongs to; ``v2a``: which of two sounds belongs to a video."""

    family = "matching"
    answers = ChoiceAnswer
    metric = "accuracy"
    needs = frozenset({"film", "sound"})

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, ChoiceAnswer)
        return write_answer(WORDS[answer.index])

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        word, reason = read_answer(text)
        if word is None:
            return reason
        said = _SAID.fullmatch(word)
        return ChoiceAnswer(_NUMBERS[said[1].lower()]) if said else f"neither one nor two: {word:.60}"

    def form(self, sample: Sample, pack: Pack) -> str:
        return forms.one_of(map(write_answer, WORDS), pack)

    def fits(self, answer: Answer, sample: Sample) -> bool:
        return isinstance(answer, ChoiceAnswer) and answer.index < len(WORDS)

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        return typed_accuracy([sample.answer == answer for sample, answer in pairs], [""] * len(pairs))

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        return [ChoiceAnswer(0), ChoiceAnswer(1)]


MATCHING = (Matching("a2v"), Matching("v2a"))

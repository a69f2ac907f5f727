"""Question answering about what is seen and heard."""

import json
import re
from collections.abc import Mapping, Sequence

from crabplus.metrics.classification import QUESTION_TYPES, typed_accuracy
from crabplus.metrics.music_avqa import answer_accuracy, normalise
from crabplus.schema import Answer, ChoiceAnswer, Sample, TextAnswer
from crabplus.tasks import forms
from crabplus.tasks.base import Pair, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_answer, write_answer

_LETTER = re.compile(r"(?:(?:option|answer|choice) )?[(\[]?([A-Za-z])(?:[)\].:,]+ ?| |$)(.*)", re.IGNORECASE)
_COUNTS = dict(
    zip(
        map(str, range(11)),
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
        strict=True,
    )
)


class MusicQuestion(Task):
    """``avqa``: a question with an answer of one word; ``meta["type"]`` holds its modality and kind."""

    family = "question answering"
    answers = TextAnswer
    metric = "accuracy"
    takes_question = True

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, TextAnswer)
        return write_answer(answer.text)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        word, reason = read_answer(text)
        return TextAnswer(_COUNTS.get(word, word)) if word else reason

    def form(self, sample: Sample, pack: Pack) -> str:
        own = sample.options if sample.meta.get("closed") else ()
        return forms.one_of(map(write_answer, own), pack) if own else forms.word(pack)

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        right = [_word(answer) == _word(sample.answer) and answer is not None for sample, answer in pairs]
        return answer_accuracy(right, [_type(sample) for sample, _ in pairs])

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        return [TextAnswer(word) for word in sorted({_word(sample.answer) for sample in samples})]


class ChoiceQuestion(Task):
    """``avqa_thu``: a question with its possible answers; ``meta["type"]`` holds its kind.

    The answer is written as its text. It is read as that text or as a letter, ``B``, ``(b)`` or ``B. text``, where no
    two options read alike.
    """

    family = "question answering"
    answers = ChoiceAnswer
    metric = "accuracy"
    needs = frozenset({"film", "sound"})
    takes_question = True

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, ChoiceAnswer)
        return write_answer(sample.options[answer.index])

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        word, reason = read_answer(text)
        if word is None:
            return reason
        options = [normalise(option) for option in (sample.options if sample else ())]
        found = [n for n, option in enumerate(options) if option == normalise(word)] or _lettered(word, options)
        return ChoiceAnswer(found[0]) if len(found) == 1 else f"not one of the answers to choose from: {word:.60}"

    def form(self, sample: Sample, pack: Pack) -> str:
        choices = [ChoiceAnswer(index) for index in range(len(sample.options))]
        return forms.one_of(self.readable(choices, sample, pack), pack)

    def fields(self, sample: Sample, pack: Pack) -> dict[str, str]:
        if not pack.lettered:
            return {
                **super().fields(sample, pack),
                "options": str(sample.meta.get("multi_choice", list(sample.options))),
            }
        lettered = "; ".join(f"({chr(ord('A') + n)}) {option}" for n, option in enumerate(sample.options))
        return {**super().fields(sample, pack), "options": lettered}

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        right = [sample.answer == answer for sample, answer in pairs]
        return typed_accuracy(right, [str(sample.meta.get("type", "")) for sample, _ in pairs], QUESTION_TYPES)

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        return [ChoiceAnswer(index) for index in range(min((len(sample.options) for sample in samples), default=0))]


def _lettered(word: str, options: Sequence[str]) -> list[int]:
    """The option that a letter names, if what stands behind the letter does not say otherwise."""
    letter = _LETTER.fullmatch(word)
    number = ord(letter[1].upper()) - ord("A") if letter else len(options)
    if letter is None or number >= len(options) or normalise(letter[2]) not in ("", options[number]):
        return []
    return [number]


def _word(answer: Answer | None) -> str:
    return normalise(answer.text) if isinstance(answer, TextAnswer) else ""


def _type(sample: Sample) -> tuple[str, str]:
    found = sample.meta.get("type", ("Audio-Visual", "Other"))
    try:
        modality, kind = json.loads(found) if isinstance(found, str) else found
    except (ValueError, TypeError):
        raise ValueError(f"{sample.id}: meta.type: a pair of modality and kind wanted, got {found!r:.60}") from None
    return str(modality), str(kind)


QUESTION = (MusicQuestion("avqa"), ChoiceQuestion("avqa_thu"))

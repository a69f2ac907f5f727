"""Question answering about what is seen and heard."""

from collections.abc import Mapping, Sequence

from crabplus.metrics.music_avqa import answer_accuracy, normalise
from crabplus.schema import Answer, Sample, TextAnswer
from crabplus.tasks.base import Pair, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_answer, write_answer


class MusicQuestion(Task):
    """``avqa``: a question with an answer of one word; ``meta["type"]`` holds its modality and kind."""

    family = "question answering"
    metric = "accuracy"
    takes_question = True

    def write(self, answer: Answer, pack: Pack) -> str:
        assert isinstance(answer, TextAnswer)
        return write_answer(answer.text)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        word, reason = read_answer(text)
        return TextAnswer(word) if word else reason

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        right = [_word(answer) == _word(sample.answer) and answer is not None for sample, answer in pairs]
        return answer_accuracy(right, [_type(sample) for sample, _ in pairs])

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        return [TextAnswer(word) for word in sorted({_word(sample.answer) for sample in samples})]


def _word(answer: Answer | None) -> str:
    return normalise(answer.text) if isinstance(answer, TextAnswer) else ""


def _type(sample: Sample) -> tuple[str, str]:
    modality, kind = sample.meta.get("type", ("Audio-Visual", "Other"))
    return str(modality), str(kind)


QUESTION = (MusicQuestion("avqa"),)

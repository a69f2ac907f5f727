"""Recognition of one label out of a vocabulary: actions, and the emotion of a person."""

from collections.abc import Mapping, Sequence

from crabplus.metrics.classification import classification_scores, drawn_classification
from crabplus.schema import Answer, LabelAnswer, Sample
from crabplus.tasks import forms
from crabplus.tasks.base import Pair, Resampler, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import plain, read_answer, write_answer


class Recognition(Task):
    """One label. The ``options`` of a sample are its vocabulary, and a label outside of them is no answer.

    Where a sample has no options, any label is read as it stands.
    """

    answers = LabelAnswer
    needs = frozenset({"film", "sound"})

    def __init__(self, key: str, family: str, metric: str, like: str | None = None) -> None:
        super().__init__(key, like)
        self.family, self.metric = family, metric

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, LabelAnswer)
        return write_answer(answer.label)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        word, reason = read_answer(text)
        if word is None:
            return reason
        known = {plain(option): option for option in (sample.options if sample else ())}
        if known and plain(word) not in known:
            return f"not one of the labels: {word:.60}"
        return LabelAnswer(known.get(plain(word), word))

    def form(self, sample: Sample, pack: Pack) -> str:
        labels = [LabelAnswer(option) for option in sample.options]
        return forms.one_of(self.readable(labels, sample, pack), pack) if labels else forms.word(pack)

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        return classification_scores(*_columns(pairs))

    def resampler(self, pairs: Sequence[Pair]) -> Resampler:
        return drawn_classification(*_columns(pairs), self.metric)

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        return [LabelAnswer(label) for label in sorted({_label(sample.answer) or "" for sample in samples})]


def _columns(pairs: Sequence[Pair]) -> tuple[list[str], list[str | None], list[str], list[str]]:
    """True labels, said labels, vocabulary, fold of each sample."""
    truth = [_label(sample.answer) or "" for sample, _ in pairs]
    options = {plain(option) for choices in {sample.options for sample, _ in pairs} for option in choices}
    folds = [str(sample.meta.get("fold", "")) for sample, _ in pairs]
    return truth, [_label(answer) for _, answer in pairs], sorted({*truth, *options}), folds


def _label(answer: Answer | None) -> str | None:
    return plain(answer.label) if isinstance(answer, LabelAnswer) else None


# the main metric is the one that the benchmark's own code prints first
LABEL = (
    Recognition("ks", "action recognition", "accuracy"),
    Recognition("ucf", "action recognition", "accuracy"),
    Recognition("meld", "emotion recognition", "weighted_f1"),
    Recognition("mer24", "emotion recognition", "weighted_f1"),
    Recognition("cremad", "emotion recognition", "accuracy"),
    Recognition("mafw", "emotion recognition", "war"),
    Recognition("dfew", "emotion recognition", "war"),
)

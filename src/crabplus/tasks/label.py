"""Recognition of one label out of a vocabulary: actions, and the emotion of a person."""

from collections.abc import Mapping, Sequence

from crabplus.metrics.classification import classification_scores
from crabplus.schema import Answer, LabelAnswer, Sample
from crabplus.tasks.base import Pair, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_answer, write_answer


def plain(label: str) -> str:
    """The one form in which labels are compared: lower case, ``_`` and ``-`` as spaces, single spaces."""
    return " ".join(label.replace("_", " ").replace("-", " ").lower().split())


class Recognition(Task):
    """One label. The ``options`` of a sample are its vocabulary, and a label outside of them is no answer.

    Where a sample has no options, any label is read as it stands.
    """

    needs = frozenset({"film", "sound"})

    def __init__(self, key: str, family: str, metric: str) -> None:
        super().__init__(key)
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

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        truth = [_label(sample.answer) or "" for sample, _ in pairs]
        options = {plain(option) for sample, _ in pairs for option in sample.options}
        folds = [str(sample.meta.get("fold", "")) for sample, _ in pairs]
        said = [_label(answer) for _, answer in pairs]
        return classification_scores(truth, said, sorted({*truth, *options}), folds)

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        return [LabelAnswer(label) for label in sorted({_label(sample.answer) or "" for sample in samples})]


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

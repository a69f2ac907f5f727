"""Recognition of one label out of a fixed vocabulary, and answers that are right or wrong by type of question."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["QUESTION_TYPES", "classification_scores", "drawn_classification", "typed_accuracy"]

QUESTION_TYPES = ("Which", "Come From", "Happening", "Where", "Why", "Before Next", "When", "Used For")
"""The eight question types of AVQA (THU)."""


def classification_scores(
    truth: Sequence[str], said: Sequence[str | None], vocabulary: Sequence[str], folds: Sequence[str] | None = None
) -> dict[str, float | None]:
    """Accuracy (WAR), unweighted recall (UAR) and weighted F1, over one fixed vocabulary.

    With n_c true samples of class c, of which tp_c are said to be c, and fp_c others said to be c:
    ``war = accuracy = sum_c tp_c / N``; ``uar = mean of tp_c / n_c`` over the classes with n_c > 0; ``weighted_f1 =
    sum_c (n_c / N) 2 tp_c / (2 tp_c + fp_c + fn_c)``, where a class that is neither true nor said adds 0. The last
    equals scikit-learn's ``f1_score(average="weighted", zero_division=0)``.

    With several folds each number is computed in each fold, and what stands under the plain name is the mean of the
    fold values, every fold alike; pooling the samples would give slightly different ones.

    No answer (None), or a label outside the vocabulary, is wrong: it stays in N and in n_c of the true class, and is
    never a class of its own. Labels compare as they stand.

    Source: jiangxingxun/DFEW, ``DataDistributedParallel/libs/model_metrics.py`` (WAR, UAR); sunlicai/HiCMAE,
    ``run_class_finetuning_av.py`` (both, on MAFW and CREMA-D); declare-lab/MELD, ``baseline/baseline.py``, and
    zeroQiaoba/MERTools, ``MER2024/toolkit/dataloader/mer2024.py`` (weighted F1).

    Args:
        truth: N true labels, all in the vocabulary.
        said: N predicted labels; None where there is no readable answer.
        vocabulary: the C labels.
        folds: name of the fold of each sample; without it all are one fold.

    Returns:
        ``accuracy``, ``war`` (the same number), ``uar``, ``weighted_f1``, all 0..1; then ``recall/<label>`` over the
        samples of all folds together, None for a label that is never true; then, if there are two folds or more,
        ``fold/<name>/war``, ``fold/<name>/uar`` and ``fold/<name>/weighted_f1``.

    Raises:
        ValueError: no sample, lists of different length, a vocabulary that names a label twice, or a true label
            outside of it.
    """
    fold_number, fold = _fold_numbers(truth, said, folds)
    true, voiced, right = _counts(*_class_numbers(truth, said, vocabulary), fold, (len(fold_number), len(vocabulary)))
    by_fold = _fold_scores(true, voiced, right)
    scores: dict[str, float | None] = {"accuracy": float(by_fold["war"].mean())}
    scores.update({name: float(values.mean()) for name, values in by_fold.items()})
    for label, n, tp in zip(vocabulary, true.sum(axis=0), right.sum(axis=0), strict=True):
        scores[f"recall/{label}"] = float(tp / n) if n else None
    if len(fold_number) > 1:
        scores.update({f"fold/{f}/{name}": float(by_fold[name][n]) for f, n in fold_number.items() for name in by_fold})
    return scores


def drawn_classification(
    truth: Sequence[str], said: Sequence[str | None], vocabulary: Sequence[str], folds: Sequence[str], name: str
) -> Callable[[NDArray[np.int64]], float]:
    """One number of :func:`classification_scores` as a function of (n,) numbers of drawn samples; raises as it does.

    A fold of which no sample is drawn is left out, as in a smaller test set.
    """
    fold_number, fold = _fold_numbers(truth, said, folds)
    true, voiced = _class_numbers(truth, said, vocabulary)
    shape = len(fold_number), len(vocabulary)

    def score(drawn: NDArray[np.int64]) -> float:
        counts = _counts(true[drawn], voiced[drawn], fold[drawn], shape)
        there = counts[0].any(axis=1)
        return float(_fold_scores(*(count[there] for count in counts))["war" if name == "accuracy" else name].mean())

    return score


def _fold_numbers(
    truth: Sequence[str], said: Sequence[str | None], folds: Sequence[str] | None
) -> tuple[dict[str, int], NDArray[np.int64]]:
    """The folds by name, and (N,) the fold of each sample."""
    names = [""] * len(truth) if folds is None else list(folds)
    if not truth or not len(truth) == len(said) == len(names):
        raise ValueError(
            f"labels: as many true as predicted ones wanted, with a fold each and at least one sample, "
            f"got {len(truth)} true, {len(said)} predicted, {len(names)} folds"
        )
    fold_number = {name: f for f, name in enumerate(dict.fromkeys(names))}
    return fold_number, np.array([fold_number[name] for name in names])


def _class_numbers(
    truth: Sequence[str], said: Sequence[str | None], vocabulary: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) true and predicted class numbers; -1 is no class."""
    number = {label: c for c, label in enumerate(vocabulary)}
    if len(number) != len(vocabulary):
        raise ValueError(f"vocabulary: labels that differ wanted, got {list(vocabulary)}")
    unknown = set(truth) - number.keys()
    if unknown:
        raise ValueError(f"truth: labels of the vocabulary wanted, got {sorted(unknown)}")
    voiced = [-1 if label is None else number.get(label, -1) for label in said]
    return np.array([number[label] for label in truth]), np.array(voiced)


def _counts(
    truth: NDArray[np.int64], said: NDArray[np.int64], fold: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(F, C) how often each class is true, said, and rightly said, in each fold."""
    true_cell, said_cell = fold * shape[1] + truth, fold * shape[1] + said
    cells = (true_cell, said_cell[said >= 0], true_cell[truth == said])
    true, voiced, right = (np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape) for cell in cells)
    return true, voiced, right


def _fold_scores(
    true: NDArray[np.int64], said: NDArray[np.int64], right: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """(F,) each; 2 tp + fp + fn is how often the class is true and said together."""
    n = true.sum(axis=1)
    recall = right / np.maximum(true, 1)
    f1 = 2 * right / np.maximum(true + said, 1)
    return {
        "war": right.sum(axis=1) / n,
        "uar": recall.sum(axis=1) / (true > 0).sum(axis=1),
        "weighted_f1": (true * f1).sum(axis=1) / n,
    }


def typed_accuracy(correct: ArrayLike, types: Sequence[str], known: Sequence[str] = ()) -> dict[str, float | None]:
    """Share of right answers: overall, and by type of question; both are micro averages over questions.

    ``accuracy = right / N`` over all questions, not the mean of the types. Source: AlyssaYoung/AVQA,
    ``HAVF/hcrn_havf/validate.py`` (``validate``), which divides by zero where a type is absent; here such a type is
    None. An unreadable answer is a wrong one and stays in the denominator.

    Args:
        correct: (N,) whether each answer is right.
        types: type of each question; one without a type has "" and counts in ``accuracy`` only.
        known: types that get a number even if there is no such question, such as :data:`QUESTION_TYPES`.

    Returns:
        ``accuracy``, then the known types, then others in the order in which they appear.

    Raises:
        ValueError: no question, not one type for each, answers other than right or wrong, or a type called
            ``accuracy``.
    """
    right = np.asarray(correct, dtype=np.float64)
    if right.ndim != 1 or not right.size or len(types) != right.size:
        raise ValueError(f"types: one per answer wanted, got {len(types)} for answers of shape {right.shape}")
    if not np.isin(right, (0, 1)).all():
        raise ValueError(f"correct: right (1) or wrong (0) wanted, got {right.min()} to {right.max()}")
    if "accuracy" in {*types, *known}:
        raise ValueError("types: any name but accuracy wanted, which is the number over all questions")
    kind = np.array(types, dtype=np.str_)
    numbers: dict[str, float | None] = {"accuracy": float(right.mean())}
    for name in dict.fromkeys((*known, *types)):
        if name:
            of_type = right[kind == name]
            numbers[name] = float(of_type.mean()) if of_type.size else None
    return numbers

"""Answer accuracy of MUSIC-AVQA: over all questions, by modality, and by kind of question."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CELLS", "answer_accuracy", "normalise"]

CELLS = (
    ("Audio", "Counting"), ("Audio", "Comparative"),
    ("Visual", "Counting"), ("Visual", "Location"),
    ("Audio-Visual", "Existential"), ("Audio-Visual", "Counting"), ("Audio-Visual", "Location"),
    ("Audio-Visual", "Comparative"), ("Audio-Visual", "Temporal"),
)  # fmt: skip
"""The nine (modality, kind) cells of the official table."""


def normalise(text: str) -> str:
    """Bring an answer word to one form: lower case, ``_`` as space, single spaces, no final full stop.

    The official metric compares class numbers; a text model needs a rule. It forgives spelling that carries no
    meaning (``Acoustic_guitar.`` is ``acoustic guitar``), nothing more: ``no`` is not ``piano`` (the substring rule of
    GeWu-Lab/MokA, ``AudioVisualText/scripts/evaluation/avqa_eval.py``, is not followed). Applied twice it changes
    nothing more.
    """
    return " ".join(text.replace("_", " ").lower().split()).rstrip(". ")


def answer_accuracy(correct: ArrayLike, types: Sequence[tuple[str, str]]) -> dict[str, float | None]:
    """Share of right answers: overall, per modality, per (modality, kind) cell; all are micro averages over questions.

    ``accuracy = right / N`` over all questions, not the mean of the cells; ``Audio``, ``Visual`` and ``Audio-Visual``
    likewise over all questions of that modality. Source: GeWu-Lab/MUSIC-AVQA, ``net_grd_avst/main_avst.py``
    (``test``), which prints the same numbers times 100 and divides by zero where a cell is empty; here such a cell is
    None. An unreadable answer is a wrong one and stays in the denominator.

    Args:
        correct: (N,) whether each answer is right.
        types: N pairs (modality, kind), such as ``("Audio-Visual", "Existential")``; cells beyond the official nine
            get their own numbers.

    Returns:
        ``accuracy``, then the three modalities, then cells as ``"Audio-Visual/Existential"``.

    Raises:
        ValueError: no question, or not one pair for each.
    """
    right = np.asarray(correct, dtype=np.float64)
    if right.ndim != 1 or not right.size or len(types) != right.size:
        raise ValueError(f"types: one pair per answer wanted, got {len(types)} for answers of shape {right.shape}")
    modality = np.array([kind[0] for kind in types], dtype=np.str_)
    cell = np.array(["/".join(kind) for kind in types], dtype=np.str_)
    numbers: dict[str, float | None] = {"accuracy": float(right.mean())}
    for name in dict.fromkeys((*(kind[0] for kind in CELLS), *modality.tolist())):
        numbers[name] = _mean(right[modality == name])
    for name in dict.fromkeys((*map("/".join, CELLS), *cell.tolist())):
        numbers[name] = _mean(right[cell == name])
    return numbers


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None

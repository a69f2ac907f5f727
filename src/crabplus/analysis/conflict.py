"""Before training: which keys will pull the shared adapter the same way, and which against each other.

Predicted transfer of key i is the mean debiased cosine of its gradient with those of the other keys:

    predicted(i) = mean over j != i of debiased(i, j)                    (crabplus.analysis.agreement)

Beside it stands the pull of the others, in a step on all keys together, where key j has weight w_j, its share of the
target tokens (the trainer's loss is a mean over tokens): by how many times its own part of the step they change what
the step takes off its loss, to first order. Above 0 they help, at -1 they undo it.

    pull(i) = sum over j != i of w_j <g_i, g_j>  /  (w_i <g_i, g_i>)

Both say what a plain gradient step does at one adapter. Adam divides each number by its own scale, training moves on,
and a lower loss is not a higher score: compare with what was measured (:mod:`crabplus.analysis.trust`) before relying
on them.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crabplus.analysis.agreement import NOISY, Agreement, FloatArray, agreement
from crabplus.analysis.gradients import Gradients, gradients, warmup_of
from crabplus.analysis.grouping import STRUCTURE, TOGETHER, group
from crabplus.analysis.pieces import Piece
from crabplus.analysis.trust import MeasuredError, compare
from crabplus.data.scan import TOKENS, Track, mark_of, untracked
from crabplus.tasks import get_task
from crabplus.train.plan import Plan
from crabplus.train.record import circumstances
from crabplus.whole import write_whole

CONFLICT = "conflict.json"
PREDICTORS = ("predicted", "pull")
"""Both are compared with what is measured; the first is the prediction."""


class ConflictError(ValueError):
    """A folder that holds another analysis, or a damaged one; the message names it and the remedy."""


def predict(
    plan: Plan, out: Path, batches: int, warmup: int | None = None, limit: float = 8 * 2**30, fresh: bool = False,
    track: Track = untracked,
) -> dict[str, Any]:  # fmt: skip
    """What ``conflict.json`` holds; taken from ``out`` where it is there already, for gradients are dear.

    Args:
        plan: from :func:`crabplus.train.check`; out: folder; fresh: leave what it holds and compute anew.
        batches, warmup, limit: see :func:`crabplus.analysis.gradients.gradients`; no warmup: as ``warmup_of`` says.

    Raises:
        ConflictError: the folder holds gradients of other settings. Further as ``gradients``.
    """
    warmup = warmup_of(plan) if warmup is None else warmup
    mark = mark_of(plan.config.model_dump(mode="json", exclude={"out", "cache"}), plan.hashes, batches, warmup)
    found = None if fresh else _saved(out / CONFLICT, mark)
    if found is not None:
        return found
    taken = gradients(plan, batches, warmup, limit, track)
    made = {"mark": mark, **circumstances(), **conflict(taken, _weights(plan)), "settings": _settings(plan, taken)}
    write(out, made)
    return made


def write(out: Path, made: Mapping[str, Any]) -> None:
    """Write ``conflict.json`` into a folder, whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / CONFLICT, (json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def measure(made: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The same with ``measured``: how far the prediction was right (:func:`crabplus.analysis.trust.compare`).

    Args:
        path: ``transfer.json`` of ``crabplus transfer``.

    Raises:
        MeasuredError: it is damaged, or has none of the keys.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        trusted = {name: compare({key: row[name] for key, row in made["keys"].items()}, content) for name in PREDICTORS}
    except MeasuredError as error:
        raise MeasuredError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeasuredError(f"{path} is no transfer.json of 'crabplus transfer RUNS...': {error!r}") from error
    return {**made, "measured": {"file": path.as_posix(), **trusted}}


def conflict(taken: Gradients, weights: Sequence[float]) -> dict[str, Any]:
    """Matrices, grouping and prediction from the inner products alone, as plain values.

    Args:
        weights: (K,) share of each key among the target tokens.
    """
    keys = taken.keys
    whole = agreement(total(taken.grams.values()))
    grouping = group(whole.debiased)
    predicted, pull = _predicted(whole), _pull(whole, np.asarray(weights))
    groups = {number: place for place, numbers in enumerate(grouping.groups) for number in numbers}
    return {
        "keys": {
            key: {
                "family": get_task(key).family, "loss": taken.losses.get(key), "weight": float(weights[n]),
                "itself": _plain(whole.itself[n]), "noisy": not whole.itself[n] >= NOISY,
                "predicted": _plain(predicted[n]), "pull": _plain(pull[n]), "group": groups[n] + 1,
            }
            for n, key in enumerate(keys)
        },
        "groups": [[keys[number] for number in numbers] for numbers in grouping.groups],
        "grouping": {
            "least": grouping.least, "silhouettes": {str(n): value for n, value in grouping.silhouettes.items()},
            "structure": STRUCTURE, "together": TOGETHER,
        },
        "whole": _matrices(whole),
        "layers": _views(taken.grams, lambda piece: piece.place),
        "projections": _views(taken.grams, lambda piece: piece.module),
        "kinds": _views(taken.grams, lambda piece: piece.kind),
        "pieces": _pieces(taken.grams),
        "measured": None,
    }  # fmt: skip


def total(grams: Iterable[FloatArray]) -> FloatArray:
    """Inner products of gradients that are laid end to end: the sum of those of their pieces."""
    return np.sum(list(grams), axis=0)


def _views(grams: Mapping[Piece, FloatArray], name: Callable[[Piece], str]) -> list[dict[str, Any]]:
    """One agreement for all pieces of the same name."""
    found: dict[str, list[FloatArray]] = {}
    for piece, gram in grams.items():
        found.setdefault(name(piece), []).append(gram)
    return [{"name": name, **_matrices(agreement(total(parts)))} for name, parts in found.items()]


def _matrices(found: Agreement) -> dict[str, Any]:
    matrices = {"cosine": found.cosine, "debiased": found.debiased, "ceiling": found.ceiling}
    return {
        **found.figures(), **{name: _rows(matrix) for name, matrix in matrices.items()},
        "clear": found.clear.tolist(), "itself": [_plain(value) for value in found.itself],
    }  # fmt: skip


def _pieces(grams: Mapping[Piece, FloatArray]) -> list[dict[str, Any]]:
    """Of every piece its place, its share of the squared length of all gradients, and its figures."""
    lengths = {piece: float(np.trace(gram)) for piece, gram in grams.items()}
    whole = sum(lengths.values()) or 1.0
    return [
        {
            "place": piece.place, "projection": piece.projection, "module": piece.module, "kind": piece.kind,
            "size": piece.size, "share": lengths[piece] / whole, **agreement(gram).figures(),
        }
        for piece, gram in grams.items()
    ]  # fmt: skip


def _predicted(whole: Agreement) -> FloatArray:
    """Mean over the other keys that are not too noisy; NaN where there is none."""
    others = whole.debiased.copy()
    np.fill_diagonal(others, np.nan)
    known = np.isfinite(others)
    counts = known.sum(1)
    return np.where(counts > 0, np.where(known, others, 0).sum(1) / np.maximum(counts, 1), np.nan)


def _pull(whole: Agreement, weights: FloatArray) -> FloatArray:
    """Of the other keys on each, in units of its own part; NaN of keys that are too noisy."""
    weighed = whole.products * weights
    own = np.diag(weighed).copy()
    own[~(whole.itself >= NOISY)] = np.nan
    np.fill_diagonal(weighed, 0)
    return np.asarray(weighed.sum(1) / own)


def _weights(plan: Plan) -> list[float]:
    """Share of each key among the target tokens of an epoch."""
    targets = plan.found.tokens[:, TOKENS.index("target")]
    tokens = [
        plan.share[key] * float(targets[first : first + plan.samples.sizes[key]].mean())
        for key, first in plan.samples.firsts.items()
    ]
    return [count / sum(tokens) for count in tokens]


def _settings(plan: Plan, taken: Gradients) -> dict[str, Any]:
    return {
        "config": plan.config.model_dump(mode="json"), "warmup": taken.warmup, "batches": taken.batches,
        "batch": taken.batch, "passes": taken.passes, "parameters": taken.parameters, "kept_bytes": taken.kept,
        "samples": plan.samples.sizes, "hashes": plan.hashes,
    }  # fmt: skip


def _saved(path: Path, mark: str) -> dict[str, Any] | None:
    """An analysis that is there, of the same settings."""
    if not path.is_file():
        return None
    try:
        made = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConflictError(f"{path} is damaged; compute it anew with --fresh") from error
    if made.get("mark") != mark:
        raise ConflictError(
            f"{path} holds gradients of another config, other data, --batches or --warmup; name another --out, or "
            "compute it anew with --fresh"
        )
    return made


def _rows(matrix: FloatArray) -> list[list[float | None]]:
    return [[_plain(value) for value in row] for row in matrix]


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None

"""Scores of s4, ms3 and ref_avs by masks: the official J and F, and S of expressions that refer to nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.datasets.masks import read_mask
from crabplus.evaluate import EvaluationError, answer_of
from crabplus.metrics import ref_avs
from crabplus.metrics.avsbench import batch_means, frame_curves
from crabplus.metrics.bootstrap import interval
from crabplus.schema import Answer, ObjectsAnswer, Prediction, Sample, Score
from crabplus.segment.folder import MaskFolder, MaskLine, answer_mark, read_union
from crabplus.tasks import get_task

__all__ = ["RULES", "Rule", "by_masks"]


@dataclass(frozen=True)
class Rule:
    """How the official code of a key measures: J's cut, frames of a batch, and pixels of a frame's sides.

    ``side`` None: the true mask's own size.
    """

    cut: float
    batch_frames: int
    side: int | None = None


REF_SIDE = 256
RULES = {
    "s4": Rule(0.5, 20), "ms3": Rule(0.5, 20), "ref_avs": Rule(ref_avs.FOREGROUND, ref_avs.BATCH_FRAMES, REF_SIDE),
}  # fmt: skip


@dataclass(frozen=True)
class _Frame:
    """A sample, what was answered, and the line of its masks; None where there is none."""

    sample: Sample
    answer: Answer | None
    line: MaskLine | None

    @property
    def lost(self) -> bool:
        """Whether nothing is known of it: no answer, no line, or one with an error."""
        return self.answer is None or self.line is None or self.line.error is not None

    @property
    def null(self) -> bool:
        """Whether the expression refers to nothing, so that there is no true mask to compare with."""
        return self.sample.task == "ref_avs" and self.sample.meta.get("category") == "null"


def by_masks(
    scores: Mapping[str, Score], samples: Sequence[Sample], predictions: Sequence[Prediction], masks: Path, data: Path,
    *, rounds: int = 1000, seed: int = 0,
) -> dict[str, Score]:  # fmt: skip
    """The scores, with J as the main metric of the keys that have true masks; the numbers of boxes go to ``others``.

    The masks of one picture are united (the greatest score of each pixel) and brought to the size of the true mask,
    bilinear; for ref_avs both are brought to 256 x 256, as in the official code. Whatever has no mask, because there is
    no answer, no line or an error, is an empty mask for J and F, and a full one for S, where an empty one would be
    right. Nothing is dropped. A key of null expressions alone keeps its metric and has S in ``others``.

    Args:
        scores: from :func:`crabplus.evaluate.evaluate`; keys without true masks stay as they are.
        samples: in the order of the data, in which frames form batches; predictions: as they were given there.
        masks: folder that ``crabplus segment`` wrote; data: folder of the samples, from which true masks are found.
        rounds: draws of the bootstrap behind ``ci95``; seed: of these draws.

    Raises:
        EvaluationError: masks of other answers, or a sample without a true mask; names it.
    """
    folder = MaskFolder(masks)
    folder.read()
    if not folder.lines:
        raise EvaluationError(f"{masks}: no masks.jsonl with a line in it; make masks first: crabplus segment")
    said = {(prediction.task, prediction.id): prediction for prediction in predictions}
    made = dict(scores)
    for key in scores.keys() & RULES.keys():
        frames = [
            _frame(sample, said.get((key, sample.id)), folder.lines.get((key, sample.id)))
            for sample in samples
            if sample.task == key
        ]
        made[key] = _by_masks(scores[key], RULES[key], frames, masks, data, rounds, seed)
    return made


def _frame(sample: Sample, prediction: Prediction | None, line: MaskLine | None) -> _Frame:
    answer = answer_of(sample, prediction)
    if prediction is not None and line is not None and line.answer != answer_mark(answer):
        raise EvaluationError(
            f"{sample.task}: the masks of {sample.id!r} were made from another answer than that of the predictions; "
            "make them anew: crabplus segment"
        )
    return _Frame(sample, answer, line)


def _by_masks(
    score: Score, rule: Rule, frames: Sequence[_Frame], masks: Path, data: Path, rounds: int, seed: int
) -> Score:
    null, seen = [f for f in frames if f.null], [f for f in frames if not f.null]
    others = {**score.others, score.metric: score.score}
    others["masks_missing"] = sum(f.line is None for f in frames)
    others["masks_errors"] = sum(f.line is not None and f.line.error is not None for f in frames)
    if null:
        others |= ref_avs.null_s(_marked(masks, frame) for frame in null)
    if not seen:
        return replace(score, others=others, notes=(*score.notes, "S of masks: lower is better"))
    truth = _Truth(data, rule.side)
    jaccard, curves = frame_curves(_said(masks, seen, truth), map(truth.mask, seen), rule.cut)
    found = batch_means(jaccard, curves, rule.batch_frames)
    return replace(
        score, metric="J", score=found["J"], constant=_constant(seen, truth, rule),
        ci95=interval(lambda drawn: _mean(jaccard[drawn], rule), len(seen), seed, rounds),
        others={**others, "F": found["F"]}, notes=(*score.notes, *_notes(rule, seen, curves)),
    )  # fmt: skip


def _notes(rule: Rule, seen: Sequence[_Frame], curves: NDArray[np.float64]) -> list[str]:
    size = f"{rule.side} x {rule.side}" if rule.side else "the true mask's size"
    notes = [
        f"J and F of masks, united by their greatest score, bilinear to {size}, in batches of {rule.batch_frames} "
        "frames, on which F depends"
    ]
    lucky = sum(frame.lost for frame, curve in zip(seen, curves, strict=True) if np.isnan(curve[0]))
    return notes + ([f"{lucky} frames without a mask show nothing, where an empty mask is right"] if lucky else [])


class _Truth:
    """The true masks."""

    def __init__(self, data: Path, side: int | None) -> None:
        self.data, self.side = data, side

    def mask(self, frame: _Frame) -> NDArray[np.bool_]:
        """(H, W) what is foreground; as in the official code, where it is shrunk a pixel is if any of it is."""
        path = frame.sample.meta.get("mask")
        if path is None:
            raise EvaluationError(
                f"{frame.sample.task}: sample {frame.sample.id!r} has no true mask; build the split from the original "
                f"files: crabplus build {frame.sample.task}"
            )
        found = read_mask(self.data / path)
        if self.side is None:
            return found
        shrunk = cv2.resize(found.astype(np.uint8) * 255, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        mask: NDArray[np.bool_] = shrunk > 0
        return mask


def _said(masks: Path, frames: Sequence[_Frame], truth: _Truth) -> Iterator[NDArray[np.float32] | None]:
    """The predicted scores of each frame at the size of its true mask; None for an empty one."""
    for frame in frames:
        yield _united(masks, frame, truth.mask(frame).shape)


def _united(masks: Path, frame: _Frame, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    scores = read_union(masks, frame.line) if frame.line else None
    if scores is None or scores.shape == shape:
        return scores
    resized: NDArray[np.float32] = cv2.resize(scores, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return resized


def _marked(masks: Path, frame: _Frame) -> NDArray[np.float32]:
    """What is marked although there is nothing; all of it where that is not known."""
    shape = (REF_SIDE, REF_SIDE)
    found = None if frame.lost else _united(masks, frame, shape)
    return np.full(shape, frame.lost, np.float32) if found is None else found


def _constant(frames: Sequence[_Frame], truth: _Truth, rule: Rule) -> float:
    """J of the best constant answer, its boxes drawn as masks."""
    samples = [frame.sample for frame in frames]
    return max(
        _mean(frame_curves((_drawn(answer, truth.mask(f).shape) for f in frames), map(truth.mask, frames))[0], rule)
        for answer in get_task(samples[0].task).constants(samples)
    )


def _drawn(answer: Answer, shape: tuple[int, ...]) -> NDArray[np.float32]:
    mask, (height, width) = np.zeros(shape, np.float32), shape
    for thing in answer.objects if isinstance(answer, ObjectsAnswer) else ():
        if thing.box:
            x1, y1, x2, y2 = thing.box
            mask[round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)] = 1
    return mask


def _mean(jaccard: NDArray[np.float64], rule: Rule) -> float:
    """J of a data set: the mean of those of its batches."""
    size = rule.batch_frames
    return float(np.mean([jaccard[start : start + size].mean() for start in range(0, len(jaccard), size)]))

"""Spatial localisation: where in the picture the source of a sound is."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from crabplus.metrics.arig import box_iou, grounding
from crabplus.metrics.avsbench import plain_frames
from crabplus.schema import Answer, Box, Object, ObjectsAnswer, Sample
from crabplus.tasks import forms
from crabplus.tasks.base import Pair, Resampler, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_answer, read_object, read_objects, read_truth, to_units, write_answer, write_object

SIDE = 56  # pixels of the grid on which boxes are compared as masks
POINTS = 3  # on each thing, at most
STEPS = 5  # constant boxes are looked for on a grid of so many positions each way


class SourceGrounding(Task):
    """``arig``: name and box of the thing in a picture that makes the sound."""

    family = "spatial localisation"
    answers = ObjectsAnswer
    metric = "iou_0.5"
    opens = ("obj",)
    needs = frozenset({"picture", "sound"})

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, ObjectsAnswer)
        return "".join(write_object(thing, pack.canvas) for thing in answer.objects)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        thing, reason = read_object(text, pack.canvas)
        return ObjectsAnswer((thing,)) if thing else reason

    def form(self, sample: Sample, pack: Pack) -> str:
        return forms.thing(sample, pack)

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        return grounding(box_iou([_box(answer) for _, answer in pairs], [_box(sample.answer) for sample, _ in pairs]))

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        places = [step / (STEPS - 1) for step in range(STEPS)]
        boxes = [
            (x * (1 - side), y * (1 - side), x * (1 - side) + side, y * (1 - side) + side)
            for side in (0.25, 0.4, 0.6, 0.8)
            for x in places
            for y in places
        ]
        return [ObjectsAnswer((Object("object", box),)) for box in [*boxes, (0.0, 0.0, 1.0, 1.0)]]


class SourceMasks(Task):
    """``s4``, ``ms3``: each sounding thing with a box and points on it, from which a second stage makes masks.

    Without masks the answer is judged by its boxes, drawn as masks: J and F of each picture, averaged. These numbers
    are not the benchmark's, which judges masks, and have names of their own. No answer is 0 in both.
    """

    family = "spatial localisation"
    answers = ObjectsAnswer
    metric = "box_jaccard"
    opens: tuple[str, ...] = ("obj",)
    needs = frozenset({"picture", "sound"})

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, ObjectsAnswer)
        return "".join(write_object(thing, pack.canvas) for thing in answer.objects) or "<obj></obj>"

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        things, reason = read_objects(text, pack.canvas)
        return reason or ObjectsAnswer(tuple(things))

    def form(self, sample: Sample, pack: Pack) -> str:
        return f"(?:<obj></obj>|{forms.things(sample, pack, POINTS)})"

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        jaccard, f_measure = _box_values(pairs).mean(axis=0).tolist()
        return {"box_jaccard": jaccard, "box_f": f_measure}

    def resampler(self, pairs: Sequence[Pair]) -> Resampler:
        jaccard = _box_values(pairs)[:, 0]
        return lambda drawn: float(jaccard[drawn].mean())

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        middle = [(0.5 - side / 2, 0.5 - side / 2, 0.5 + side / 2, 0.5 + side / 2) for side in (0.4, 0.7, 1.0)]
        return [ObjectsAnswer(present=False), *(ObjectsAnswer((Object("object", box),)) for box in middle)]


class Referring(SourceMasks):
    """``ref_avs``: the thing that an expression means, or that there is no such thing in the picture."""

    takes_question = True
    opens = ("answer",)

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, ObjectsAnswer)
        things = "".join(write_object(thing, pack.canvas) for thing in answer.objects)
        return write_answer(str(answer.present).lower()) + things

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        there, unsaid = read_truth(text)
        things, unread = read_objects(text, pack.canvas)
        if there is False:
            return ObjectsAnswer(present=False)
        if there is None and read_answer(text)[0]:
            return unsaid
        if things:  # a box says that the thing is there, whether or not the word does
            return ObjectsAnswer(tuple(things))
        return (unread or "true, and no box") if there else unsaid

    def form(self, sample: Sample, pack: Pack) -> str:
        no, yes = (forms.one_of([write_answer(said)], pack) for said in ("false", "true"))
        return f"(?:{no}|{yes}{forms.things(sample, pack, POINTS)})"


def _box_values(pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """(N, 2) J and F of the boxes of each answer, drawn as masks; 0 where there is no answer."""
    values = plain_frames((_drawn(answer) for _, answer in pairs), (_drawn(sample.answer) for sample, _ in pairs))
    values[[answer is None for _, answer in pairs]] = 0.0
    return values


def _drawn(answer: Answer | None) -> NDArray[np.bool_]:
    """(SIDE, SIDE) where the boxes of an answer are."""
    mask = np.zeros((SIDE, SIDE), np.bool_)
    for thing in answer.objects if isinstance(answer, ObjectsAnswer) else ():
        if thing.box is not None:
            x1, y1, x2, y2 = to_units(thing.box, (SIDE, SIDE))
            mask[y1:y2, x1:x2] = True
    return mask


def _box(answer: Answer | None) -> Box | None:
    return answer.objects[0].box if isinstance(answer, ObjectsAnswer) and answer.objects else None


SPATIAL = (SourceGrounding("arig"), SourceMasks("s4"), SourceMasks("ms3"), Referring("ref_avs"))

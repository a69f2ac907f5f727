"""Spatial localisation: where in the picture the source of a sound is."""

from collections.abc import Mapping, Sequence

from crabplus.metrics.arig import box_iou, grounding
from crabplus.schema import Answer, Box, Object, ObjectsAnswer, Sample
from crabplus.tasks.base import Pair, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_object, write_object

STEPS = 5  # constant boxes are looked for on a grid of so many positions each way


class SourceGrounding(Task):
    """``arig``: name and box of the thing in a picture that makes the sound."""

    family = "spatial localisation"
    metric = "iou_0.5"
    needs = frozenset({"picture", "sound"})

    def write(self, answer: Answer, pack: Pack) -> str:
        assert isinstance(answer, ObjectsAnswer)
        return "".join(write_object(thing, pack.canvas) for thing in answer.objects)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        thing, reason = read_object(text, pack.canvas)
        return ObjectsAnswer((thing,)) if thing else reason

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


def _box(answer: Answer | None) -> Box | None:
    return answer.objects[0].box if isinstance(answer, ObjectsAnswer) and answer.objects else None


SPATIAL = (SourceGrounding("arig"),)

"""ARIG (Du et al. 2025): the box of what sounds, derived from the masks of AVSBench S4."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from crabplus.datasets.avsbench import S4
from crabplus.schema import Media, Object, ObjectsAnswer, Sample


class Arig(S4):
    """Frames of S4 with the box of all that is not zero in the mask, and the whole sound of the clip.

    Boxes end at the far edge of their last pixel; the public boxes of the test split name that pixel itself, which is
    one less of 224. Frames in which nothing sounds have no box and are no samples.
    """

    key = "arig"
    name = "ARIG"
    homepage = "https://github.com/GeWu-Lab/Crab"
    paper = "https://arxiv.org/abs/2503.13068"
    splits = {"train": None, "val": None, "test": 3694}  # 3700 frames, less 6 whose public box is empty

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """The frames of S4 in which something sounds."""
        silent = 0
        for sample in super().samples(root, split):
            things = sample.answer.objects if isinstance(sample.answer, ObjectsAnswer) else ()
            picture, sound = sample.media
            if things:
                media = (picture, Media("sound", "audio", sound.path))
                yield replace(sample, media=media, answer=ObjectsAnswer((_one(things),)))
            silent += not things
        self.note(silent, "frames in which nothing sounds are left out")


def _one(things: Sequence[Object]) -> Object:
    """All things as one, with their names and the box around them."""
    x1, y1, x2, y2 = zip(*(thing.box for thing in things if thing.box), strict=True)
    return Object(" and ".join(thing.label for thing in things), (min(x1), min(y1), max(x2), max(y2)))

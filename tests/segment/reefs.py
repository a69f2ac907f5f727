"""Tidepool's pictures with the true mask, box and points of the thing that sounds; the benchmark uses them too."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.datasets.masks import find_thing
from crabplus.schema import Object
from crabplus.tidepool import looks
from crabplus.tidepool.build import ask
from crabplus.tidepool.film import SIDE
from crabplus.tidepool.world import Scene, Thing, draw


@dataclass(frozen=True, eq=False)
class Reef:
    """A picture as a model gets it (a jpg, decoded), the thing with its true box and points, and its mask."""

    picture: NDArray[np.uint8]
    thing: Object
    mask: NDArray[np.bool_]
    kind: str
    size: float


def reefs(count: int, seed: int, split: str = "test") -> Iterator[Reef]:
    """Pictures of the questions of ``arig`` with these numbers."""
    for number in range(count):
        made = ask("arig", split, number, seed)
        source = made.scene.sources[0]
        assert source
        mask = mask_of(made.scene, source, made.time)
        thing = find_thing(mask, source.kind)
        assert thing
        yield Reef(shown(made.scene, made.time), thing, mask, source.kind, source.size)


def shown(scene: Scene, time: float) -> NDArray[np.uint8]:
    """The picture at a second, as Tidepool's jpg has it."""
    jpg = cv2.imencode(".jpg", draw(scene, [time], SIDE)[0][0][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    return np.ascontiguousarray(cv2.imdecode(jpg, cv2.IMREAD_COLOR)[..., ::-1])


def mask_of(scene: Scene, thing: Thing, time: float) -> NDArray[np.bool_]:
    """Where a thing is seen: what its sprite covers by more than half, and none that lies before it."""
    covers = [_covered(other, time) for other in scene.visible]
    mask = covers[scene.visible.index(thing)]
    for before in covers[scene.visible.index(thing) + 1 :]:
        mask = mask & ~before
    return mask


def _covered(thing: Thing, time: float) -> NDArray[np.bool_]:
    """White on black where the sprite is."""
    art, canvas = looks.sprite(thing.kind, thing.colour, thing.texture), np.zeros((SIDE, SIDE, 3), np.uint8)
    white = np.concatenate([np.repeat(art[..., 3:] * 255, 3, axis=2), art[..., 3:]], axis=2)
    x, y, tilt, _ = thing.at(time)
    looks.place(canvas, white, x * SIDE, y * SIDE, thing.size * SIDE, tilt)
    covered: NDArray[np.bool_] = canvas[..., 0] > 127
    return covered

"""The semantic release of AVSBench: masks that say the class of each pixel, as a number or as a colour."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crabplus.datasets.base import DatasetError
from crabplus.datasets.masks import find_thing, read_colours, read_numbers
from crabplus.schema import Object

CLASSES = (
    "background", "accordion", "airplane", "axe", "baby", "bassoon", "bell", "bird", "boat", "boy", "bus", "car", "cat",
    "cello", "clarinet", "clipper", "clock", "dog", "donkey", "drum", "duck", "elephant", "emergency-car", "erhu",
    "flute", "frying-food", "girl", "goose", "guitar", "gun", "guzheng", "hair-dryer", "handpan", "harmonica", "harp",
    "helicopter", "hen", "horse", "keyboard", "leopard", "lion", "man", "marimba", "missile-rocket", "motorcycle",
    "mower", "parrot", "piano", "pig", "pipa", "saw", "saxophone", "sheep", "sitar", "sorna", "squirrel", "tabla",
    "tank", "tiger", "tractor", "train", "trombone", "truck", "trumpet", "tuba", "ukulele", "utv", "vacuum-cleaner",
    "violin", "wolf", "woman",
)  # fmt: skip
"""In the order of their numbers in ``labels_semantic``; what is not background sounds."""


def find_classes(path: Path) -> tuple[Object, ...]:
    """What a mask file shows: one object for each class, in the order of their numbers.

    Args:
        path: of a file in ``labels_semantic``, of numbers, or in ``labels_rgb``, of colours.

    Raises:
        DatasetError: no such file, no picture, or a number or colour of no class.
    """
    classes = _classes_of_colours(path) if path.parent.name == "labels_rgb" else read_numbers(path)
    numbers = [int(number) for number in np.unique(classes)]
    if numbers[0] < 0 or numbers[-1] >= len(CLASSES):
        raise DatasetError(f"{path}: classes 0 to {len(CLASSES) - 1} wanted, got {numbers}")
    found = (find_thing(classes == number, CLASSES[number]) for number in numbers if number)
    return tuple(thing for thing in found if thing)


def _classes_of_colours(path: Path) -> NDArray[np.int64]:
    """(H, W) the number of the class of each pixel of a ``labels_rgb`` file."""
    colours = read_colours(path) @ np.array([1 << 16, 1 << 8, 1])
    known = np.array([_colour(number) for number in range(len(CLASSES))])
    order = known.argsort()
    classes: NDArray[np.int64] = order[np.searchsorted(known, colours, sorter=order).clip(max=len(known) - 1)]
    if (odd := known[classes] != colours).any():
        raise DatasetError(f"{path}: colour #{int(colours[odd][0]):06x} belongs to no class")
    return classes


def _colour(number: int) -> int:
    """The colour of a class, as 0xRRGGBB: its bits go to red, green and blue in turn, the highest bit of each first."""
    bits = ((bit, channel) for bit in range(8) for channel in range(3) if number >> (3 * bit + channel) & 1)
    return sum(1 << (8 * (2 - channel) + 7 - bit) for bit, channel in bits)

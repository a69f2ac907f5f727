"""Builds a folder of Tidepool samples in the AV-UIE v2 layout: an index per key and split, with media beside it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np

from crabplus.datasets.avuie import write
from crabplus.datasets.medialist import Spread
from crabplus.schema import Sample
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.film import write_clip, write_frame, write_mask, write_wav
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import media_of, to_sample
from crabplus.tidepool.perception import PERCEPTION
from crabplus.tidepool.world import LEVELS

SPLITS = ("train", "val", "test")
MAKERS = {**KEYS, **PERCEPTION}
_FILES = {"clip": "video/{}.mp4", "film": "video/{}.mp4", "frame": "image/{}.jpg", "sound": "audio/{}.wav"}


def build(
    out: Path, keys: Sequence[str], split: str, samples: int, seed: int, level: str = "standard",
    spread: Spread | None = None,
) -> Iterator[Sample]:  # fmt: skip
    """Write ``samples`` clips of each key; yields each sample once its files are there, then writes the index.

    The same seed gives the same annotation. Splits never share a scene: the split is part of every scene's seed.
    With ``spread`` a function of :func:`maker` makes the samples elsewhere, and they come in any order.

    Raises:
        ValueError: an unknown key, split or level, no samples, or a seed below 0; at once.
    """
    _check(keys, split, samples, seed, level)
    return _build(out, keys, split, samples, spread or partial(map, maker(out, split, seed)))


def maker(out: Path, split: str, seed: int) -> Callable[[tuple[str, int]], tuple[int, Sample]]:
    """Makes the sample with a key and number, and its files; gives it with its number."""
    return partial(_make, out, split, seed)


def _build(out: Path, keys: Sequence[str], split: str, samples: int, spread: Spread) -> Iterator[Sample]:
    for key in keys:
        made = {}
        for number, sample in spread((key, number) for number in range(samples)):
            made[number] = sample
            yield sample
        write(out, key, split, (made[number] for number in range(samples)))


def ask(key: str, split: str, number: int, seed: int) -> Ask:
    """The question with this number."""
    return MAKERS[key](np.random.default_rng((1, SPLITS.index(split), crc32(key.encode()), seed, number)))


def _make(out: Path, split: str, seed: int, which: tuple[str, int]) -> tuple[int, Sample]:
    key, number = which
    name = f"{key}-{split}-{seed}-{number:05d}"
    made = ask(key, split, number, seed)
    if made.marked is not None:
        mask = f"{key}/mask/{name}.png"
        (out / mask).parent.mkdir(parents=True, exist_ok=True)
        write_mask(out / mask, made)
        made = replace(made, meta={**made.meta, "mask": mask})
    paths = {entry: f"{key}/{_place(name, entry)}" for entry in made.show}
    for entry, path in paths.items():
        _film(out / path, entry, made)
    return number, to_sample(made, key, split, name, media_of(made, paths))


def _place(name: str, entry: str) -> str:
    """The file of what is shown, within the folder of the key."""
    return _FILES[entry.rstrip("2")].format(f"{name}-2" if entry.endswith("2") else name)


def _film(path: Path, entry: str, made: Ask) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = made.scene_of(entry)
    if entry.startswith("frame"):
        write_frame(path, scene, made.time)
    elif entry.startswith("sound"):
        write_wav(path, scene)
    else:
        write_clip(path, scene, with_sound=entry.startswith("clip"))


def _check(keys: Sequence[str], split: str, samples: int, seed: int, level: str) -> None:
    for name, value, known in (
        *(("key", key, tuple(MAKERS)) for key in keys), ("split", split, SPLITS), ("level", level, LEVELS),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"tidepool has no {name} {value!r}; it has {', '.join(known)}")
    if samples < 1:
        raise ValueError(f"samples: at least 1 wanted, got {samples}")
    if seed < 0:
        raise ValueError(f"seed: 0 or more wanted, got {seed}")

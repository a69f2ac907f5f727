"""Builds a folder of Tidepool samples in the AV-UIE v2 layout: an index per key and split, with media beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from crabplus.datasets.avuie import write
from crabplus.schema import Sample
from crabplus.tidepool.film import write_clip, write_frame, write_wav
from crabplus.tidepool.keys import KEYS, Ask
from crabplus.tidepool.live import media_of, to_sample
from crabplus.tidepool.perception import PERCEPTION
from crabplus.tidepool.world import LEVELS

SPLITS = ("train", "val", "test")
MAKERS = {**KEYS, **PERCEPTION}
_FILES = {"clip": "video/{}.mp4", "film": "video/{}.mp4", "frame": "image/{}.jpg", "sound": "audio/{}.wav"}


def build(
    out: Path, keys: Sequence[str], split: str, samples: int, seed: int, level: str = "standard"
) -> Iterator[Sample]:
    """Write ``samples`` clips of each key; yields each sample once its files are there, then writes the index.

    The same seed gives the same annotation. Splits never share a scene: the split is part of every scene's seed.

    Raises:
        ValueError: an unknown key, split or level, or no samples.
    """
    _check(keys, split, samples, level)
    for key in keys:
        made = []
        for number in range(samples):
            made.append(_make(out, key, split, number, seed))
            yield made[-1]
        write(out, key, split, made)


def ask(key: str, split: str, number: int, seed: int) -> Ask:
    """The question with this number."""
    return MAKERS[key](np.random.default_rng((1, SPLITS.index(split), crc32(key.encode()), seed, number)))


def _make(out: Path, key: str, split: str, number: int, seed: int) -> Sample:
    name = f"{key}-{split}-{seed}-{number:05d}"
    made = ask(key, split, number, seed)
    paths = {role: form.format(name) for role, form in _FILES.items()}
    media = media_of(made.show, {role: f"{key}/{path}" for role, path in paths.items()})
    for role in made.show:
        _film(out / key / paths[role], role, made)
    return to_sample(made, key, split, name, media)


def _film(path: Path, role: str, made: Ask) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if role == "frame":
        write_frame(path, made.scene, made.time)
    elif role == "sound":
        write_wav(path, made.scene)
    else:
        write_clip(path, made.scene, with_sound=role == "clip")


def _check(keys: Sequence[str], split: str, samples: int, level: str) -> None:
    for name, value, known in (
        *(("key", key, tuple(MAKERS)) for key in keys), ("split", split, SPLITS), ("level", level, LEVELS),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"tidepool has no {name} {value!r}; it has {', '.join(known)}")
    if samples < 1:
        raise ValueError(f"samples: at least 1 wanted, got {samples}")

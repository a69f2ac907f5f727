"""VGGSound (Chen et al. 2020) made into matching: which of two videos a sound belongs to, and the reverse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from crabplus.datasets.base import Dataset, DatasetError, read_rows
from crabplus.schema import ChoiceAnswer, Media, Sample
from crabplus.tasks.matching import WORDS

FILES = {"train": "train.csv", "test": "test.csv"}


class Clip(NamedTuple):
    """A clip of ten seconds, ``<id>_<start, six digits>``, and its class."""

    name: str
    label: str


class VggSound(Dataset):
    """Rows of file name and class without a header; each clip asks once, with another clip beside its own.

    No official benchmark asks this, and how upstream chose its pairs is not established. Here the other clip is drawn
    from the same split, by default from another class (option ``negative``: ``other class``, ``same class`` or
    ``any``; where a class has one clip alone, from any), and the right side is drawn too. Option ``seed`` fixes both:
    a pair depends on it and on the list alone. Sound is read from ``audio/<clip>.wav`` where that is, else out of the
    video.
    """

    name = "VGGSound"
    homepage = "https://github.com/hche11/VGGSound"
    paper = "https://arxiv.org/abs/2004.14368"
    licence = "CC BY 4.0"
    splits = {"train": 183730, "test": 15446}
    options = {
        "negative": ("other class", "same class", "any"),
        "seed": tuple(str(seed) for seed in range(10)),
    }
    needs = "train.csv and test.csv, and video/<id>_<start>.mp4"
    asks: Literal["video", "audio"]

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each clip."""
        clips = self._clips(self.find(root, FILES[split], f"data/{FILES[split]}"))
        classes: dict[str, list[int]] = {}
        for number, clip in enumerate(clips):
            classes.setdefault(clip.label, []).append(number)
        alone = 0
        for number, clip in enumerate(clips):
            rng = np.random.default_rng((int(self.chosen["seed"]), self.asks == "video", number))
            other = self._other(rng, number, clips, classes)
            alone += other is None
            if other is not None:
                yield self._sample(root, split, clip, clips[other], int(rng.integers(2)))
        self.note(alone, "clips without another one to stand beside: left out")

    def _clips(self, path: Path) -> list[Clip]:
        clips = []
        for line, (file, label) in read_rows(path, fields=2):
            name = file.removesuffix(".mp4")
            if len(name) != 18 or not name[-6:].isdecimal():
                raise DatasetError(f"{path}, line {line}: <11 characters>_<6 digits>.mp4 wanted, got {file!r}")
            clips.append(Clip(name, label.strip()))
        return clips

    def _other(
        self, rng: np.random.Generator, number: int, clips: list[Clip], classes: dict[str, list[int]]
    ) -> int | None:
        """The clip beside; drawn again until it fits, since nearly all do."""
        same, wanted = classes[clips[number].label], self.chosen["negative"]
        if wanted == "same class" and len(same) > 1:
            return next(n for n in rng.permutation(same).tolist() if n != number)
        if len(clips) < 2:
            return None
        strict = wanted == "other class" and len(classes) > 1
        while True:
            other = int(rng.integers(len(clips)))
            if other != number and not (strict and clips[other].label == clips[number].label):
                return other

    def _sample(self, root: Path, split: str, clip: Clip, other: Clip, right: int) -> Sample:
        given: Literal["video", "audio"] = "audio" if self.asks == "video" else "video"
        pair = (clip, other) if right == 0 else (other, clip)
        media = [self._media(root, clip, "given", given)]
        media += [self._media(root, c, role, self.asks) for c, role in zip(pair, ("first", "second"), strict=True)]
        labels = {f"{self.asks}{n + 1}_event": c.label for n, c in enumerate(pair)}
        return self.sample(
            self.distinct(clip.name), split, media=tuple(media), options=WORDS, answer=ChoiceAnswer(right),
            meta={f"{given}_event": clip.label, **labels},
        )  # fmt: skip

    def _media(self, root: Path, clip: Clip, role: str, kind: Literal["video", "audio"]) -> Media:
        film = self.place(root, f"{clip.name}.mp4", "video", "videos", "")
        if kind == "video":
            return Media(role, "video", film, sound="none")
        sound = f"audio/{clip.name}.wav"
        return Media(role, "audio", sound if (root / sound).is_file() else film)


class SoundToVideo(VggSound):
    """Which of two videos a sound belongs to."""

    key = "a2v"
    asks = "video"


class VideoToSound(VggSound):
    """Which of two sounds belongs to a video."""

    key = "v2a"
    asks = "audio"

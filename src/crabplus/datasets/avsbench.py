"""AVSBench (Zhou et al. 2022, 2023): five-second clips with masks of what sounds, one source (S4) or several (MS3).

Option ``release``: ``object`` is the first release, binary masks whose frames are numbered from 1; ``semantic`` is
the later one, where masks say the class of each pixel and frames are numbered from 0.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from crabplus.datasets.avsbench_classes import find_classes
from crabplus.datasets.base import Dataset, DatasetError, read_rows, read_table
from crabplus.datasets.masks import find_thing, read_mask, split_parts
from crabplus.schema import Media, Object, ObjectsAnswer, Sample

FRAMES = 5  # one each second
PART = 0.005  # share of the picture that a connected part of an MS3 mask has to cover, to be a thing of its own
SUBSETS = ("v1s", "v1m", "v2")
CATEGORIES = (
    "baby_laughter", "female_singing", "male_speech", "dog_barking", "cat_meowing", "lions_roaring",
    "horse_clip-clop", "coyote_howling", "mynah_bird_singing", "playing_acoustic_guitar", "playing_tabla",
    "playing_violin", "playing_piano", "playing_ukulele", "playing_glockenspiel", "helicopter", "race_car",
    "driving_buses", "ambulance_siren", "typing_on_computer_keyboard", "chainsawing_trees", "cap_gun_shooting",
    "lawn_mowing",
)  # fmt: skip
"""Of S4 in the object release."""


@dataclass(frozen=True)
class Clip:
    """The files of a clip: what stands before the number of the frame in the paths of pictures and masks.

    ``ending`` is that of pictures, masks are ``.png``; ``masks`` are the places of which the first that is there
    counts; ``first`` is the number of the first frame.
    """

    name: str
    picture: str
    ending: str
    masks: tuple[str, ...]
    sound: str
    first: int
    meta: dict[str, Any]


class AVSBench(Dataset):
    """What S4 and MS3 have in common: one sample for each frame that has a mask, with its second of the sound."""

    homepage = "https://github.com/OpenNLPLab/AVSBench"
    paper = "https://arxiv.org/abs/2207.05042"
    licence = "not stated for the data, which is given on application; code Apache-2.0"
    options = {"release": ("object", "semantic")}
    subset: ClassVar[str]
    tail: ClassVar[int]
    """Parts of the name of a clip of the semantic release behind the video id, which may hold ``_`` itself."""

    def __init__(self, **chosen: str) -> None:
        super().__init__(**chosen)
        self.semantic = self.chosen["release"] == "semantic"
        if self.semantic:  # how large its splits are could not be established
            self.splits = dict.fromkeys(self.splits)

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each frame with a mask; a clip that comes again is named ``<name>-2``."""
        for clip in self.semantic_clips(root, split) if self.semantic else self.object_clips(root, split):
            name = self.distinct(clip.name)
            for second in range(self.masked(split)):
                yield self._frame(root, split, f"{name}/{clip.first + second}", clip, second)

    def masked(self, split: str) -> int:
        """How many frames of a clip have a mask, from its first one."""
        return FRAMES

    @abstractmethod
    def object_clips(self, root: Path, split: str) -> Iterator[Clip]:
        """The clips of a split in the object release."""

    @abstractmethod
    def object_things(self, mask: Path, category: str | None) -> tuple[Object, ...]:
        """What a mask of the object release shows."""

    def semantic_clips(self, root: Path, split: str) -> Iterator[Clip]:
        """The clips of a split in the semantic release, whose table holds S4, MS3 and further clips."""
        path, others = self.find(root, "metadata.csv"), Counter[str]()
        for line, row in read_table(path, "uid", "split", "label"):
            uid, subset = row["uid"], row["label"]
            if subset not in SUBSETS:
                raise DatasetError(f"{path}, line {line}: label is one of {', '.join(SUBSETS)}, not {subset!r}")
            if subset != self.subset:
                others[subset] += 1
            elif self.is_of(split, row["split"], path, line):
                if len(parts := uid.rsplit("_", self.tail)) <= self.tail or not all(parts):
                    raise DatasetError(f"{path}, line {line}: a video id and {self.tail} parts wanted, got {uid!r}")
                meta = {"vid": parts[0], "uid": uid, "category": row.get("a_obj", "")}
                place = f"{subset}/{uid}"
                masks = (f"{place}/labels_semantic/", f"{place}/labels_rgb/")
                yield Clip(uid, f"{place}/frames/", ".jpg", masks, f"{place}/audio.wav", 0, meta)
        for subset, count in sorted(others.items()):
            self.note(count, f"rows of {subset} are not {self.name}")

    def is_of(self, split: str, said: str, path: Path, line: int) -> bool:
        """Whether a row is of a split; one of no split is an error."""
        if said not in self.splits:
            raise DatasetError(f"{path}, line {line}: split is one of {', '.join(self.splits)}, not {said!r}")
        return said == split

    def _frame(self, root: Path, split: str, name: str, clip: Clip, second: int) -> Sample:
        number = clip.first + second
        mask = self.find(root, *(f"{before}{number}.png" for before in clip.masks))
        things = find_classes(mask) if self.semantic else self.object_things(mask, clip.meta.get("category"))
        picture = Media("frame", "image", f"{clip.picture}{number}{clip.ending}")
        sound = Media("sound", "audio", clip.sound, second, second + 1)
        meta = {**clip.meta, "frame": number, "mask": mask.relative_to(root).as_posix()}
        return self.sample(name, split, media=(picture, sound), answer=ObjectsAnswer(things), meta=meta)


class S4(AVSBench):
    """One source; of a clip to train on only the first frame has a mask. Masks in which nothing is have no objects.

    In the object release the thing is named by the category (``dog barking``), in the semantic one by its class, and
    each class of a mask is one object.
    """

    key = "s4"
    name = "AVSBench S4"
    splits = {"train": 3452, "val": 3700, "test": 3700}  # of 3452, 740 and 740 clips
    needs = (
        "Single-source/s4_meta_data.csv and Single-source/s4_data/{visual_frames,gt_masks,audio_wav} (object), or "
        "metadata.csv and v1s/<uid>/{frames,labels_semantic,audio.wav} (semantic)"
    )
    subset = "v1s"
    tail = 2

    def masked(self, split: str) -> int:
        return 1 if split == "train" else FRAMES

    def object_clips(self, root: Path, split: str) -> Iterator[Clip]:
        """Columns are read by their position, since the name of the second is not known."""
        path = self.find(root, "Single-source/s4_meta_data.csv", "s4_meta_data.csv")
        data = (path.parent.relative_to(root) / "s4_data").as_posix()
        for line, row in read_rows(path):
            if len(row) < 4 or not row[0]:
                raise DatasetError(f"{path}, line {line}: name, start, category and split wanted, got {row}")
            name, _, category, said = row[:4]
            if (line == 1 and said == "split") or not self.is_of(split, said, path, line):
                continue
            if category not in CATEGORIES:
                raise DatasetError(f"{path}, line {line}: {category!r} is none of the {len(CATEGORIES)} categories")
            place, meta = f"{split}/{category}/{name}", {"vid": name, "uid": name, "category": category}
            pictures, masks = f"{data}/visual_frames/{place}/{name}_", f"{data}/gt_masks/{place}/{name}_"
            yield Clip(name, pictures, ".png", (masks,), f"{data}/audio_wav/{place}.wav", 1, meta)

    def object_things(self, mask: Path, category: str | None) -> tuple[Object, ...]:
        thing = find_thing(read_mask(mask), str(category).replace("_", " "))
        return (thing,) if thing else ()


class MS3(AVSBench):
    """Several sources, which may fall silent: masks in which nothing is have no objects.

    The object release does not say what is what: each connected part of a mask that covers at least 0.5 % of the
    picture is an object, named ``object``; where none does, the mask as a whole is. In the semantic release each class
    of a mask is one object with its name.
    """

    key = "ms3"
    name = "AVSBench MS3"
    splits = {"train": None, "val": None, "test": 320}  # of 424 clips, 64 are for testing
    needs = (
        "Multi-sources/ms3_meta_data.csv and Multi-sources/ms3_data/{visual_frames,gt_masks,audio_wav} (object), or "
        "metadata.csv and v1m/<uid>/{frames,labels_semantic,audio.wav} (semantic)"
    )
    subset = "v1m"
    tail = 1

    def object_clips(self, root: Path, split: str) -> Iterator[Clip]:
        """The first column, whose name is not known, is the clip. Pictures have no folder for each split."""
        path = self.find(root, "Multi-sources/ms3_meta_data.csv", "ms3_meta_data.csv")
        data = (path.parent.relative_to(root) / "ms3_data").as_posix()
        for line, row in read_table(path, "split"):
            name = next(iter(row.values()))
            if not name:
                raise DatasetError(f"{path}, line {line}: the name of a clip wanted, got {list(row.values())}")
            if self.is_of(split, row["split"], path, line):
                pictures, masks = f"{data}/visual_frames/{name}/{name}.mp4_", f"{data}/gt_masks/{split}/{name}/{name}_"
                sound, meta = f"{data}/audio_wav/{split}/{name}.wav", {"vid": name, "uid": name}
                yield Clip(name, pictures, ".png", (masks,), sound, 1, meta)

    def object_things(self, mask: Path, category: str | None) -> tuple[Object, ...]:
        found = (find_thing(part, "object") for part in split_parts(read_mask(mask), PART))
        return tuple(thing for thing in found if thing)

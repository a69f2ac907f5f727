"""Ref-AVS (Wang et al. 2024): ten-second clips in which an expression refers to a thing, or to none that is there."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from crabplus.datasets.base import Dataset, DatasetError, read_table
from crabplus.datasets.masks import find_thing, read_mask
from crabplus.schema import Media, Object, ObjectsAnswer, Sample

FRAMES = 10  # one each second, numbered from 0
UNFINISHED = "TODO"  # the split that metadata.csv itself gives to 25 rows, which belong to no other
NULL = "null"  # name of the thing where the expression refers to none


class RefAvs(Dataset):
    """Rows of an expression about a thing of a clip; one sample for each of the ten frames.

    The thing is not present in frames where its mask is empty, nor in any frame of rows whose thing is ``null``. The
    folder of a clip is its ``uid`` without the last two parts (of null rows, ``null_c-`` or ``null_m-`` is part of
    it). A ``uid`` may come twice, so the number of the row, from 1, is part of the name of a sample. Without the folder
    ``gt_mask`` only the expressions are read, and of what is there it is not known where.
    """

    key = "ref_avs"
    name = "Ref-AVS"
    homepage = "https://github.com/GeWu-Lab/Ref-AVS"
    paper = "Ref-AVS: Refer and Segment Objects in Audio-Visual Scenes, ECCV 2024"
    licence = "not stated for the data; code MIT"
    splits = {"train": 141130, "val": 13490, "test_s": 22880, "test_u": 16560, "test_n": 10280}
    needs = "metadata.csv, media/<id>/{frames/<0..9>.jpg,audio.wav} and gt_mask/<id>/fid_<fid>/0000<0..9>.png"

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """Ten samples for each row of the split."""
        path, unfinished, masks = self.find(root, "metadata.csv"), 0, _Masks(root)
        for number, (line, row) in enumerate(read_table(path, "uid", "split", "fid", "exp"), 1):
            said = row["split"]
            if said != UNFINISHED and said not in self.splits:
                raise DatasetError(f"{path}, line {line}: split is one of {', '.join(self.splits)}, not {said!r}")
            unfinished += said == UNFINISHED
            if said == split:
                media, thing = _parts(row, path, line)
                for second in range(FRAMES):
                    yield self._frame(split, f"{number}/{row['uid']}/{second}", row, media, thing, second, masks)
        self.note(unfinished, f"rows of split {UNFINISHED} belong to no split")
        if not masks.known:
            self.notes.append("gt_mask is not there: samples without an answer, but for rows that refer to nothing")
        else:
            self.note(masks.missing, "masks of rows that refer to nothing are not there: taken as empty")

    def _frame(self, split: str, name: str, row: dict[str, str], media: str, thing: str, second: int,
               masks: "_Masks") -> Sample:  # fmt: skip
        mask = f"gt_mask/{media}/fid_{row['fid']}/{second:05d}.png"
        there, found = masks.look(mask, thing)
        unknown = not masks.known and thing != NULL
        meta = {"vid": row.get("vid", media), "uid": row["uid"], "fid": row["fid"], "category": thing, "frame": second}
        return self.sample(
            name, split, question=row["exp"], meta={**meta, "mask": mask} if there else meta,
            media=(
                Media("frame", "image", f"media/{media}/frames/{second}.jpg"),
                Media("sound", "audio", f"media/{media}/audio.wav", second, second + 1),
            ),
            answer=None if unknown else ObjectsAnswer((found,)) if found else ObjectsAnswer(present=False),
        )  # fmt: skip


class _Masks:
    """The masks of a root folder, each of which is shared by the expressions about one thing."""

    def __init__(self, root: Path) -> None:
        self.root, self.missing, self.known = root, 0, (root / "gt_mask").is_dir()
        self._find = lru_cache(maxsize=1000)(lambda path, thing: find_thing(read_mask(path), thing))

    def look(self, mask: str, thing: str) -> tuple[bool, Object | None]:
        """Whether the mask is there, and the thing on it; only masks of things that are not there may be missing."""
        path = self.root / mask
        if thing != NULL:
            return self.known, self._find(path, thing) if self.known else None
        there = path.is_file()
        self.missing += not there
        return there, None


def _parts(row: dict[str, str], path: Path, line: int) -> tuple[str, str]:
    """The folder of the clip and the name of the thing."""
    parts = row["uid"].rsplit("_", 2)
    if len(parts) != 3 or not all(parts):
        raise DatasetError(f"{path}, line {line}: uid of clip, thing and number wanted, got {row['uid']!r}")
    if not row["fid"].isdecimal():
        raise DatasetError(f"{path}, line {line}: fid is a whole number, not {row['fid']!r}")
    if not row["exp"].strip():
        raise DatasetError(f"{path}, line {line}: an expression wanted, got {row['exp']!r}")
    return parts[0], parts[1]

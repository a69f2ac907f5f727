"""CREMA-D (Cao et al. 2014): 91 actors say twelve sentences, each with an emotion that they were asked for."""

import re
from collections.abc import Iterator
from pathlib import Path

from crabplus.datasets.base import FOLDER, Dataset, DatasetError, read_rows, read_table
from crabplus.schema import LabelAnswer, Media, Sample

EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
"""Word for each code, ours: the originals have codes alone in file names."""
STEM = re.compile(
    r"(10(?!00)[0-8]\d|109[01])_(IEO|TIE|IOM|IWW|TAI|MTI|IWL|ITH|DFA|ITS|TSI|WSI)_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX?)"
)
BROKEN = ("1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD")
"""Broken or of a wrong length, as the authors say."""
MISNAMED = "1040_ITH_SAD_XX"
"""Its sound was published as ``1040_ITH_SAD_X.wav``, so the folds of HiCMAE lack it."""
SIZES = {
    "none": {"train": 6698, "test": 744}, "1": {"train": 5974, "test": 1463}, "2": {"train": 5967, "test": 1470},
    "3": {"train": 5962, "test": 1475}, "4": {"train": 5963, "test": 1474}, "5": {"train": 5882, "test": 1555},
}  # fmt: skip


class CremaD(Dataset):
    """Clips named ``<actor>_<sentence>_<emotion>_<level>``; the label is the emotion asked for, not what raters saw.

    There is no official split. Option ``fold``: ``none`` is the lists ``stem,EMOTION`` of OGM-GE, at random by clip, so
    that actors are in both parts; ``1`` to ``5`` are those of HiCMAE over ``SentenceFilenames.csv``, whose test has 18
    actors in the order of their numbers (19 in 5). Five clips are not in the folds: four broken, one misnamed; the
    lists keep them. Sound comes from ``AudioWAV``, because some videos had none. Option ``folder``: where the videos
    are. ``crabplus.media`` reads no flv, so convert the videos and name the folder; any ending is found there.
    """

    key = "cremad"
    name = "CREMA-D"
    homepage = "https://github.com/CheyneyComputerScience/CREMA-D"
    paper = "https://doi.org/10.1109/TAFFC.2014.2336244"
    licence = "ODbL 1.0, contents DbCL 1.0"
    options = {"fold": tuple(SIZES), "folder": ("VideoFlash", FOLDER)}
    needs = "train.csv and test.csv, or SentenceFilenames.csv for the folds, with VideoFlash/*.flv and AudioWAV/*.wav"

    def __init__(self, **chosen: str) -> None:
        super().__init__(**chosen)
        self.splits = SIZES[self.chosen["fold"]]

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each clip."""
        if self.chosen["fold"] == "none":
            path = self.find(root, f"{split}.csv", f"data/CREMAD/{split}.csv")
            rows = ((line, stem, code) for line, (stem, code) in read_rows(path, fields=2))
        else:
            path = self.find(root, "SentenceFilenames.csv")
            rows = ((line, row["Filename"], row["Filename"][9:12]) for line, row in read_table(path, "Filename"))
        found = self.clips(root, self.chosen["folder"])
        for _, stem, code in self.once(path, self._of_split(path, rows, split)):
            video = found.get(stem, f"{self.chosen['folder']}/{stem}.flv")
            yield self._sample(split, stem, code, video, _sound(root, stem))

    def _of_split(self, path: Path, rows: Iterator[tuple[int, str, str]], split: str) -> Iterator[tuple[int, str, str]]:
        """Rows with a well-formed name, without those of the other actors and those that no fold has."""
        fold, flawed = self.chosen["fold"], list[str]()
        kept = "kept" if fold == "none" else "left out"
        for line, stem, code in rows:
            match = STEM.fullmatch(stem)
            if not match or match[3] != code:
                raise DatasetError(f"{path}, line {line}: a name of CREMA-D and its emotion wanted, got {stem}, {code}")
            stem = MISNAMED if stem + "X" == MISNAMED else stem
            if fold == "none" or (split == "test") == (fold == fold_of(int(match[1]))):
                flawed += [stem] if stem in (*BROKEN, MISNAMED) else []
                if fold == "none" or stem not in (*BROKEN, MISNAMED):
                    yield line, stem, code
        self.note(len(flawed), f"clips that are broken or misnamed: {kept}, {', '.join(flawed)}")

    def _sample(self, split: str, stem: str, code: str, video: str, sound: str) -> Sample:
        actor, sentence, _, level = stem.split("_")
        meta: dict[str, str | int] = {"actor": actor, "sentence": sentence, "level": level}
        meta |= {"fold": int(self.chosen["fold"])} if self.chosen["fold"] != "none" else {}
        meta |= {"flaw": "broken or of a wrong length"} if stem in BROKEN else {}
        media = Media("clip", "video", video, sound="file"), Media("sound", "audio", sound)
        return self.sample(
            stem, split, media=media, options=tuple(EMOTIONS.values()), answer=LabelAnswer(EMOTIONS[code]), meta=meta
        )


def fold_of(actor: int) -> str:
    """The fold that an actor is tested in: 18 of them each, the last one in fold 5 too."""
    return str(min((actor - 1001) // 18, 4) + 1)


def _sound(root: Path, stem: str) -> str:
    short = f"AudioWAV/{MISNAMED[:-1]}.wav"
    return short if stem == MISNAMED and (root / short).is_file() else f"AudioWAV/{stem}.wav"

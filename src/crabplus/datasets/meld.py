"""MELD (Poria et al. 2019): utterances of a television series, with the emotion of who speaks."""

from collections.abc import Iterator
from pathlib import Path

from crabplus.datasets.base import FOLDER, Dataset, DatasetError, read_table
from crabplus.schema import LabelAnswer, Media, Sample

EMOTIONS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
"""In the order of their official numbers."""
META = {
    "Speaker": "speaker", "Sentiment": "sentiment", "Utterance": "utterance", "Season": "season", "Episode": "episode",
    "StartTime": "start", "EndTime": "end",
}  # fmt: skip
LONG = "minutes long, or of another moment"
FLAWS = {
    "train": {"dia125_utt3": "corrupt", "dia309_utt0": LONG},
    "dev": {"dia110_utt7": "not in the release"},
    "test": {"dia38_utt4": LONG, "dia220_utt0": LONG},
}
"""Clips that users reported (issues 9, 20, 22, 27, 30, 39, 52 of the repository); there may be others."""


class Meld(Dataset):
    """Rows of ``<split>_sent_emo.csv``; the clip is ``dia<Dialogue_ID>_utt<Utterance_ID>.mp4`` of the split's folder.

    Numbers of dialogues start anew in each split, so the split is part of an id. Every row is a sample, as the official
    numbers are over all rows: clips known to be flawed say so in ``meta``, and ``notes`` tells them, and files without
    a row. Times in ``meta`` are those of the episode, as written. Options: the folder of each split; the name of the
    one for test is known from third parties alone.
    """

    key = "meld"
    name = "MELD"
    homepage = "https://github.com/declare-lab/MELD"
    paper = "https://arxiv.org/abs/1810.02508"
    licence = "GPL-3.0 (the repository)"
    splits = {"train": 9989, "dev": 1109, "test": 2610}
    options = {
        "train_folder": ("train_splits", FOLDER), "dev_folder": ("dev_splits_complete", FOLDER),
        "test_folder": ("output_repeated_splits_test", FOLDER),
    }  # fmt: skip
    needs = "train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv and a folder of clips for each"

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each row."""
        path = self.find(root, f"{split}_sent_emo.csv", f"data/MELD/{split}_sent_emo.csv")
        folder, seen = self.chosen[f"{split}_folder"], set[str]()
        found = self.clips(root, folder)
        for line, row in read_table(path, "Dialogue_ID", "Utterance_ID", "Emotion", *META):
            clip = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
            if row["Emotion"] not in EMOTIONS:
                raise DatasetError(f"{path}, line {line}: {row['Emotion']!r} is none of {', '.join(EMOTIONS)}")
            if clip in seen or not (row["Dialogue_ID"].isdecimal() and row["Utterance_ID"].isdecimal()):
                raise DatasetError(f"{path}, line {line}: two numbers that no row had before wanted, got {clip}")
            seen.add(clip)
            video = Media("clip", "video", found.get(clip, f"{folder}/{clip}.mp4"))
            yield self.sample(
                f"{split}_{clip}", split, media=(video,), options=EMOTIONS, answer=LabelAnswer(row["Emotion"]),
                meta=_meta(row, FLAWS[split].get(clip)),
            )  # fmt: skip
        flawed = [f"{clip} ({flaw})" for clip, flaw in FLAWS[split].items() if clip in seen]
        self.note(len(flawed), f"rows whose clip is known to be flawed: kept, {', '.join(flawed)}")
        self.note(len(found.keys() - seen), f"files of {folder} that have no row: left out")


def _meta(row: dict[str, str], flaw: str | None) -> dict[str, str | int]:
    meta: dict[str, str | int] = {"dialogue": int(row["Dialogue_ID"]), "turn": int(row["Utterance_ID"])}
    meta |= {name: row[column] for column, name in META.items()}
    return meta | ({"flaw": flaw} if flaw else {})

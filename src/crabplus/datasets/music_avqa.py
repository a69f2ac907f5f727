"""MUSIC-AVQA (Li et al. 2022): questions about music that need ears, eyes, or both, with answers of one word."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crabplus.datasets.base import Dataset, DatasetError, read_json
from crabplus.schema import Media, Sample, TextAnswer

FIELDS = ("video_id", "question_id", "type", "question_content", "templ_values", "anser")
ANSWERS = (
    "yes", "no", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "more than ten", "left", "right", "middle", "indoor", "outdoor", "simultaneously", "accordion", "acoustic_guitar",
    "bagpipe", "banjo", "bassoon", "cello", "clarinet", "congas", "drum", "electric_bass", "erhu", "flute", "guzheng",
    "piano", "pipa", "saxophone", "suona", "trumpet", "tuba", "ukulele", "violin", "xylophone",
)  # fmt: skip
"""The 42 words that occur as answers; official numbers are those of their first appearance in the training file."""


class MusicAvqa(Dataset):
    """JSON lists of templates with their fillers; the key of the answer is spelt ``anser`` there.

    Option ``version``: the corrected lists of ``json_update``, or the first ones of ``json``. In the first ones 55 test
    questions stand twice with answers that contradict each other: both are kept, the second named ``<id>-2``.
    Option ``part``: all videos, or only the real or the synthetic ones (lists of ``json`` alone).
    """

    key = "avqa"
    name = "MUSIC-AVQA"
    homepage = "https://github.com/GeWu-Lab/MUSIC-AVQA"
    paper = "https://arxiv.org/abs/2203.14072"
    licence = "MIT according to its licence file, GPL-3.0 according to its README"
    options = {"version": ("json_update", "json"), "part": ("all", "real", "fake")}
    needs = "data/json_update/avqa-{train,val,test}.json (or data/json), and videos/<video id>.mp4"

    def __init__(self, **chosen: str) -> None:
        super().__init__(**chosen)
        if self.chosen["part"] != "all" and self.chosen["version"] != "json":
            raise DatasetError(f"{self.name}: part={self.chosen['part']} goes with version=json")
        counts = {"json_update": (31927, 4568, 9129), "json": (32087, 4595, 9185)}[self.chosen["version"]]
        known = counts if self.chosen["part"] == "all" else (None, None, None)
        self.splits = dict(zip(("train", "val", "test"), known, strict=True))

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each question."""
        part = "" if self.chosen["part"] == "all" else f"_{self.chosen['part']}"
        name = f"{self.chosen['version']}/avqa-{split}{part}.json"
        path, deleted, doubled, other = self.find(root, name, f"data/{name}"), 0, 0, 0
        for number, item in enumerate(read_json(path, list)):
            where = f"{path}, item {number}"
            if not isinstance(item, dict) or (missing := [field for field in FIELDS if field not in item]):
                raise DatasetError(f"{where}: {', '.join(missing) if isinstance(item, dict) else 'an object'} wanted")
            if item.get("question_deleted"):
                deleted += 1
                continue
            asked = self.distinct(str(item["question_id"]))
            doubled += asked.endswith("-2")
            other += item["anser"] not in ANSWERS
            film = self.place(root, f"{item['video_id']}.mp4", "videos", "video", "")
            yield self.sample(
                asked, split, media=(Media("clip", "video", film),), question=question(item, where), options=ANSWERS,
                answer=TextAnswer(str(item["anser"])),
                meta={"type": _listed(item, "type", where), "video": item["video_id"]},
            )  # fmt: skip
        self.note(other, "answers that are none of the 42 known ones: kept")
        self.note(deleted, "questions marked as deleted: left out")
        self.note(doubled, "question ids that stand more than once: all kept, with -2 behind the second")


def question(item: dict[str, Any], where: str) -> str:
    """The question with its placeholders filled, ending in one plain question mark."""
    values = iter(_listed(item, "templ_values", where))
    try:
        filled = re.sub("<[^>]*>", lambda _: str(next(values)), str(item["question_content"]))
    except StopIteration:
        raise DatasetError(f"{where}: more placeholders than templ_values in {item['question_content']!r}") from None
    return filled.strip().rstrip("?\N{FULLWIDTH QUESTION MARK}").rstrip() + "?"


def _listed(item: dict[str, Any], field: str, where: str) -> list[Any]:
    """A list that is written as JSON in a text."""
    try:
        value = json.loads(item[field]) if isinstance(item[field], str) else item[field]
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, list) or (field == "type" and len(value) != 2):
        raise DatasetError(f"{where}: {field}: a list wanted, got {item[field]!r:.80}")
    return value

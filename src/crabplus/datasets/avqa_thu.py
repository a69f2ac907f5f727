"""AVQA (Yang et al. 2022): questions about everyday clips of VGGSound with four answers to choose from."""

from collections.abc import Iterator
from pathlib import Path

from crabplus.datasets.base import Dataset, DatasetError, read_json
from crabplus.schema import ChoiceAnswer, Media, Sample

FIELDS = (
    "id", "video_name", "video_id", "question_text", "multi_choice", "answer", "question_relation", "question_type"
)  # fmt: skip


class AvqaThu(Dataset):
    """JSON lists; the answer is the index, from 0, of one of the choices, and a null among them is the word null.

    There is no test split: published results are on ``val``.
    """

    key = "avqa_thu"
    name = "AVQA"
    homepage = "https://github.com/AlyssaYoung/AVQA"
    paper = "https://doi.org/10.1145/3503161.3548291"
    splits = {"train": None, "val": None}
    needs = "train_qa.json and val_qa.json, and video/<video name>.mp4 (clips of VGGSound)"

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each question."""
        name = f"{split}_qa.json"
        path = self.find(root, name, f"annotation/{name}", f"data/annotation/{name}")
        for number, item in enumerate(read_json(path, list)):
            where = f"{path}, item {number}"
            if not isinstance(item, dict) or (missing := [field for field in FIELDS if field not in item]):
                raise DatasetError(f"{where}: {', '.join(missing) if isinstance(item, dict) else 'an object'} wanted")
            choices, answer = item["multi_choice"], item["answer"]
            if not isinstance(choices, list) or not isinstance(answer, int) or not 0 <= answer < len(choices):
                raise DatasetError(f"{where}: answer: the index of one of multi_choice wanted, got {answer!r:.40}")
            film = self.place(root, f"{item['video_name']}.mp4", "video", "videos", "data/video")
            yield self.sample(
                self.distinct(str(item["id"])), split, media=(Media("clip", "video", film),),
                question=str(item["question_text"]),
                options=tuple("null" if choice is None else str(choice) for choice in choices),
                answer=ChoiceAnswer(answer),
                meta={"type": item["question_type"], "relation": item["question_relation"],
                      "video": item["video_name"]},
            )  # fmt: skip

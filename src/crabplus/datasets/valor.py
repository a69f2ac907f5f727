"""VALOR-32K (Chen et al. 2023): captions of picture and sound."""

from collections.abc import Iterator
from pathlib import Path

from crabplus.datasets.base import Dataset, DatasetError, read_json
from crabplus.schema import Media, Sample, TextAnswer


class Valor(Dataset):
    """Ten-second clips of AudioSet, named ``<id>_<start>_<end>`` with three decimals.

    Option ``release``: the original lists ``desc_<split>.json``, or the processed form that the authors' code reads:
    ``<split>_id.json`` and ``txt_mapper_en.json``, where a clip may have several captions; all but the first are in
    ``meta["references"]``. The exact sizes of the splits (25, 3.5 and 3.5 thousand) are not established, nor whether
    upstream trained on these clips or on VALOR-1M.
    """

    key = "avcap"
    name = "VALOR-32K"
    homepage = "https://github.com/TXH-mercury/VALOR"
    paper = "https://arxiv.org/abs/2304.08345"
    licence = "not stated for the annotations; MIT for the code"
    splits = {"train": None, "val": None, "test": None}
    options = {"release": ("original", "processed")}
    needs = "desc_train.json, desc_val.json, desc_test.json, and videos/<video id>.mp4"

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """One sample for each clip."""
        original = self.chosen["release"] == "original"
        for video, captions in self._original(root, split) if original else self._processed(root, split):
            texts = [" ".join(caption.split()) for caption in captions]
            film = self.place(root, f"{video}.mp4", "videos", "video_data", "video", "")
            yield self.sample(
                self.distinct(video), split, media=(Media("clip", "video", film),), answer=TextAnswer(texts[0]),
                meta={"references": texts[1:]} if texts[1:] else {},
            )  # fmt: skip

    def _original(self, root: Path, split: str) -> Iterator[tuple[str, list[str]]]:
        path = self.find(root, f"desc_{split}.json")
        for number, item in enumerate(read_json(path, list)):
            if not isinstance(item, dict) or not isinstance(item.get("desc"), str) or not item.get("video_id"):
                raise DatasetError(f"{path}, item {number}: video_id and desc wanted, got {item!r:.80}")
            yield str(item["video_id"]), _worded([item["desc"]], path, item["video_id"])

    def _processed(self, root: Path, split: str) -> Iterator[tuple[str, list[str]]]:
        path, captions = self.find(root, f"{split}_id.json"), self.find(root, "txt_mapper_en.json")
        said = read_json(captions, dict)
        for video in read_json(path, list):
            if video not in said:
                raise DatasetError(f"{captions}: no caption for {video!r} of {path.name}")
            texts = said[video] if isinstance(said[video], list) else [said[video]]
            yield str(video), _worded(texts, captions, video)


def _worded(texts: list[str], path: Path, video: str) -> list[str]:
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise DatasetError(f"{path}: {video!r}: a caption wanted, got {texts!r:.80}")
    return texts

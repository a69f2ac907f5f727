"""What is learned from a draw: reasoning or none, media that cannot be read, and batches with their keys."""

import pickle

import numpy as np
import pytest

from crabplus.data import Collator, Folder, TrainingData, Unreadable, WithSource
from crabplus.data.mixture import Draw
from crabplus.datasets.avuie import write
from crabplus.models import load_encoder, resolve
from crabplus.schema import LabelAnswer, Sample
from crabplus.tasks import get_task, load_pack
from crabplus.tidepool.build import MAKERS
from crabplus.tidepool.live import LiveSamples

PACK = load_pack(resolve("tiny") + "/pack.yaml")


class Blank:
    """Black pictures and half a second of silence."""

    def frames(self, media, count, size):
        return np.zeros((count, size[1], size[0], 3), np.uint8), 10.0

    def image(self, media, size):
        return np.zeros((size[1], size[0], 3), np.uint8)

    def wave(self, media, rate):
        return np.zeros(rate // 2, np.float32)


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny", PACK.size)


@pytest.fixture(scope="module")
def rows():
    live = LiveSamples({"ave": 1.0, "arig": 1.0}, MAKERS, 8, 12)
    return [(live[n][0], Blank()) for n in range(12)]


def answers(encoder, items):
    """The texts that the labels of items spell."""
    tokenizer = encoder.processor.tokenizer
    return [tokenizer.decode(item["labels"][item["labels"] >= 0]).removesuffix("<|im_end|>") for item in items]


def wanted(rows, reasoning):
    return [get_task(sample.task).target(sample, PACK, reasoning) for sample, _ in rows]


@pytest.mark.parametrize(("reasoning", "shown"), [("on", True), ("off", False)])
def test_reasoning_on_and_off(encoder, rows, reasoning, shown):
    data = TrainingData(encoder, rows, PACK, reasoning)
    assert len(data) == 12
    for epoch in (0, 1):
        items = [data[Draw(n, epoch)] for n in range(12)]
        assert answers(encoder, items) == wanted(rows, shown)
        assert [item["task"] for item in items] == [sample.task for sample, _ in rows]


def test_mixed_reasoning_stands_in_half_of_the_draws_of_every_sample(encoder, rows):
    data = TrainingData(encoder, rows, PACK, "mixed")
    draws = [(n, epoch) for n in range(12) for epoch in range(6)]
    said = answers(encoder, [data[Draw(n, epoch)] for n, epoch in draws])
    with_it = [text == wanted(rows, True)[n] for text, (n, _) in zip(said, draws, strict=True)]
    without = [text == wanted(rows, False)[n] for text, (n, _) in zip(said, draws, strict=True)]
    assert [a != b for a, b in zip(with_it, without, strict=True)] == [True] * 72
    assert 24 <= sum(with_it) <= 48
    by_sample = np.array(with_it).reshape(12, 6).sum(1)
    assert sum(0 < count < 6 for count in by_sample) >= 10  # both ways of the same sample, in other epochs
    again = answers(encoder, [data[Draw(n, epoch)] for n, epoch in draws[:12]])
    assert again == said[:12]


class Broken:
    """Media that cannot be read."""

    def frames(self, media, count, size):
        raise OSError("moov atom not found")

    image = wave = frames


def test_unreadable_media_stop_the_run_or_are_left_out(encoder, rows):
    some = [rows[0], (rows[1][0], Broken()), rows[2]]
    with pytest.raises(ValueError, match=f"sample '{rows[1][0].id}' .*moov atom not found.*: data.unreadable=out"):
        TrainingData(encoder, some, PACK)[Draw(1, 0)]
    data = TrainingData(encoder, some, PACK, unreadable="out")
    items = [data[Draw(n, 0)] for n in range(3)]
    assert isinstance(items[1], Unreadable) and (items[1].id, items[1].task) == (rows[1][0].id, rows[1][0].task)
    batch = Collator(encoder)(items)
    assert batch["unreadable"] == [items[1]] and len(batch["input_ids"]) == 2
    assert batch["tasks"] == [rows[0][0].task, rows[2][0].task]
    with pytest.raises(ValueError, match="no sample of a batch can be read.*moov atom"):
        Collator(encoder)([items[1]])


def test_batches_are_padded_to_the_right(encoder, rows):
    data = TrainingData(encoder, rows, PACK)
    items = [data[Draw(n, 0)] for n in range(4)]
    batch = Collator(encoder)(items)
    assert batch["tasks"] == [item["task"] for item in items] and batch["unreadable"] == []
    for row, labels, item in zip(batch["input_ids"], batch["labels"], items, strict=True):
        length = len(item["input_ids"])
        assert row[:length].tolist() == item["input_ids"].tolist()
        assert labels[:length].tolist() == item["labels"].tolist() and (labels[length:] == -100).all()


def test_it_travels_to_a_worker(encoder, rows):
    data = pickle.loads(pickle.dumps(TrainingData(encoder, WithSource([rows[0][0]], rows[0][1]), PACK)))
    assert answers(data.encoder, [data[Draw(0, 0)]]) == wanted(rows[:1], True)


def test_a_folder_holds_key_behind_key(tmp_path):
    for key, size in {"ks": 3, "ucf": 0, "dfew": 2}.items():
        write(tmp_path, key, "train", [Sample(f"{key}{n}", "own", key, "train", answer=LabelAnswer("a"))
                                       for n in range(size)])  # fmt: skip
    folder = Folder(tmp_path, ["ks", "ucf", "dfew"], "train")
    names = ["ks0", "ks1", "ks2", "dfew0", "dfew1"]
    assert folder.sizes == {"ks": 3, "ucf": 0, "dfew": 2} and len(folder) == 5
    assert [sample.id for sample in folder] == names and [sample.id for sample in folder[1:4]] == names[1:4]
    assert folder[-1].id == "dfew1"
    with pytest.raises(IndexError):
        folder[5]
    assert [sample.id for sample in pickle.loads(pickle.dumps(folder))] == names
    assert len(Folder(tmp_path, [], "train")) == 0
    with pytest.raises(FileNotFoundError, match="avqa/train.jsonl is not there"):
        Folder(tmp_path, ["avqa"], "train")

"""The folder of masks: what is written is read again, and other things are refused."""

from pathlib import Path

import numpy as np
import pytest

from crabplus.schema import Object, ObjectsAnswer, Reply
from crabplus.segment import Mask
from crabplus.segment.folder import MaskFolder, MasksError, read_union, safe_name

TWO = Reply("a", "ms3", answer=ObjectsAnswer((Object("dog", (0, 0, 0.5, 1)), Object("cat", (0.5, 0, 1, 1)))))


def written(root: Path, *scores: np.ndarray) -> MaskFolder:
    folder = MaskFolder(root)
    folder.open({"model": "test"})
    folder.add(TWO, enumerate(Mask("dog", score.astype(np.float32)) for score in scores))
    return folder


def test_masks_of_one_picture_are_united_by_their_greatest_score(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).random((2, 5, 7))
    written(tmp_path, *scores)
    folder = MaskFolder(tmp_path)
    folder.read()
    union = read_union(tmp_path, folder.lines["ms3", "a"])
    assert union is not None and union.dtype == np.float32
    assert np.allclose(union, scores.max(axis=0), atol=0.5 / 255 + 1e-6)
    assert np.array_equal(union > 0.5, scores.max(axis=0).astype(np.float32) > 0.5)
    assert read_union(tmp_path, written(tmp_path / "none").lines["ms3", "a"]) is None


def test_a_folder_that_was_changed_by_hand_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path, np.ones((5, 7)), np.ones((4, 4)))
    with pytest.raises(MasksError, match="a mask of the picture's size wanted"):
        read_union(tmp_path, folder.lines["ms3", "a"])
    (tmp_path / folder.lines["ms3", "a"].masks[0].png).unlink()
    with pytest.raises(OSError, match="1-dog.png"):
        read_union(tmp_path, folder.lines["ms3", "a"])
    with (tmp_path / "masks.jsonl").open("a") as file:
        file.write('{"id": 3}\n')
    with pytest.raises(MasksError, match="masks.jsonl, line 2: .*name another folder"):
        folder.open({"model": "test"})


def test_names_tell_texts_apart() -> None:
    texts = ["arig-test-7-00001", "clip.mp4", "A", "a", "a/b", "a_b", "", ".", "..", "con", "x" * 80, "x" * 81]
    names = [safe_name(text) for text in texts]
    assert names[:2] == texts[:2] and len(set(names)) == len(texts)
    assert safe_name(safe_name("a/b")) != safe_name("a/b"), "a text that looks like a name that was made"

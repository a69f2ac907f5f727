"""SAM2 as transformers has it, with random weights: the same path as published ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from crabplus.schema import Object
from crabplus.segment import load_segmenter
from crabplus.segment.video import Tracker, load_tracker
from crabplus.tidepool.film import write_clip
from crabplus.tidepool.scenes import make_scene

BOXED = Object("boxed", (0.1, 0.1, 0.5, 0.6), confidence=0.7)
OTHER = Object("other", (0.3, 0.1, 0.9, 0.8))
POINT = Object("point", None, ((0.5, 0.5),))
POINTS = Object("points", None, ((0.5, 0.5), (0.2, 0.8)))
BOTH = Object("both", (0.2, 0.2, 0.9, 0.9), ((0.4, 0.4), (0.5, 0.5), (0.6, 0.7)))


def pictures(*sizes: tuple[int, int]) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


@pytest.mark.parametrize("kind", ["sam2", "sam2_video", "sam3_tracker"])
def test_a_batch_gives_what_each_thing_gives_alone(sam2_folders: dict[str, Path], kind: str) -> None:
    shown = pictures((50, 70), (64, 33), (20, 20), (50, 70))
    things = [[BOXED, POINT, BOTH, POINTS, OTHER], [OTHER, BOTH], [], [POINTS, BOXED, POINT]]
    segmenter = load_segmenter(sam2_folders[kind], "cpu", batch_size=3)
    found = segmenter.segment(shown, things)
    assert [len(masks) for masks in found] == [5, 2, 0, 3]
    for picture, wanted, masks in zip(shown, things, found, strict=True):
        for thing, mask in zip(wanted, masks, strict=True):
            assert mask.shape == picture.shape[:2] and mask.dtype == np.float32
            assert 0 <= mask.min() < 0.5 < mask.max() <= 1
            assert np.allclose(segmenter.segment([picture], [[thing]])[0][0], mask, atol=1e-5)
    first = found[0]
    assert all(not np.allclose(first[0], other, atol=1e-3) for other in first[1:]), "what is asked has no effect"


def test_scores_are_what_transformers_gives(sam2_folders: dict[str, Path]) -> None:
    """A box with points asks for one mask, a lone point for the best of three."""
    import torch
    from transformers import Sam2Model, Sam2Processor

    (picture,) = pictures((50, 70))
    model = Sam2Model.from_pretrained(sam2_folders["sam2"]).eval()
    processor = Sam2Processor.from_pretrained(sam2_folders["sam2"])
    segmenter = load_segmenter(sam2_folders["sam2"], "cpu")
    asked: list[tuple[Object, bool, dict[str, Any]]] = [
        (BOTH, False, {"input_boxes": [[[14, 10, 63, 45]]], "input_points": [[[[28, 20], [35, 25], [42, 35]]]],
                       "input_labels": [[[1, 1, 1]]]}),
        (POINT, True, {"input_points": [[[[35, 25]]]], "input_labels": [[[1]]]}),
    ]  # fmt: skip
    for thing, several, prompt in asked:
        inputs = processor(images=picture, return_tensors="pt", **prompt)
        with torch.inference_mode():
            said = model(**inputs, multimask_output=several)
        best = int(said.iou_scores[0, 0].argmax())
        logits = processor.post_process_masks(said.pred_masks, inputs["original_sizes"], binarize=False)[0]
        assert np.allclose(segmenter.segment([picture], [[thing]])[0][0], logits[0, best].sigmoid(), atol=1e-4)


def test_a_picture_is_encoded_once(sam2_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter: Any = load_segmenter(sam2_folders["sam2"], "cpu", batch_size=2)
    encode, sizes = segmenter.model.get_image_embeddings, []
    monkeypatch.setattr(
        segmenter.model, "get_image_embeddings", lambda pixels: sizes.append(len(pixels)) or encode(pixels)
    )
    segmenter.segment(pictures((9, 9), (8, 8), (7, 7)), [[BOXED, POINT, BOTH], [POINT], [OTHER]])
    assert sizes == [2, 1]


def test_what_is_no_such_model_is_told(sam2_folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no config.json in there; 'grabcut', or a folder"):
        load_segmenter(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_omni"}))
    with pytest.raises(ValueError, match="a model of type qwen2_5_omni; .*sam2, sam2_video"):
        load_segmenter(tmp_path)
    with pytest.raises(ValueError, match="nowhere/at_all"):
        load_segmenter("nowhere/at_all")
    with pytest.raises(ValueError, match="a model of type sam2; .*sam2_video"):
        load_tracker(sam2_folders["sam2"])
    with pytest.raises(ValueError, match="'ghost' has neither"):
        load_segmenter(sam2_folders["sam2"], "cpu").segment(pictures((9, 9)), [[Object("ghost")]])


@pytest.fixture(scope="module")
def tracker(sam2_folders: dict[str, Path]) -> Tracker:
    return load_tracker(sam2_folders["sam2_video"], "cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "clip.mp4"
    write_clip(path, make_scene(np.random.default_rng(3)))
    return path


def whole(tracker: Tracker, clip: Path, first: int, backward: bool) -> Iterator[NDArray[np.float32]]:
    """What transformers gives for both things with all pictures in memory, in the order in which it goes."""
    from crabplus import media

    session = tracker.processor.init_video_session()
    for picture in media.frames(clip, 20).images:
        session.add_new_frame(tracker.processor(images=picture, return_tensors="pt")["pixel_values"])
    for number, thing in enumerate((BOXED, POINT)):
        given: dict[str, Any] = {"input_boxes": [[[160 * x for x in thing.box]]]} if thing.box else {
            "input_points": [[[[160 * x, 160 * y] for x, y in thing.points]]], "input_labels": [[[1]]]}  # fmt: skip
        tracker.processor.add_inputs_to_inference_session(session, first, number, original_size=(160, 160), **given)
    session.obj_with_new_inputs = [0, 1]
    for said in tracker.model.propagate_in_video_iterator(session, start_frame_idx=first, reverse=backward):
        logits = tracker.processor.post_process_masks([said.pred_masks], [[160, 160]], binarize=False)[0]
        yield logits[:, 0].sigmoid().numpy()


def test_a_video_is_followed_both_ways_as_transformers_does_it(tracker: Tracker, clip: Path) -> None:
    """Memories that were dropped were not needed, and pieces of a film are one film."""
    found = list(tracker.follow(clip, [BOXED, POINT], time=4.0, fps=2))
    assert [round(time, 3) for time, _ in found] == [n / 2 + 0.25 for n in (*range(8, 20), *range(7, -1, -1))]
    wanted = [*whole(tracker, clip, 8, False), *list(whole(tracker, clip, 8, True))[1:]]
    for (time, masks), scores in zip(found, wanted, strict=True):
        assert [(mask.label, mask.time, mask.confidence) for mask in masks] == [
            ("boxed", time, 0.7),
            ("point", time, None),
        ]
        for mask, score in zip(masks, scores, strict=True):
            assert mask.score.shape == (160, 160) and np.allclose(mask.score, score, atol=1e-4)


def test_memory_does_not_grow_with_the_video(tracker: Tracker, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[Any] = []
    start = tracker.processor.init_video_session
    monkeypatch.setattr(
        tracker.processor, "init_video_session", lambda **kind: sessions.append(start(**kind)) or sessions[-1]
    )
    monkeypatch.setattr("crabplus.segment.video.PIECE", 160 * 160 * 3 * 4)
    most = 0
    for _ in tracker.follow(clip, [BOXED], time=5.0, fps=4):
        outputs = sessions[-1].output_dict_per_obj[0]
        most = max(most, len(sessions[-1].processed_frames), len(outputs["non_cond_frame_outputs"]))
    assert len(sessions) == 2 and most <= 5


def test_the_second_of_things_is_taken(tracker: Tracker, clip: Path) -> None:
    thing = Object("a", (0.1, 0.1, 0.5, 0.5), time=9.5)
    times = [time for time, _ in tracker.follow(clip, [thing], fps=1)]
    assert times[0] == pytest.approx(9.5, abs=0.1) and len(times) == 10
    with pytest.raises(ValueError, match="things of one picture wanted, got times 9.5, None"):
        next(tracker.follow(clip, [thing, BOXED]))
    with pytest.raises(ValueError, match="none at 11.00 s"):
        next(tracker.follow(clip, [BOXED], time=11))
    still = clip.with_name("still.png")
    cv2.imwrite(str(still), pictures((9, 9))[0])
    with pytest.raises(ValueError, match="still.png: is no video"):
        next(tracker.follow(still, [BOXED]))
    with pytest.raises(ValueError, match="'ghost' has neither"):
        next(tracker.follow(clip, [Object("ghost")]))

"""SAM2 of transformers (Ravi et al. 2024), and the tracker of SAM3, which is called the same way."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.device import default_device
from crabplus.schema import Object
from crabplus.segment.prompts import check, in_pixels, signature

__all__ = ["PICTURES", "Sam2", "model_type_of"]

PICTURES = ("sam2", "sam2_video", "sam3_tracker", "sam3_video")
"""Kinds of model whose weights make masks of pictures; video models hold them too."""

Place = tuple[int, int]
"""Number of a picture and of a thing on it."""


class Sam2:
    """Masks by transformers' ``Sam2Model``, or ``Sam3TrackerModel``.

    Pictures are encoded once, ``batch_size`` at a time, and then prompted: things with the same kinds of prompt (a box
    or none, so many points) share batches, so that none is padded. A single point without a box means one of several
    things (a wheel, a car): of the three masks that the model then offers, the one that it expects to be best counts;
    else it is asked for one. Logits are brought to the picture's size (bilinear) before they become scores.

    Attributes:
        name: as it was loaded; model, processor: of transformers; batch_size: as above.

    Raises:
        ValueError: a folder without such a model.
    """

    def __init__(self, name: str | Path, device: str | None = None, batch_size: int = 8) -> None:
        from transformers import AutoModelForMaskGeneration

        if batch_size < 1:
            raise ValueError(f"batch_size: at least 1 wanted, got {batch_size}")
        kind = model_type_of(name, PICTURES)
        self.name, self.batch_size = str(name), batch_size
        self.model = AutoModelForMaskGeneration.from_pretrained(name).eval().to(device or default_device())
        self.processor = load_processor(name, kind)

    def segment(
        self, pictures: Sequence[NDArray[np.uint8]], things: Sequence[Sequence[Object]]
    ) -> list[list[NDArray[np.float32]]]:
        """See :class:`crabplus.segment.Segmenter`."""
        import torch

        check(pictures, things)
        found: list[list[NDArray[np.float32]]] = []
        with torch.inference_mode():
            for start in range(0, len(pictures), self.batch_size):
                part = slice(start, start + self.batch_size)
                found += self._segment(pictures[part], things[part])
        return found

    def _segment(
        self, pictures: Sequence[NDArray[np.uint8]], things: Sequence[Sequence[Object]]
    ) -> list[list[NDArray[np.float32]]]:
        """The same for as many pictures as are encoded at a time."""
        made: dict[Place, NDArray[np.float32]] = {}
        prompted = [number for number, wanted in enumerate(things) if wanted]
        if prompted:
            encoded = self._encode([pictures[number] for number in prompted])
            for places in _batches(things, self.batch_size):
                rows = [prompted.index(number) for number, _ in places]
                sizes = [pictures[number].shape[:2] for number, _ in places]
                wanted = [things[number][index] for number, index in places]
                made.update(zip(places, self._masks([level[rows] for level in encoded], sizes, wanted), strict=True))
        return [[made[number, index] for index in range(len(wanted))] for number, wanted in enumerate(things)]

    def _encode(self, pictures: list[NDArray[np.uint8]]) -> list[Any]:
        """Embeddings of pictures, (N, channels, height, width) for each level."""
        pixels = self.processor(images=pictures, return_tensors="pt")["pixel_values"]
        levels: list[Any] = self.model.get_image_embeddings(pixels.to(self.model.device, self.model.dtype))
        return levels

    def _masks(
        self, levels: list[Any], sizes: Sequence[tuple[int, int]], things: Sequence[Object]
    ) -> list[NDArray[np.float32]]:
        """Scores of N things of one signature, each on a picture of its own, whose embeddings these are."""
        prompts = self._prompts(sizes, things)
        ambiguous = signature(things[0]) == (False, 1)
        said = self.model(image_embeddings=levels, multimask_output=ambiguous, **prompts)
        best = said.iou_scores[:, 0].argmax(dim=-1)
        chosen = [said.pred_masks[row, :, int(mask)][:, None].float() for row, mask in enumerate(best)]
        logits = self.processor.post_process_masks(chosen, [list(size) for size in sizes], binarize=False)
        return [picture[0, 0].sigmoid().cpu().numpy() for picture in logits]

    def _prompts(self, sizes: Sequence[tuple[int, int]], things: Sequence[Object]) -> dict[str, Any]:
        """Boxes (N, 1, 4) and points (N, 1, P, 2) on the square that the model sees, with their labels (N, 1, P)."""
        placed = [in_pixels(thing, *size) for thing, size in zip(things, sizes, strict=True)]
        with_box, count = signature(things[0])
        given: dict[str, Any] = {"input_boxes": [[box] for box, _ in placed]} if with_box else {}
        if count:
            given["input_points"] = [[points] for _, points in placed]
            given["input_labels"] = [[[1] * count] for _ in placed]
        made = self.processor(original_sizes=[list(size) for size in sizes], return_tensors="pt", **given)
        return {name: made[name].to(self.model.device) for name in given}


def _batches(things: Sequence[Sequence[Object]], size: int) -> Iterator[list[Place]]:
    """All things, those of one signature together, ``size`` at a time."""
    alike: dict[Any, list[Place]] = defaultdict(list)
    for number, wanted in enumerate(things):
        for index, thing in enumerate(wanted):
            alike[signature(thing)].append((number, index))
    for places in alike.values():
        yield from (places[start : start + size] for start in range(0, len(places), size))


def model_type_of(name: str | Path, known: Sequence[str]) -> str:
    """The ``model_type`` in the config of a folder or hub name.

    Raises:
        ValueError: there is no config, or it is of another kind; says what is there and what is wanted.
    """
    from transformers import PreTrainedConfig

    wanted = f"'grabcut', or a folder or hub name of a model of type {', '.join(known)} wanted"
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise ValueError(f"{name}: no config.json in there; {wanted}")
    try:
        config, _ = PreTrainedConfig.get_config_dict(str(name))
    except OSError as error:
        raise ValueError(f"{name}: {error}; {wanted}") from error
    kind = str(config.get("model_type"))
    if kind not in known:
        raise ValueError(f"{name}: a model of type {kind}; {wanted}")
    return kind


def load_processor(name: str | Path, kind: str) -> Any:
    """What brings pictures and prompts into the form of a model, and its logits back to the size of pictures."""
    from transformers import AutoProcessor, Sam3TrackerProcessor

    # SAM3's own processor takes words, not boxes and points
    return (Sam3TrackerProcessor if kind.startswith("sam3") else AutoProcessor).from_pretrained(name)

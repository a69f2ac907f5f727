"""Masks over a whole video: SAM2's video model of transformers follows things from the picture in which they are known.

Pictures are read in pieces and memories that the model no longer looks at are dropped, so a long video needs no more
memory than a short one.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus import media
from crabplus.device import default_device
from crabplus.schema import Object
from crabplus.segment import GRABCUT
from crabplus.segment.mask import Mask
from crabplus.segment.prompts import check, in_pixels
from crabplus.segment.sam2 import load_processor, model_type_of

__all__ = ["Tracker", "load_tracker"]

VIDEOS = ("sam2_video",)
PIECE = 64 * 2**20  # bytes of pictures that are read at a time

Shown = tuple[int, float, NDArray[np.uint8]]
"""Number, second and pixels of a picture."""


class Tracker:
    """Follows things by transformers' ``Sam2VideoModel``.

    Attributes:
        name: as it was loaded; model, processor: of transformers.
    """

    def __init__(self, name: str | Path, device: str | None = None) -> None:
        from transformers import Sam2VideoModel

        kind = model_type_of(name, VIDEOS)
        self.name = str(name)
        self.model = Sam2VideoModel.from_pretrained(name).eval().to(device or default_device())
        self.processor = load_processor(name, kind)

    def follow(
        self, path: str | Path, things: Sequence[Object], time: float | None = None, fps: float | None = None
    ) -> Iterator[tuple[float, list[Mask]]]:
        """Each picture's second, and the masks of all things on it.

        First come the pictures from the one in which the things are known to the last, in the order of time, then
        those before it, backwards. A thing that cannot be seen has an empty mask.

        Args:
            path: a video; things: with boxes or points in one of its pictures.
            time: second of that picture; None: as the things say, which is one and the same, or else the first.
            fps: pictures per second; None: as many as the video has.

        Raises:
            ValueError: no thing, one with neither box nor points, things of several times, or a time outside.
            MediaError: a file that is no video, or cannot be read.
        """
        begin = _begin(things) if time is None else time
        film = _Film(path, fps)
        first = film.number(begin)
        check([film.piece(first, 1)[0][2]], [things])
        yield from self._direction(film.forward(first), things, first, backward=False)
        if first:
            yield from self._direction(film.backward(first), things, first, backward=True)

    def _direction(
        self, shown: Iterator[Shown], things: Sequence[Object], first: int, backward: bool
    ) -> Iterator[tuple[float, list[Mask]]]:
        """One way through the video; the picture where things are known comes first, and is told of once."""
        session: Any = self.processor.init_video_session(inference_device=self.model.device, dtype=self.model.dtype)
        for number, second, picture in shown:
            inputs = self.processor(images=picture, return_tensors="pt")
            if number == first:
                self._prompt(session, number, things, picture.shape[:2])
            said = self.model(inference_session=session, frame=inputs["pixel_values"][0].to(self.model.device),
                              frame_idx=number, reverse=backward)  # fmt: skip
            if number != first or not backward:
                yield second, self._masks(said, things, second, picture.shape[:2])
            _forget(session, number, backward, max(self.model.num_maskmem, _pointers(self.model)))

    def _prompt(self, session: Any, number: int, things: Sequence[Object], size: tuple[int, int]) -> None:
        """Tell where the things are; one by one, since they may differ in what is known of them."""
        for index, thing in enumerate(things):
            box, points = in_pixels(thing, *size)
            given: dict[str, Any] = {"input_boxes": [[box]]} if box else {}
            if points:
                given.update(input_points=[[points]], input_labels=[[[1] * len(points)]])
            self.processor.add_inputs_to_inference_session(session, number, index, original_size=size, **given)
        session.obj_with_new_inputs = list(range(len(things)))  # each call names its own alone

    def _masks(self, said: Any, things: Sequence[Object], second: float, size: tuple[int, int]) -> list[Mask]:
        logits = self.processor.post_process_masks([said.pred_masks.float()], [list(size)], binarize=False)[0]
        scores = logits[:, 0].sigmoid().cpu().numpy()
        return [Mask(thing.label, score, second, thing.confidence) for thing, score in zip(things, scores, strict=True)]


class _Film:
    """The pictures of a video at an even rate, by their number."""

    def __init__(self, path: str | Path, fps: float | None) -> None:
        found = media.probe(path)
        if found.kind != "video" or not found.fps or not found.size:
            raise media.MediaError(path, "is no video, and things are followed through a video")
        if fps is not None and not fps > 0:
            raise ValueError(f"fps: a positive number of pictures per second wanted, got {fps}")
        self.path, self.fps = path, fps or found.fps
        # what the whole film spans, without its sound: one picture is read to learn that
        self.end = media.frames(path, 1, size=(1, 1)).end
        self.count = max(round(self.end * self.fps), 1)
        self.many = max(PIECE // (found.size[0] * found.size[1] * 3), 1)

    def number(self, time: float) -> int:
        """The picture on display at a second."""
        if not 0 <= time <= self.end:
            raise ValueError(f"{self.path} has pictures from 0 to {self.end:.2f} s, and none at {time:.2f} s")
        return min(int(time / self.end * self.count + 1e-6), self.count - 1)

    def piece(self, start: int, count: int) -> list[Shown]:
        """Some pictures that follow each other."""
        step = self.end / self.count
        read = media.frames(self.path, count, start * step, (start + count) * step)
        return [(start + n, float(read.times[n]), read.images[n]) for n in range(count)]

    def forward(self, start: int) -> Iterator[Shown]:
        """From a picture to the last."""
        for begin in range(start, self.count, self.many):
            yield from self.piece(begin, min(self.many, self.count - begin))

    def backward(self, start: int) -> Iterator[Shown]:
        """From a picture to the first."""
        for end in range(start + 1, 0, -self.many):
            begin = max(end - self.many, 0)
            yield from reversed(self.piece(begin, end - begin))


def load_tracker(name: str | Path, device: str | None = None) -> Tracker:
    """The tracker of a name: a folder or hub name of a ``sam2_video`` model.

    Raises:
        ValueError: ``grabcut``, which sees one picture at a time, or a folder without such a model.
    """
    if str(name) == GRABCUT:
        raise ValueError(
            "grabcut sees one picture at a time and follows nothing through a video: name a SAM2 video model, a folder "
            "or a hub name such as facebook/sam2.1-hiera-tiny"
        )
    return Tracker(name, device)


def _begin(things: Sequence[Object]) -> float:
    """The second at which all things are known."""
    times = {thing.time for thing in things}
    if len(times) != 1:
        found = ", ".join(sorted(str(time) for time in times)) or "none at all"
        raise ValueError(f"things of one picture wanted, got times {found}: follow those of each time on their own")
    return next(iter(times)) or 0.0


def _pointers(model: Any) -> int:
    """How many pictures back a model looks for what a thing is."""
    return int(model.config.max_object_pointers_in_encoder)


def _forget(session: Any, number: int, backward: bool, span: int) -> None:
    """Drop pixels that were looked at, and memories that lie more than ``span`` pictures back."""
    session.processed_frames.pop(number, None)
    session.cache.clear_all()
    old = number + span if backward else number - span
    for outputs in session.output_dict_per_obj.values():
        outputs["non_cond_frame_outputs"].pop(old, None)
        for made in (*outputs["cond_frame_outputs"].values(), *outputs["non_cond_frame_outputs"].values()):
            made.pop("high_res_masks", None)
    for tracked in session.frames_tracked_per_obj.values():
        tracked.pop(old, None)

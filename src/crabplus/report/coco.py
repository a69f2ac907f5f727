"""Boxes and masks in the format of the COCO detection data."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crabplus.report.windows import path_of
from crabplus.schema import ObjectsAnswer, PixelBox, Reply
from crabplus.whole import write_whole

__all__ = ["write_coco"]

Masks = Mapping[tuple[str, int], Mapping[str, Any]]
Pictures = Mapping[tuple[str, float | None], str]
Entry = dict[str, Any]


def write_coco(
    path: str | Path, replies: Iterable[Reply], masks: Masks | None = None, pictures: Pictures | None = None
) -> None:
    """Write the boxes of replies as COCO detection data, whole or not at all; ``pycocotools.coco.COCO`` reads it.

    An image is one picture: a file and, in a video, the ``time`` in seconds, which is a field beside COCO's own. Its
    ``file_name`` is the path as the user gave it, or that of ``pictures``. Categories are the labels in alphabetical
    order, from 1. ``bbox`` is [x, y, width, height] in pixels of the original picture, ``score`` the confidence of the
    box, or where that is not known that of the whole answer; an annotation without either has no score. A still picture
    in which nothing was found is an image without annotations. Objects without a box and answers of other kinds are
    left out.

    Args:
        path: the file. replies: what was said of each file.
        masks: by id of the reply and number of the object in its answer, from 0: the mask as RLE, a dict of ``size``
            [height, width] and ``counts``. It becomes the ``segmentation``, and its pixels the ``area``.
        pictures: names of files that hold single pictures of videos, by path of the video and second.

    Raises:
        ValueError: a reply with boxes, but without the size of its picture.
    """
    images = _Images(pictures or {})
    found: list[tuple[str, Entry]] = []
    for reply in replies:
        if reply.error or not isinstance(reply.answer, ObjectsAnswer):
            continue
        if not reply.answer.objects and reply.media and reply.media[0].kind == "image":
            images.number(reply, None)
        for number, box in _numbered(reply):
            image = images.number(reply, box.time)
            found.append((box.label, _annotation(image, reply, box, (masks or {}).get((reply.id, number)))))
    categories = {label: number for number, label in enumerate(sorted({label for label, _ in found}), 1)}
    content = {
        "info": {"description": "boxes and masks by crabplus"}, "licenses": [], "images": list(images.entries.values()),
        "annotations": [
            {"id": number, "category_id": categories[label], **entry} for number, (label, entry) in enumerate(found, 1)
        ],
        "categories": [{"id": number, "name": label} for label, number in categories.items()],
    }  # fmt: skip
    write_whole(Path(path), (json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n").encode())


def _numbered(reply: Reply) -> Iterable[tuple[int, PixelBox]]:
    """The boxes of a reply, each with the number of its object; objects without one are passed over."""
    assert isinstance(reply.answer, ObjectsAnswer)
    numbers = [number for number, thing in enumerate(reply.answer.objects) if thing.box]
    return zip(numbers, reply.pixel_boxes, strict=True)


class _Images:
    """The images by file and second, numbered from 1."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures, self.entries = pictures, dict[tuple[str, float | None], Entry]()

    def number(self, reply: Reply, time: float | None) -> int:
        """The id of the image that is this picture; a new one is added."""
        where = path_of(reply), time
        if where not in self.entries:
            size = next((media.size for media in reply.media if media.size), None)
            if size is None:
                raise ValueError(f"{reply.id}: COCO needs the size of the picture, and it is not known")
            name = self.pictures.get(where, where[0])
            entry: Entry = {"id": len(self.entries) + 1, "file_name": name, "width": size[0], "height": size[1]}
            self.entries[where] = entry if time is None else {**entry, "time": time}
        number: int = self.entries[where]["id"]
        return number


def _annotation(image: int, reply: Reply, box: PixelBox, mask: Mapping[str, Any] | None) -> Entry:
    width, height = box.x2 - box.x1, box.y2 - box.y1
    entry: Entry = {"image_id": image, "bbox": [box.x1, box.y1, width, height], "area": width * height, "iscrowd": 0}
    score = reply.confidence if box.confidence is None else box.confidence
    if score is not None:
        entry["score"] = score
    if mask is not None:
        entry["segmentation"] = {"size": [int(side) for side in mask["size"]], "counts": _text(mask["counts"])}
        entry["area"] = _area(mask)
    return entry


def _text(counts: Any) -> Any:
    """Counts as JSON takes them: pycocotools packs them as bytes, which are ASCII."""
    return counts.decode("ascii") if isinstance(counts, bytes) else counts


def _area(mask: Mapping[str, Any]) -> int:
    """Pixels inside a mask; counts that are a plain list begin with those outside."""
    if isinstance(mask["counts"], list):
        return sum(mask["counts"][1::2])
    from pycocotools.mask import area

    return int(area(dict(mask)))

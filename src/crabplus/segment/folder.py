"""The folder of masks: a line of ``masks.jsonl`` for each prediction, with its masks as PNG and COCO run lengths."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.schema import Answer, Reply, SchemaError, from_json, to_json
from crabplus.segment.mask import Mask
from crabplus.whole import write_lines, write_whole

__all__ = ["MaskFolder", "MaskLine", "MasksError", "SavedMask", "answer_mark", "read_union"]

Name = tuple[str, str]
"""Task key and id."""
_REMEDY = "name another folder (--out)"
_LONGEST = 60  # characters of an id or label in the name of a file
_HASHED = re.compile(r"\.[0-9a-f]{10}$")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # no names of files on Windows


class MasksError(ValueError):
    """A folder of masks that a command cannot go on with, or that does not belong to predictions; says what to do."""


@dataclass(frozen=True)
class SavedMask:
    """One mask as the folder has it.

    Attributes:
        label: name of the thing; png: 8-bit scores, 0..255, in the folder; rle: COCO run lengths of what is above 0.5.
        area: pixels of that; box: its box in pixels, (x1, y1, x2, y2), the latter corner just outside.
        time, confidence: as for :class:`~crabplus.segment.Mask`.
    """

    label: str
    png: str
    rle: dict[str, Any]
    area: int
    box: tuple[int, int, int, int] | None = None
    time: float | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class MaskLine:
    """What was made of one prediction.

    Attributes:
        id, task: of the prediction; answer: its :func:`answer_mark`; picture: the file that the masks lie on.
        masks: one for each thing; none where nothing was found or there is no answer, which ``reason`` then tells.
        error: why there is nothing, where something could not be read.
    """

    id: str
    task: str
    answer: str
    picture: str | None = None
    masks: tuple[SavedMask, ...] = ()
    reason: str | None = None
    error: str | None = None


@dataclass
class MaskFolder:
    """What was made so far, and where more is written; every line is added once its files are there.

    Attributes:
        root: the folder; lines: by task and id.
    """

    root: Path
    lines: dict[Name, MaskLine] = field(default_factory=dict)
    _first: dict[str, str] = field(default_factory=dict)  # the key with which an id came first

    def open(self, settings: Mapping[str, Any]) -> None:
        """Read what is there, for a command that goes on with it.

        Raises:
            MasksError: it was made with other settings, or is no folder of masks.
        """
        path = self.root / "settings.json"
        self.read()
        found = json.loads(path.read_text(encoding="utf-8")) if self.lines and path.is_file() else settings
        for name, wanted in settings.items():
            if found.get(name) != wanted:
                raise MasksError(
                    f"{self.root} was made with {name} {found.get(name)!r}, and {wanted!r} is asked for; {_REMEDY}"
                )
        write_lines(self.root / "masks.jsonl", map(to_json, self.lines.values()))  # without a line that was cut off
        write_whole(path, (json.dumps(dict(settings), indent=1) + "\n").encode())

    def read(self) -> None:
        """Read all whole lines.

        Raises:
            MasksError: a line that is none; names file and line.
        """
        path = self.root / "masks.jsonl"
        self.lines.clear()
        self._first.clear()
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            try:
                made = from_json(line, MaskLine)
            except SchemaError as error:
                raise MasksError(f"{path}, line {number}: {error}; {_REMEDY}") from error
            self._keep(made)

    def has(self, reply: Reply) -> bool:
        """Whether there is a line of a prediction.

        Raises:
            MasksError: there is one, and it is of another answer.
        """
        line = self.lines.get((reply.task, reply.id))
        if line is not None and line.answer != answer_mark(reply.answer):
            raise MasksError(f"{self.root} has masks of another answer to {reply.task} {reply.id!r}; {_REMEDY}")
        return line is not None

    def add(
        self, reply: Reply, masks: Iterable[tuple[int, Mask]] = (), pictures: Iterable[NDArray[np.uint8]] = (),
        error: str | None = None, moving: bool = False,
    ) -> None:  # fmt: skip
        """Write the masks of a prediction, overlays, and at last the line.

        Args:
            reply: the prediction; masks: each with the number of its thing; error: why there are none.
            pictures: overlays (H, W, 3), drawn; moving: each thing has many masks, one for each picture of a video.
        """
        name, saved = self._name(reply), []
        for number, mask in masks:
            place = f"masks/{name}/{number + 1}-{_plain(mask.label) or 'thing'}"
            png = f"{place}/{mask.time or 0:010.3f}.png" if moving else f"{place}.png"
            write_whole(self.root / png, _png(mask.score))
            saved.append(
                SavedMask(mask.label, png, mask.rle, mask.area, mask.pixel_box, mask.time, mask.confidence)
            )  # fmt: skip
        for number, picture in enumerate(pictures):
            write_whole(self.root / f"overlays/{name}{f'-{number + 1}' if number else ''}.jpg", _jpg(picture))
        shown = next((item.path for item in reply.media if item.kind != "audio"), None)
        line = MaskLine(reply.id, reply.task, answer_mark(reply.answer), shown, tuple(saved), reply.reason, error)
        with (self.root / "masks.jsonl").open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{to_json(line)}\n")
        self._keep(line)

    def _keep(self, line: MaskLine) -> None:
        self.lines[line.task, line.id] = line
        self._first.setdefault(line.id, line.task)

    def _name(self, reply: Reply) -> str:
        """What the files of a prediction are called; where an id comes with another key again, the key is in it."""
        again = self._first.get(reply.id, reply.task) != reply.task
        return safe_name(f"{reply.task}/{reply.id}" if again else reply.id)

    def write_coco(self) -> None:
        """Write ``coco.json``: images, categories and annotations with run lengths, as pycocotools reads them."""
        write_whole(self.root / "coco.json", json.dumps(_coco(self.lines.values())).encode())

    def summary(self) -> str:
        """How many predictions there are, and how many without masks."""
        lines = self.lines.values()
        masks, errors = sum(len(line.masks) for line in lines), sum(line.error is not None for line in lines)
        silent = sum(line.error is None and line.answer == answer_mark(None) for line in lines)
        return (
            f"{len(lines)} predictions, {masks} masks, {silent} without an answer (empty masks), {errors} errors; "
            f"in {self.root}"
        )


def answer_mark(answer: Answer | None) -> str:
    """A short mark of an answer, by which masks are known to be of it; ``none`` where there is none."""
    return "none" if answer is None else sha256(to_json(answer).encode()).hexdigest()[:12]


def read_union(root: Path, line: MaskLine) -> NDArray[np.float32] | None:
    """(H, W) the scores of all things of a prediction together, the greatest for each pixel; None without masks.

    Raises:
        OSError: a mask that is not there. MasksError: one that is no picture, or of another size than the others.
    """
    import cv2

    union: NDArray[np.uint8] | None = None
    for mask in line.masks:
        found = cv2.imdecode(np.fromfile(root / mask.png, np.uint8), cv2.IMREAD_GRAYSCALE)
        if found is None or (union is not None and found.shape != union.shape):
            raise MasksError(f"{root / mask.png}: a mask of the picture's size wanted")
        union = found if union is None else np.maximum(union, found)
    return None if union is None else (union / np.float32(255)).astype(np.float32)


def safe_name(text: str) -> str:
    """A name for files that says what they are of, on any system; another text gives another name.

    Plain texts stay as they are; others keep what is plain in them and have a hash behind it. Capitals count as not
    plain, since some systems do not tell them from small letters.
    """
    plain = _plain(text)
    if plain == text and not _HASHED.search(text):
        return plain
    return f"{plain or 'x'}.{sha256(text.encode(errors='surrogatepass')).hexdigest()[:10]}"


def _plain(text: str) -> str:
    """Small letters, digits, dots, dashes and lines below; no name of a device, nor one that begins or ends oddly."""
    plain = re.sub(r"[^a-z0-9._-]+", "_", text.lower()).strip("._-")[:_LONGEST].rstrip("._-")
    return f"file-{plain}" if _DEVICES.match(plain) else plain


def _png(score: NDArray[np.float32]) -> bytes:
    """Scores as 0..255; what is above 0.5, and nothing else, becomes 128 or more."""
    import cv2

    return cv2.imencode(".png", np.ceil(score * 255 - 0.5).astype(np.uint8))[1].tobytes()


def _jpg(picture: NDArray[np.uint8]) -> bytes:
    import cv2

    return cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _coco(lines: Iterable[MaskLine]) -> dict[str, Any]:
    images: dict[tuple[str | None, float | None], dict[str, Any]] = {}
    categories: dict[str, int] = {}
    annotations, numbers = [], count(1)
    for line, mask in _each(lines):
        height, width = mask.rle["size"]
        fresh = {"id": len(images) + 1, "file_name": line.picture, "width": width, "height": height}
        image = images.setdefault(
            (line.picture, mask.time), fresh if mask.time is None else {**fresh, "time": mask.time}
        )
        x1, y1, x2, y2 = mask.box or (0, 0, 0, 0)
        annotations.append({
            "id": next(numbers), "image_id": image["id"],
            "category_id": categories.setdefault(mask.label, len(categories) + 1),
            "segmentation": mask.rle, "area": mask.area, "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0,
            **({} if mask.confidence is None else {"score": mask.confidence}), "prediction": line.id, "task": line.task,
        })  # fmt: skip
    named = [{"id": number, "name": name} for name, number in categories.items()]
    return {"images": list(images.values()), "categories": named, "annotations": annotations}


def _each(lines: Iterable[MaskLine]) -> Iterator[tuple[MaskLine, SavedMask]]:
    return ((line, mask) for line in lines for mask in line.masks)

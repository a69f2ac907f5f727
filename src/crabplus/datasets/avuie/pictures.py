"""Records of the published keys that ask about pictures: their fields, and how they become samples and back."""

import re
from collections.abc import Callable
from dataclasses import replace

from crabplus.datasets.avuie.fields import (
    Fields,
    Layout,
    Record,
    picture,
    picture_paths,
    stem,
    true,
)
from crabplus.schema import (
    Answer,
    Object,
    ObjectsAnswer,
    Sample,
    SchemaError,
)
from crabplus.tasks.tags import to_units

SIDE = 224  # pixels of a picture, in which boxes are given
IMAGE, VISUAL = ("image_path", "audio_path"), ("visual_path", "audio_path")


def _grounding(fields: Fields) -> Record:
    """The box stands in the target text of a training record, in two corners of a test record."""
    name, media = fields.text("a_obj"), picture(fields, None)
    if fields.split == "train":
        return fields.sample(stem(media[0].path), media, _named(fields.said("label_content").answer, name))
    corners = [*_corner(fields, "top_left"), *_corner(fields, "bottom_right")]
    box = tuple(min(max(value / SIDE, 0.0), 1.0) for value in corners)
    if not (box[0] < box[2] and box[1] < box[3]):
        raise SchemaError(f"bottom_right: right of and below top_left wanted, got {corners}")
    answer = ObjectsAnswer((Object(name, (box[0], box[1], box[2], box[3])),))
    return fields.sample(stem(media[0].path), media, answer, "top_left", "bottom_right")


def _corner(fields: Fields, name: str) -> list[float]:
    """Two numbers, as a list or as text such as ``(31,40)``."""
    value = fields.values[name]
    numbers = re.findall(r"-?\d+(?:\.\d+)?", str(value))
    if not isinstance(value, str | list) or len(numbers) != 2:
        raise SchemaError(f"{name}: two numbers wanted, got {value!r:.80}")
    return [float(x) for x in numbers]


def _write_grounding(sample: Sample) -> Record:
    things = true(sample, ObjectsAnswer).objects
    if len(things) != 1 or things[0].box is None:
        raise SchemaError("answer: one object with its box wanted")
    x1, y1, x2, y2 = to_units(things[0].box, (SIDE, SIDE))
    corners = {"top_left": f"({x1},{y1})", "bottom_right": f"({x2},{y2})"}
    return {**picture_paths(sample), "a_obj": things[0].label, **corners}


def _segmentation(second: str | None) -> Callable[[Fields], Record]:
    """The truth of a test record is a mask, which is not in the file. ``second`` holds it in training files."""

    def read(fields: Fields) -> Record:
        name = second if fields.split == "train" else "frame_idx"
        media = picture(fields, int(fields.number(name)) if name else 0)
        answer = fields.said("label_content").answer if fields.split == "train" else None
        place = f"{fields.text('vid')}/{stem(media[0].path)}"
        return fields.sample(place, media, _named(answer, fields.text("a_obj")), *([name] if name else []))

    return read


def _write_segmentation(sample: Sample) -> Record:
    paths = picture_paths(sample)
    things = sample.answer.objects if isinstance(sample.answer, ObjectsAnswer) else ()
    named = {"a_obj": " and ".join(thing.label for thing in things)} if things else {}
    return {**paths, **named, "frame_idx": paths["second"]}


def _referring(fields: Fields) -> Record:
    """Of a test record it is known whether the thing is there: it is not in the null split, ``test_n``."""
    train = fields.split == "train"
    second, expression = ("idx", "description") if train else ("frame_idx", "object")
    media = picture(fields, int(fields.number(second)))
    if train:
        answer: Answer | None = fields.said("output").answer
    else:
        answer = ObjectsAnswer(present=False) if fields.text("split") == "test_n" else None
    name = f"{fields.text('uid')}/{fields.text('fid')}/{stem(media[0].path)}"
    return fields.sample(name, media, answer, second, expression, question=fields.text(expression))


def _write_referring(sample: Sample) -> Record:
    paths, expression = picture_paths(sample), sample.question or ""
    absent = isinstance(sample.answer, ObjectsAnswer) and not sample.answer.present
    said = {"object": expression, "description": expression, **({"split": "test_n"} if absent else {})}
    return {**paths, **said, "idx": paths["second"], "frame_idx": paths["second"]}


def _named(answer: Answer | None, name: str) -> Answer | None:
    """A thing without a name in the text has the one of the record."""
    if not isinstance(answer, ObjectsAnswer):
        return answer
    named = tuple(replace(thing, label=name) if thing.label == "object" else thing for thing in answer.objects)
    return replace(answer, objects=named)


_THING, _PLACE = ("vid", "uid", "a_obj"), ("vid", "uid", "fid")
_TEST = (*_THING, "frame_idx", *VISUAL)
PICTURES: dict[str, Layout] = {
    "s4": Layout((*_THING, *IMAGE), _TEST, "label_content", _segmentation(None), _write_segmentation),
    "ms3": Layout(
        (*_THING, "frame_idx", *IMAGE), _TEST, "label_content", _segmentation("frame_idx"), _write_segmentation
    ),
    "arig": Layout(
        ("a_obj", *IMAGE), ("top_left", "bottom_right", "a_obj", "frame_idx", *VISUAL), "label_content", _grounding,
        _write_grounding,
    ),
    "ref_avs": Layout(
        (*_PLACE, "idx", "description", *IMAGE), ("object", "split", *_PLACE, "frame_idx", *VISUAL), "output",
        _referring, _write_referring,
    ),
}  # fmt: skip

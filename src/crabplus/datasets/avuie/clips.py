"""Records of the published keys that ask about clips: their fields, and how they become samples and back."""

import json
from typing import Literal

from crabplus.datasets.avuie.fields import (
    Fields,
    Layout,
    Record,
    below,
    clip,
    clip_paths,
    stem,
    true,
)
from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Sample,
    SchemaError,
    TextAnswer,
)
from crabplus.tasks.matching import WORDS

Names = tuple[str, ...]
CLIP = ("video_path", "audio_path")
_CHOICES = {"1": 0, "one": 0, "2": 1, "two": 1}


def _matching(kind: Literal["video", "audio"]) -> Layout:
    """Two candidates of one kind, and one file of the other that belongs to one of them."""
    lone: Literal["video", "audio"] = "audio" if kind == "video" else "video"
    files = {f"{kind}1_path": ("first", kind), f"{kind}2_path": ("second", kind), f"{lone}_path": ("given", lone)}
    events, correct = (f"{kind}1_event", f"{kind}2_event", f"{lone}_event"), f"correct_{kind}"

    def read(fields: Fields) -> Record:
        said = fields.text(correct).lower()
        if said not in _CHOICES:
            raise SchemaError(f"{correct}: 1 or 2 wanted, got {said!r:.80}")
        items = {
            role: Media(role, form, fields.path(field, form), sound="none" if form == "video" else "track")
            for field, (role, form) in files.items()
        }
        name = "+".join(stem(items[role].path) for role in ("given", "first", "second"))
        media = items["given"], items["first"], items["second"]
        return fields.sample(name, media, ChoiceAnswer(_CHOICES[said]), *files, correct, options=WORDS)

    def write(sample: Sample) -> Record:
        items = {item.role: item for item in sample.media}
        if missing := {role for role, _ in files.values()} - set(items):
            raise SchemaError(f"media: {', '.join(sorted(missing))} wanted, got {', '.join(items) or 'none'}")
        paths = {field: below(items[role], sample, form) for field, (role, form) in files.items()}
        return {**paths, correct: true(sample, ChoiceAnswer).index + 1}

    return Layout((*events, *files, correct), (*files, correct), "label", read, write)


def _recognition(truth: str, target: str = "label", test: bool = True) -> Layout:
    def read(fields: Fields) -> Record:
        media = clip(fields)
        return fields.sample(stem(media[0].path), media, LabelAnswer(fields.text(truth)), truth)

    def write(sample: Sample) -> Record:
        return {**clip_paths(sample), truth: true(sample, LabelAnswer).label}

    return Layout((truth, *CLIP), (truth, *CLIP) if test else None, target, read, write, label=truth)


def _music_question(fields: Fields) -> Record:
    kind = fields.values["type"]
    try:
        kind = json.loads(kind) if isinstance(kind, str) else kind
        modality, form = kind
    except (json.JSONDecodeError, ValueError, TypeError):
        raise SchemaError(f"type: a pair of modality and kind wanted, got {kind!r:.80}") from None
    used, answer = ("question_id", "question", "answer"), TextAnswer(fields.text("answer"))
    made = fields.sample(fields.text("question_id"), clip(fields), answer, *used, question=fields.text("question"))
    made["meta"]["type"] = [modality, form]
    return made


def _write_music_question(sample: Sample) -> Record:
    kind = json.dumps(sample.meta.get("type", ["Audio-Visual", "Other"]))
    question = {"question_id": sample.id, "question": sample.question or "", "answer": true(sample, TextAnswer).text}
    return {**clip_paths(sample), **question, "type": kind}


_MUSIC = ("video_id", "question_id", "type", "question", "answer", *CLIP)
_THU = (
    "id", "video_name", "video_id", "question_relation", "question_type", "multi_choice", "question_text",
    "answer", *CLIP,
)  # fmt: skip


def _choice_question(fields: Fields) -> Record:
    """The answer is an index from 0, or a text: an option, else such an index. An option that is null is the word."""
    choices = fields.values["multi_choice"]
    if not isinstance(choices, list) or not choices:
        raise SchemaError(f"multi_choice: a list of options wanted, got {choices!r:.80}")
    options = tuple("null" if option is None else str(option) for option in choices)
    answer, written = fields.text("answer"), isinstance(fields.values["answer"], str)
    index = int(answer) if answer.isdecimal() else len(options)
    index = options.index(answer) if written and answer in options else index
    if index >= len(options):
        raise SchemaError(f"answer: one of {', '.join(options)} or its index wanted, got {answer!r:.80}")
    made = fields.sample(
        fields.text("id"), clip(fields), ChoiceAnswer(index), "id", "multi_choice", "question_text", "answer",
        "question_type", question=fields.text("question_text"), options=options,
    )  # fmt: skip
    made["meta"]["type"] = fields.text("question_type")
    if list(options) != choices:
        made["meta"]["multi_choice"] = choices  # to be shown as it was, where a pack wants that
    return made


def _write_choice_question(sample: Sample) -> Record:
    return {
        **clip_paths(sample), "id": sample.id, "question_type": sample.meta.get("type", ""),
        "question_text": sample.question or "",
        "multi_choice": sample.meta.get("multi_choice", list(sample.options)),
        "answer": true(sample, ChoiceAnswer).index,
    }  # fmt: skip


def _one_event(fields: Fields) -> Record:
    """An event that ends where it starts is none."""
    start, end = fields.number("start_time"), fields.number("end_time")
    if not 0 <= start <= end:
        raise SchemaError(f"end_time: not before start_time {start:g} wanted, got {end:g}")
    events = (Event(fields.text("event"), start, end),) if start < end else ()
    used = ("vid", "start_time", "end_time", *(["event"] if events else []))
    return fields.sample(fields.text("vid"), clip(fields), EventsAnswer(events), *used)


def _write_one_event(sample: Sample) -> Record:
    events = true(sample, EventsAnswer).events
    if len(events) > 1:
        raise SchemaError(f"answer: one event wanted, got {len(events)}")
    what, start, end = (events[0].label, events[0].start, events[0].end) if events else ("nothing", 0, 0)
    return {**clip_paths(sample), "vid": sample.id, "event": what, "start_time": start, "end_time": end}


def _told(name: str, train: Names, test: Names | None = None, optional: Names = ()) -> Layout:
    """What is true stands in the target text alone, and in a test file nowhere; ``name`` is the field of the id."""
    target = "label_content"

    def read(fields: Fields) -> Record:
        said = fields.said(target).answer if fields.split == "train" else None
        return fields.sample(fields.text(name), clip(fields), said, name)

    def write(sample: Sample) -> Record:
        return {name: sample.id, **clip_paths(sample)}

    return Layout(train, test, target, read, write, optional)


_EVENT, _PARSED = ("event", "vid", "start_time", "end_time", *CLIP), ("filename", "vid", "event", *CLIP)
CLIPS: dict[str, Layout] = {
    "a2v": _matching("video"),
    "v2a": _matching("audio"),
    "ks": _recognition("action"),
    "ucf": _recognition("label", target="new_label"),
    "meld": _recognition("Emotion"),
    "mer24": _recognition("discrete", test=False),
    **{key: _recognition("emotion") for key in ("cremad", "mafw", "dfew")},
    "avqa": Layout(_MUSIC, _MUSIC, "label", _music_question, _write_music_question),
    "avqa_thu": Layout(_THU, _THU, "label", _choice_question, _write_choice_question),
    "ave": Layout(_EVENT, _EVENT, "label_content", _one_event, _write_one_event),
    "unav": _told("vid", ("vid", *CLIP), optional=("original_label",)),
    "avvp": _told("filename", _PARSED, _PARSED),
    "avcap": _told("video_id", ("video_id", *CLIP)),
}

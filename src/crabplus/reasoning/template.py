"""Reasoning written from ground truth alone: plain and true, for every key, with no model at all.

It says no more than the annotation does, so it teaches the form of explicit reasoning, not what a scene looks like.
"""

from collections.abc import Callable
from zlib import crc32

from crabplus.reasoning.check import sounding
from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    ObjectsAnswer,
    Sample,
    TextAnswer,
)
from crabplus.tasks import Pack, default_pack, get_task
from crabplus.tasks.tags import number

THIRDS = ("left", "middle", "right")


def write(sample: Sample, pack: Pack | None = None) -> str:
    """Reasoning for a sample, and its answer in the tags of the task; one of several wordings, always the same.

    Raises:
        ValueError: the sample has no true answer.
    """
    if sample.answer is None:
        raise ValueError(f"{sample.id}: reasoning leads to the true answer, and this sample has none")
    family = get_task(sample.task).family
    said = _WRITERS.get(family, _any)(sample) if sounding(sample) or not sample.media else _seen(sample)
    return f"{said} {get_task(sample.task).write(sample.answer, sample, pack or default_pack())}"


def _pick(sample: Sample, *wordings: str) -> str:
    return wordings[crc32(f"{sample.task}/{sample.id}".encode()) % len(wordings)]


def _matching(sample: Sample) -> str:
    assert isinstance(sample.answer, ChoiceAnswer)
    right = ("first", "second")[sample.answer.index]
    one, other = ("video", "sound") if sample.task == "a2v" else ("sound", "video")
    return _pick(
        sample, f"I compare both with what the {other} tells. The {right} {one} goes with it.",
        f"What happens in the {other} fits the {right} {one} and does not fit the one beside it.",
    )  # fmt: skip


def _recognition(sample: Sample) -> str:
    assert isinstance(sample.answer, LabelAnswer)
    label = sample.answer.label.replace("_", " ")
    return _pick(
        sample, f"I look at the movements in the picture and listen to the sound with it. Both point to {label}.",
        f"What is seen and what is heard belong together here, and together they mean {label}.",
    )  # fmt: skip


def _question(sample: Sample) -> str:
    asked = sample.question or "this"
    word = (
        sample.options[sample.answer.index] if isinstance(sample.answer, ChoiceAnswer)
        else sample.answer.text if isinstance(sample.answer, TextAnswer) else ""
    )  # fmt: skip
    return _pick(
        sample, f"To tell {asked!r}, I watch and listen to the whole clip. What I find is: {word}.",
        f"The question is {asked!r}. Picture and sound together lead to: {word}.",
    )  # fmt: skip


def _temporal(sample: Sample) -> str:
    assert isinstance(sample.answer, EventsAnswer)
    if not sample.answer.events:
        return "I watch and listen to the whole clip, and nothing that belongs to an event happens in it."
    return " ".join(_told(label, events) for label, events in _by_label(sample.answer.events).items())


def _by_label(events: tuple[Event, ...]) -> dict[tuple[str, str], list[Event]]:
    grouped: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        grouped.setdefault((event.label, event.modality), []).append(event)
    return grouped


def _told(label: tuple[str, str], events: list[Event]) -> str:
    name, sense = label
    verb = {"audio": "is heard", "visual": "is seen", "audio-visual": "is both heard and seen"}[sense]
    times = " and ".join(f"from {number(event.start)} to {number(event.end)} s" for event in events)
    return f"{name.replace('_', ' ')} {verb} {times}."


def _spatial(sample: Sample) -> str:
    assert isinstance(sample.answer, ObjectsAnswer)
    if not sample.answer.objects:
        return f"I look for {sample.question or 'what makes the sound'} in the whole picture, and it is not there."
    if sample.question:
        places = " and ".join(f"{thing.label}{_place(thing.box)}" for thing in sample.answer.objects)
        return f"I look for what is meant by {sample.question!r}. It is the {places}."
    things = [f"{thing.label.replace('_', ' ')}{_place(thing.box)}" for thing in sample.answer.objects]
    found = things[0] if len(things) == 1 else ", ".join(things[:-1]) + " and " + things[-1]
    return _pick(
        sample, f"I listen first, then look for what fits the sound. It is the {found}.",
        f"What is heard can be seen in this picture: the {found}.",
    )  # fmt: skip


def _place(box: tuple[float, float, float, float] | None) -> str:
    if box is None:
        return ""
    third = THIRDS[min(int((box[0] + box[2]) / 2 * 3), 2)]
    return f" in the {third} of the picture" if third == "middle" else f" on the {third} of the picture"


def _caption(sample: Sample) -> str:
    return "I tell what happens in this clip, from its pictures and from its sound."


def _seen(sample: Sample) -> str:
    """For a sample without sound: what follows from pictures alone."""
    match sample.answer:
        case EventsAnswer(events=events) if events:
            shown = [Event(event.label, event.start, event.end, "visual") for event in events]
            return " ".join(_told(label, found) for label, found in _by_label(tuple(shown)).items())
        case ObjectsAnswer():
            return _spatial(sample) if sample.question else "I look for it in the whole picture, and find it there."
        case LabelAnswer(label=label):
            return f"There is nothing but pictures here, and their movements point to {label.replace('_', ' ')}."
    return "There is nothing but pictures here, so I go by what they show from start to end."


def _any(sample: Sample) -> str:
    return "I look at the picture, listen to the sound, and put the two together."


_WRITERS: dict[str, Callable[[Sample], str]] = {
    "matching": _matching, "action recognition": _recognition, "emotion recognition": _recognition,
    "question answering": _question, "temporal localisation": _temporal, "spatial localisation": _spatial,
    "captioning": _caption,
}  # fmt: skip

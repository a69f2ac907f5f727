"""Whether a written reasoning may stand: it ends in the true answer and names nothing that the truth rules out."""

import re
from collections.abc import Iterator

from crabplus.schema import Answer, EventsAnswer, LabelAnswer, ObjectsAnswer, Sample
from crabplus.tasks import Pack, default_pack, get_task
from crabplus.tasks.tags import plain

SHORTEST, LONGEST = 6, 160  # words
NEAR = 0.5  # seconds by which a time in words may miss the true one
_TELLS = re.compile(
    r"\b(?:given|provided|correct|true|right|reference|stated|supplied|expected)\s+(?:answer|label|annotation)\b"
    r"|\bground[- ]truth\b|\bannotat|\baccording to the (?:answer|label|question)\b|\b(?:the|your) prompt\b",
    re.IGNORECASE,
)
_TIME = re.compile(r"\b(\d+(?:\.\d+)?)(?:st|nd|rd|th)?\s*(?:s|sec|secs|seconds?)\b", re.IGNORECASE)
_SECOND = re.compile(r"\bseconds?\s+(\d+(?:\.\d+)?)\b", re.IGNORECASE)
_HEARS = re.compile(r"\b(?:hear|hears|heard|audible|listen\w*|sounds?|sounding)\b", re.IGNORECASE)
_SPAN = re.compile(r"\b(\d+(?:\.\d+)?)\s*(?:s|sec|secs|seconds?)?\s*(?:to|-|–|until|and)\s*(\d+(?:\.\d+)?)\s*"
                   r"(?:s|sec|secs|seconds?)\b", re.IGNORECASE)  # fmt: skip
_DENIED = re.compile(r"\b(?:no|not|without|instead of|rather than|unlike|never)\b[\w\s,'-]{0,30}$", re.IGNORECASE)


def problems(text: str, sample: Sample, pack: Pack | None = None) -> list[str]:
    """What is wrong with a reasoning that ends in an answer; an empty list where it may stand.

    Args:
        text: what a teacher wrote: reasoning, then the answer in the tags of the task.
        sample: with its true answer.
    """
    task, pack = get_task(sample.task), pack or default_pack()
    found = task.read(text, sample, pack)
    if found.answer is None or sample.answer is None:
        return [f"the answer cannot be read: {found.reason or 'no true answer to compare with'}"]
    wanted = task.write(sample.answer, sample, pack)
    said = task.write(found.answer, sample, pack)
    wrong = [] if _form(said) == _form(wanted) else [f"it ends in {said} and not in {wanted}"]
    reasoning = found.reasoning or ""
    return [
        *wrong, *_manners(reasoning), *_times(reasoning, sample.answer), *_labels(reasoning, sample),
        *_senses(reasoning, sample),
    ]  # fmt: skip


def _form(answer: str) -> str:
    return re.sub(r"\s+", "", plain(answer))


def _manners(reasoning: str) -> Iterator[str]:
    words = len(reasoning.split())
    if not SHORTEST <= words <= LONGEST:
        yield f"it has {words} words before the answer; {SHORTEST} to {LONGEST} are wanted"
    if tell := _TELLS.search(reasoning):
        yield f"it speaks of {tell.group(0)!r}: reason from what is seen and heard alone"


def _times(reasoning: str, answer: Answer) -> Iterator[str]:
    """Times in words that are near no start or end of a true event; only where the answer has times."""
    if not isinstance(answer, EventsAnswer):
        return
    marks = {0.0, *(time for event in answer.events for time in (event.start, event.end))}
    named = [time for span in _SPAN.findall(reasoning) for time in span]
    for time in sorted(set(map(float, [*named, *_TIME.findall(reasoning), *_SECOND.findall(reasoning)]))):
        if all(abs(time - mark) > NEAR for mark in marks):
            yield f"it names second {time:g}, at which no event starts or ends"


def _senses(reasoning: str, sample: Sample) -> Iterator[str]:
    """Sounds in a sample that has none."""
    if sample.media and not sounding(sample):
        for heard in _HEARS.finditer(reasoning):
            if not _DENIED.search(reasoning[: heard.start()]):
                yield f"it says {heard.group(0)!r}, and the sample has no sound"
                break


def sounding(sample: Sample) -> bool:
    """Whether a sample has sound."""
    return any(item.kind == "audio" or (item.kind == "video" and item.sound != "none") for item in sample.media)


def _labels(reasoning: str, sample: Sample) -> Iterator[str]:
    """Other labels of the vocabulary, named and not denied."""
    true, text = {plain(label) for label in _true_labels(sample.answer)}, plain(reasoning)
    if not true:
        return
    for option in dict.fromkeys(map(plain, sample.options)):
        if option in true or any(option in label for label in true):
            continue
        named = re.finditer(rf"\b{re.escape(option)}\b", text)
        if any(not _DENIED.search(text[: found.start()]) for found in named):
            yield f"it names {option!r}, which is not in the true answer"


def _true_labels(answer: Answer | None) -> list[str]:
    match answer:
        case LabelAnswer(label=label):
            return [label]
        case EventsAnswer(events=events):
            return [event.label for event in events]
        case ObjectsAnswer(objects=objects):
            return [thing.label for thing in objects]
    return []

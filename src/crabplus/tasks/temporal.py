"""Temporal localisation: which events happen, and when."""

from collections.abc import Mapping, Sequence

from crabplus.metrics.ave import segment_accuracy, segment_labels
from crabplus.schema import Answer, Event, EventsAnswer, Sample
from crabplus.tasks.base import Pair, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_events, write_events

SEGMENTS = 10  # one-second segments of an AVE clip


class AudioVisualEvent(Task):
    """``ave``: the one event that is both seen and heard, scored on the ten seconds of the clip."""

    family = "temporal localisation"
    metric = "segment_accuracy"
    needs = frozenset({"film", "sound"})

    def write(self, answer: Answer, pack: Pack) -> str:
        assert isinstance(answer, EventsAnswer)
        return write_events(answer.events)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        events, reason = read_events(text)
        return EventsAnswer(tuple(events)) if events else reason

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        truth = [_grid(sample.answer) for sample, _ in pairs]
        return segment_accuracy(truth, [_grid(answer) for _, answer in pairs])

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        labels = sorted({event.label for sample in samples for event in _events(sample.answer)})
        whole: list[Answer] = [EventsAnswer((Event(label, 0, SEGMENTS),)) for label in labels]
        return [EventsAnswer(), *whole]


def _events(answer: Answer | None) -> tuple[Event, ...]:
    return answer.events if isinstance(answer, EventsAnswer) else ()


def _grid(answer: Answer | None) -> list[str]:
    return segment_labels([(event.label, event.start, event.end) for event in _events(answer)], SEGMENTS)


TEMPORAL = (AudioVisualEvent("ave"),)

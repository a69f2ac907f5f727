"""Temporal localisation: which events happen, and when."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from crabplus.metrics.ave import TimedLabel, segment_accuracy, segment_labels
from crabplus.metrics.llp import event_grid, parsing_scores, video_scores
from crabplus.metrics.unav import ScoredEvent, TrueEvent, average_map, detection_scores, match_detections
from crabplus.schema import Answer, Event, EventsAnswer, Sample
from crabplus.tasks import forms
from crabplus.tasks.base import Pair, Resampler, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import plain, read_events, read_sense_events, write_events, write_sense_events

COMMON = 4  # of so many labels it is tried whether they make the best constant answer
_BACKGROUND = "no answer counts as ten seconds of background, as in the official metric"
SEGMENTS = 10  # one-second segments of a clip of AVE and of LLP


class AudioVisualEvents(Task):
    """Events with their times; without more said, those that are both seen and heard."""

    family = "temporal localisation"
    answers = EventsAnswer
    needs = frozenset({"film", "sound"})
    opens: tuple[str, ...] = ("event",)

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, EventsAnswer)
        return write_events(answer.events)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        events, reason = read_events(text)
        return reason or EventsAnswer(tuple(events))

    def form(self, sample: Sample, pack: Pack) -> str:
        return forms.events("event", sample, pack)

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        counts = Counter(event.label for sample in samples for event in _events(sample.answer))
        end = self.longest(samples)
        whole: list[Answer] = [EventsAnswer((Event(label, 0, end),)) for label, _ in counts.most_common(COMMON)]
        return [EventsAnswer(), *whole]

    def longest(self, samples: Sequence[Sample]) -> float:
        """Seconds of a constant event that lasts all the time."""
        return max((event.end for sample in samples for event in _events(sample.answer)), default=SEGMENTS)


class OneEvent(AudioVisualEvents):
    """``ave``: the one event that is both seen and heard, scored on the ten seconds of the clip."""

    metric = "segment_accuracy"

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        """The last event that is named, with all its times: what comes before it was thinking aloud."""
        events, reason = read_events(text)
        return reason or EventsAnswer(tuple(event for event in events if event.label == events[-1].label))

    def form(self, sample: Sample, pack: Pack) -> str:
        return forms.events("event", sample, pack, most=1)

    def notes(self) -> tuple[str, ...]:
        return (_BACKGROUND,)

    def longest(self, samples: Sequence[Sample]) -> float:
        return SEGMENTS

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        truth = [_grid(sample.answer) for sample, _ in pairs]
        return segment_accuracy(truth, [_grid(answer) for _, answer in pairs])


class ManyEvents(AudioVisualEvents):
    """``unav``: all events of an untrimmed video, scored as detections, by confidence where predictions have it."""

    metric = "average_map"

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        return detection_scores(*_detections(pairs))

    def resampler(self, pairs: Sequence[Pair]) -> Resampler:
        truth, said = _detections(pairs)
        classes = match_detections(truth, said)
        named = np.array([n for n, (sample, _) in enumerate(pairs) if _events(sample.answer)], dtype=np.int64)
        return lambda drawn: average_map(classes, np.bincount(drawn, minlength=len(pairs))[named])


class SensesApart(AudioVisualEvents):
    """``avvp``: what is heard and what is seen, each with its times, scored on the ten seconds of the clip."""

    metric = "segment_smaller"
    opens = ("audio", "visual")

    def notes(self) -> tuple[str, ...]:
        return ("no answer counts as silence and darkness, as in the official metric",)

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, EventsAnswer)
        return write_sense_events(answer.events)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        events, reason = read_sense_events(text)
        return reason or EventsAnswer(tuple(events))

    def form(self, sample: Sample, pack: Pack) -> str:
        return forms.events("audio", sample, pack) + forms.events("visual", sample, pack)

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        numbers = parsing_scores(*_grids(pairs))
        return {self.metric: min(numbers["segment_audio"], numbers["segment_visual"]), **numbers}

    def resampler(self, pairs: Sequence[Pair]) -> Resampler:
        numbers = video_scores(*_grids(pairs))
        heard, seen = numbers["segment_audio"], numbers["segment_visual"]
        return lambda drawn: float(min(heard[drawn].mean(), seen[drawn].mean()))

    def longest(self, samples: Sequence[Sample]) -> float:
        return SEGMENTS


def _events(answer: Answer | None) -> tuple[Event, ...]:
    return answer.events if isinstance(answer, EventsAnswer) else ()


def _detections(pairs: Sequence[Pair]) -> tuple[list[TrueEvent], list[ScoredEvent]]:
    """True and predicted events, with the place of the sample as name of the video."""
    truth: list[TrueEvent] = [(n, *e) for n, (sample, _) in enumerate(pairs) for e in _timed(_events(sample.answer))]
    said: list[ScoredEvent] = [
        (n, plain(e.label), e.start, e.end, 1.0 if e.confidence is None else e.confidence)
        for n, (_, answer) in enumerate(pairs)
        for e in _events(answer)
    ]
    return truth, said


def _timed(events: Sequence[Event]) -> list[TimedLabel]:
    """Events as the metrics take them, with labels in the one form in which they are compared."""
    return [(plain(event.label), event.start, event.end) for event in events]


def _grid(answer: Answer | None) -> list[str]:
    return segment_labels(_timed(_events(answer)), SEGMENTS)


def _grids(pairs: Sequence[Pair]) -> list[NDArray[np.bool_]]:
    """(N, C, T) each: what is heard and seen in truth, then what is said to be."""
    labels = sorted({plain(event.label) for sample, _ in pairs for event in _events(sample.answer)}) or [""]
    sides = [sample.answer for sample, _ in pairs], [answer for _, answer in pairs]
    return [
        np.stack([_sense_grid(answer, sense, labels) for answer in answers])
        for answers in sides
        for sense in ("audio", "visual")
    ]


def _sense_grid(answer: Answer | None, sense: str, labels: Sequence[str]) -> NDArray[np.bool_]:
    """(C, T) what an answer says of one sense; an event of both senses counts for each."""
    events = [event for event in _events(answer) if event.modality in (sense, "audio-visual")]
    return event_grid(_timed(events), labels, SEGMENTS)


TEMPORAL = (OneEvent("ave"), ManyEvents("unav"), SensesApart("avvp"))

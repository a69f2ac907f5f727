"""How sure a model was of what it said: the probabilities of its tokens, read for each part of an answer."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from crabplus.schema import Answer, Event, EventsAnswer, Object, ObjectsAnswer, Sample
from crabplus.tasks import Pack, Task

__all__ = ["Recorder", "Said", "Span", "answer_span", "with_confidence"]

Span = tuple[int, int]
"""Characters of a text, from and up to."""
_TAG = re.compile(r"<\s*\w+\s*>")
_BRACKETS = re.compile(r"[(\[][^()\[\]]*[)\]]")
_BEHIND = 6  # tokens that are decoded together with one to know its characters
_DIGITS = 3  # of a confidence: what batches of other sizes give alike


@dataclass(frozen=True)
class Said:
    """Generated text with the logarithms of its tokens' probabilities, and where in the text each token ends."""

    text: str
    ends: tuple[int, ...] = ()
    logs: tuple[float, ...] = ()

    def confidence(self, *spans: Span) -> float | None:
        """The geometric mean of the probabilities of all tokens in these spans; None where there is no token."""
        begins = (0, *self.ends)
        logs = [
            log for begin, end, log in zip(begins, self.ends, self.logs, strict=False)
            if any(begin < last and first < end for first, last in spans)
        ]  # fmt: skip
        return round(exp(sum(logs) / len(logs)), _DIGITS) if logs else None


class Recorder(LogitsProcessor):
    """Stands for other processors and keeps the probability, before these, of the token that is best after them.

    For greedy decoding, where that token is the one that is taken.
    """

    def __init__(self, processors: Sequence[LogitsProcessor] = ()) -> None:
        self.processors = processors
        self.logs: list[Tensor] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores (B, V) as the other processors leave them."""
        kept = scores
        for processor in self.processors:
            kept = processor(input_ids, kept)
        chosen = kept.argmax(dim=-1, keepdim=True)
        self.logs.append(scores.gather(-1, chosen)[:, 0] - scores.logsumexp(dim=-1))
        return kept

    def row(self, number: int, tokens: list[int], tokenizer: Any) -> Said:
        """What one row has said so far, of which ``tokens`` are its tokens that are no special ones."""
        logs = [float(step[number]) for step in self.logs[: len(tokens)]]
        return _said(tokens, logs, tokenizer)

    def read(self, tokens: Tensor, tokenizer: Any) -> list[Said]:
        """What was said in each row of generated tokens (B, T)."""
        logs = torch.stack(self.logs, dim=1).float().cpu().tolist()
        return [_said(row, of, tokenizer) for row, of in zip(tokens.tolist(), logs, strict=True)]


def _said(tokens: list[int], logs: list[float], tokenizer: Any) -> Said:
    """The text of a row without white space around it."""
    special = set(tokenizer.all_special_ids)
    pairs = [(token, log) for token, log in zip(tokens, logs, strict=False) if token not in special]
    ids = [token for token, _ in pairs]
    whole = tokenizer.decode(ids)
    text, lead = whole.strip(), len(whole) - len(whole.lstrip())
    windows = [ids[max(0, n - _BEHIND) : n + 1] for n in range(len(ids))]
    longer = tokenizer.batch_decode(windows) if windows else []
    shorter = tokenizer.batch_decode([window[:-1] for window in windows]) if windows else []
    ends, end = [], -lead
    for more, less in zip(longer, shorter, strict=True):
        end += max(len(more) - len(less), 0)
        ends.append(end)
    return Said(text, tuple(ends), tuple(log for _, log in pairs))


def answer_span(text: str) -> Span:
    """From the first tag of a text to its end; all of it where there is no tag."""
    tag = _TAG.search(text)
    return (tag.start() if tag else 0, len(text))


def with_confidence(
    answer: Answer, text: str, confidence: Callable[..., float | None], task: Task, sample: Sample, pack: Pack
) -> Answer:
    """The answer, whose events or things each have the confidence of the piece of text that they were read from.

    Args:
        answer: as the task read it from the text; confidence: of spans of that text, such as :meth:`Said.confidence`.
    """
    if not isinstance(answer, EventsAnswer | ObjectsAnswer):
        return answer
    spans = dict(_spans(text, task, sample, pack))
    whole = answer_span(text)
    if isinstance(answer, EventsAnswer):
        events = (replace(event, confidence=confidence(*spans.get(event, (whole,)))) for event in answer.events)
        return replace(answer, events=tuple(events))
    things = (replace(thing, confidence=confidence(*spans.get(thing, (whole,)))) for thing in answer.objects)
    return replace(answer, objects=tuple(things))


def _spans(text: str, task: Task, sample: Sample, pack: Pack) -> Iterator[tuple[Event | Object, tuple[Span, ...]]]:
    """Every event and thing with its pieces of text: of several ranges in one tag, the label and its own range."""
    opened = [tag.start() for tag in _TAG.finditer(text)]
    for begin, end in pairwise([*opened, len(text)]):  # answers without tags have no pieces
        found = task.find(text[begin:end], sample, pack)
        if isinstance(found, ObjectsAnswer):
            yield from ((thing, ((begin, end),)) for thing in found.objects)
        elif isinstance(found, EventsAnswer):
            ranges = [(match.start(), match.end()) for match in _BRACKETS.finditer(text, begin, end)]
            apart = len(ranges) == len(found.events)
            label = (begin, len(text[: ranges[0][0]].rstrip())) if ranges else (begin, end)  # a space is its range's
            for number, event in enumerate(found.events):
                yield event, ((label, ranges[number]) if apart else ((begin, end),))

"""Answers about people's own files of any length: windows are asked in batches, and each file has one reply."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crabplus.data import WithSource
from crabplus.data.scan import Track, untracked
from crabplus.generate import predict, settings_of
from crabplus.media import MediaError
from crabplus.models.source import Files
from crabplus.own import Asked, AskError, Named, files_of, sample_of, windows_of
from crabplus.schema import ObjectsAnswer, Prediction, Reply, Sample, Window
from crabplus.tasks import Pack, get_task
from crabplus.tasks.tags import without_tags
from crabplus.windows import join, on_the_clock, span_of, split

__all__ = ["Plan", "answer", "needs_sum", "plan_of", "reply_to", "summed_up"]

NOTES = 24  # windows, or notes about windows, out of which one answer is asked for at a time
FILES = 32  # that are looked at before the first of them is answered


@dataclass(frozen=True)
class Plan:
    """What is asked about one file, and the windows in which it is shown; ``error`` says why nothing can be asked."""

    sample: Sample
    windows: tuple[tuple[float, float], ...] = ()
    error: str | None = None

    @property
    def samples(self) -> list[Sample]:
        """What is asked, of each window."""
        return [] if self.error else split(self.sample, self.windows)


def plan_of(named: Named, asked: Asked, pack: Pack) -> Plan:
    """The questions about one file; a file to which they cannot be put has the error of that."""
    try:
        sample = sample_of(named, asked)
        return Plan(sample, tuple(windows_of(sample, asked, pack)))
    except (AskError, MediaError) as error:
        return Plan(Sample(named.name, "own", asked.key, "own", question=asked.question), error=str(error))


def answer(
    model: Any, pack: Pack, plans: Iterable[Plan], asked: Asked, origin: Mapping[str, Any] | None = None,
    batch_size: int = 8, track: Track = untracked,
) -> Iterator[Reply]:  # fmt: skip
    """A reply to every plan, in order; batches go across files.

    Args:
        model: of a model family; plans: may be made while others are answered; asked: what they ask.
        origin: see :func:`crabplus.generate.settings_of`; track: passes windows on as they are answered.
    """
    for group in _groups(plans, FILES):
        samples = [sample for plan in group for sample in plan.samples]
        data = WithSource(samples, Files())
        made = predict(model, data, pack, batch_size, origin, constrain=asked.closed)
        said = iter(track(made, "answering", len(samples)) if len(samples) > 1 else made)
        for plan in group:
            reply = reply_to(plan, [next(said) for _ in plan.samples], settings_of(pack, origin, True, asked.closed))
            yield summed_up(model, pack, reply, origin, batch_size)
        for _ in said:  # its bar ends with the last one
            pass


def reply_to(plan: Plan, said: Sequence[Prediction], settings: Mapping[str, Any]) -> Reply:
    """The reply about a file, from the predictions of its windows in their order; see :func:`crabplus.windows.join`."""
    if plan.error:
        return Reply(plan.sample.id, plan.sample.task, error=plan.error, question=plan.sample.question,
                     settings=dict(settings))  # fmt: skip
    windows = [_window(sample, made) for sample, made in zip(plan.samples, said, strict=True)]
    made = dict(said[0].settings)
    if len(windows) > 1:
        return join(replace(plan.sample, media=files_of(plan.sample)), windows, made)
    only, sample = windows[0], plan.samples[0]
    return Reply(
        plan.sample.id, plan.sample.task, only.text, only.answer, only.reasoning, only.reason, only.error, made,
        only.confidence, media=files_of(sample), question=sample.question, options=sample.options,
    )  # fmt: skip


def _window(sample: Sample, made: Prediction) -> Window:
    """What was said of a window, with its times on the clock of the file; a still picture has no time."""
    start, end = span_of(sample) or (0.0, 0.0)
    still = any(item.kind == "image" and item.start is None for item in sample.media)
    told = made.answer if still and isinstance(made.answer, ObjectsAnswer) else on_the_clock(made.answer, start, end)
    return Window(start, end, made.text, told, made.reasoning, made.reason, made.error, made.confidence)


def summed_up(
    model: Any, pack: Pack, reply: Reply, origin: Mapping[str, Any] | None = None, batch_size: int = 8
) -> Reply:
    """The reply with the answer that the model gives when it reads what was said of the windows.

    Where there are several windows, and the pack words it for the key. The notes of :data:`NOTES` windows are asked
    about at a time, then what was said of these, until one answer is left. An answer that cannot be read leaves the
    reply as it was joined.
    """
    if not needs_sum(reply, pack):
        return reply
    notes = [_note(window) for window in reply.windows if window.answer is not None]
    made: list[Prediction] = []
    while len(made) != 1:
        groups = [notes[start : start + NOTES] for start in range(0, len(notes), NOTES)]
        samples = [
            Sample(f"{reply.id}#{n}", "own", reply.task, "own", question=reply.question, options=reply.options,
                   meta={"notes": "\n".join(group)})
            for n, group in enumerate(groups)
        ]  # fmt: skip
        made = list(predict(model, WithSource(samples, Files()), pack, batch_size, origin))
        notes = [without_tags(said.text or "") for said in made]
    if made[0].answer is None:
        return reply
    said = made[0]
    return replace(reply, text=said.text, answer=said.answer, reasoning=said.reasoning, confidence=said.confidence)


def needs_sum(reply: Reply, pack: Pack) -> bool:
    """Whether a model has to read what was said of the windows of a reply."""
    worded = get_task(reply.task).worded(pack.joins)
    return worded in pack.joins and sum(window.answer is not None for window in reply.windows) > 1


def _note(window: Window) -> str:
    return f"From {window.start:g} to {window.end:g} s: {without_tags(window.text or '')}"


def _groups(plans: Iterable[Plan], size: int) -> Iterator[list[Plan]]:
    group: list[Plan] = []
    for plan in plans:
        group.append(plan)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group

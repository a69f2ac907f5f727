"""Has reasoning written for many samples: several at a time, asked again with the reason where it may not stand."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from crabplus.reasoning.check import problems
from crabplus.reasoning.journal import Entry, Journal
from crabplus.schema import Sample
from crabplus.tasks import Pack, default_pack, get_task


@dataclass(frozen=True)
class Said:
    """What a teacher wrote, and the tokens that it took."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0


Teacher = Callable[[Sample, str | None], Awaitable[Said]]
"""Writes reasoning and answer for a sample; the second argument says what was wrong with the last one, or is None."""


@dataclass(frozen=True)
class Rules:
    """How a run is done: attempts for a sample, samples at a time, budget and prices (per million tokens)."""

    attempts: int = 3
    concurrency: int = 8
    budget: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0


@dataclass
class Annotated:
    """What came of a run: reasoning by id, why others have none, and whether the budget ended it."""

    reasoning: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False


def annotate(
    samples: Sequence[Sample], teacher: Teacher, name: str, journal: Journal, rules: Rules, pack: Pack | None = None,
    done: Callable[[Sample], None] = lambda sample: None,
) -> Annotated:  # fmt: skip
    """Reasoning for samples with a true answer, from the journal where it has it.

    Args:
        samples: of one key and split. teacher: writes; name: of the teacher, for the journal. done: called after each.

    A sample whose attempts with this teacher are used up is not asked again; its last problem is told. Calls that
    failed used none up, so that a run after a wrong key or address asks all of them.
    """
    run = _Run(teacher, name, journal, rules, pack or default_pack(), journal.by_sample(name))
    asyncio.run(run.all(samples, done))
    return run.made


@dataclass
class _Run:
    teacher: Teacher
    name: str
    journal: Journal
    rules: Rules
    pack: Pack
    entries: dict[str, list[Entry]]
    made: Annotated = field(default_factory=Annotated)

    async def all(self, samples: Sequence[Sample], done: Callable[[Sample], None]) -> None:
        waiting = iter(samples)

        async def work() -> None:
            for sample in waiting:
                if self.made.stopped:
                    return
                await self._one(sample)
                done(sample)

        workers = min(self.rules.concurrency, max(len(samples), 1))
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())

    async def _one(self, sample: Sample) -> None:
        if sample.answer is None:
            self.made.failed[sample.id] = "no true answer to lead to"
            return
        entries, calls = self.entries.setdefault(sample.id, []), 0
        if entries and entries[-1].accepted and problems(entries[-1].text or "", sample, self.pack):
            entries.clear()  # it led to another answer, which the sample had then
        while not (entries and entries[-1].accepted) and calls < self.rules.attempts:
            if sum(entry.text is not None for entry in entries) >= self.rules.attempts:
                break  # used up, in this run or an earlier one; a call that failed used nothing up
            calls += 1
            if self.rules.budget is not None and self.journal.cost >= self.rules.budget:
                self.made.stopped = True
                return
            entries.append(await self._ask(sample, entries))
        self._settle(sample, entries)

    async def _ask(self, sample: Sample, before: list[Entry]) -> Entry:
        written = [entry for entry in before if entry.text is not None]
        complaint = "; ".join(written[-1].problems) if written else ""
        entry = Entry(sample.id, self.name, len(before) + 1)
        try:
            said = await self.teacher(sample, complaint or None)
        except Exception as error:  # whatever a teacher does, the run goes on and the journal tells
            entry = replace(entry, error=f"{type(error).__name__}: {error}")
        else:
            cost = (said.tokens_in * self.rules.price_in + said.tokens_out * self.rules.price_out) / 1e6
            wrong = tuple(problems(said.text, sample, self.pack))
            entry = replace(
                entry, text=said.text, problems=wrong, tokens_in=said.tokens_in, tokens_out=said.tokens_out, cost=cost
            )
        self.journal.add(entry)
        return entry

    def _settle(self, sample: Sample, entries: list[Entry]) -> None:
        last = entries[-1] if entries else None
        if last and last.text is not None and last.accepted:
            self.made.reasoning[sample.id] = get_task(sample.task).read(last.text, sample, self.pack).reasoning or ""
        elif last:
            self.made.failed[sample.id] = last.error or "; ".join(last.problems)


def reasoned(samples: Iterable[Sample], made: Annotated) -> Iterable[Sample]:
    """The samples, with the reasoning that was written for them."""
    return (replace(s, reasoning=made.reasoning[s.id]) if s.id in made.reasoning else s for s in samples)

"""Reasoning for the samples of a data folder: asked for, checked, and put into the index."""

from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any
from zlib import crc32

from crabplus.datasets.avuie import index_path, read, write
from crabplus.datasets.medialist import Track
from crabplus.reasoning.annotate import Annotated, Rules, Teacher, annotate, reasoned
from crabplus.reasoning.journal import Journal
from crabplus.schema import Prediction, Sample

SHARE = 50  # one sample in so many is shown for audit
SHOWN = 5  # so many failures are told


@dataclass(frozen=True)
class Outcome:
    """What came of a run, and in words."""

    made: Annotated
    words: str


def journal_path(root: Path, key: str, split: str) -> Path:
    """Where the calls for a key and split are kept."""
    return root / key / "journal" / f"reasoning-{split}.jsonl"


def annotate_folder(
    root: Path, key: str, split: str, teacher: Teacher, name: str, rules: Rules, track: Track
) -> Outcome:
    """Annotate a split; the index then holds the reasoning that may stand.

    A run that was ended goes on where it was. A sample for which none may stand keeps what it had.
    """
    samples = list(read(root, key, split))
    with Journal(journal_path(root, key, split)) as journal:
        before = journal.cost
        made = _tracked(samples, teacher, name, journal, rules, track, key)
        spent = journal.cost - before
        tokens = sum(entry.tokens_in + entry.tokens_out for entry in journal.entries)
    write(root, key, split, reasoned(samples, made))
    path = index_path(root, key, split)
    words = [f"{key}/{split}: reasoning of {name} for {len(made.reasoning)} of {len(samples)} samples, in {path}"]
    if tokens:
        words.append(f"{tokens} tokens so far; this run cost {spent:.2f}")
    if made.stopped:
        words.append(f"stopped: the budget of {rules.budget:g} is used up; run it again with more to go on")
    failed = list(made.failed.items())
    words += [f"without: {sample}: {problem}" for sample, problem in failed[:SHOWN]]
    words += [f"and {len(failed) - SHOWN} more without"] if len(failed) > SHOWN else []
    return Outcome(made, "\n".join(words))


def _tracked(
    samples: list[Sample], teacher: Teacher, name: str, journal: Journal, rules: Rules, track: Track, key: str
) -> Annotated:
    """The run in a thread of its own, so that its progress can be iterated over here."""
    queue: SimpleQueue[Any] = SimpleQueue()
    result: list[Annotated] = []

    def work() -> None:
        try:
            result.append(annotate(samples, teacher, name, journal, rules, done=queue.put))
        except BaseException as error:
            queue.put(error)
        queue.put(None)

    thread = Thread(target=work, daemon=True)
    thread.start()
    for item in track(iter(queue.get, None), f"reasoning for {key}", len(samples)):
        if isinstance(item, BaseException):
            raise item
    thread.join()
    return result[0]


def audited(root: Path, key: str, split: str) -> list[tuple[Sample, Prediction | None]]:
    """One sample with reasoning in fifty, always the same, at least one; and the first refused attempts with why."""
    samples = {sample.id: sample for sample in read(root, key, split)}
    kept = [sample for sample in samples.values() if sample.reasoning]
    chosen = [sample for sample in kept if crc32(f"audit/{sample.id}".encode()) % SHARE == 0] or kept[:1]
    with Journal(journal_path(root, key, split)) as journal:
        refused = [entry for entry in journal.entries if entry.text and entry.problems and entry.id in samples]
    told = [Prediction(e.id, key, e.text, reason=f"refused: {'; '.join(e.problems)}") for e in refused[:SHOWN]]
    return [*((sample, None) for sample in chosen), *((samples[said.id], said) for said in told)]

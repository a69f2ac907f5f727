"""The demo: unseen clips, every key answered with the adapter on and off, scores and a page to look at."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crabplus.data import WithSource
from crabplus.data.scan import Track
from crabplus.evaluate import credit, evaluate, write_scores
from crabplus.models.source import Files
from crabplus.schema import Prediction, Sample, Score

SPLIT = "test"
SHOWN = 4  # clips of each key on the page


@dataclass(frozen=True)
class Demo:
    """What a demo made: scores with the adapter on and off, and where the page and the numbers are."""

    scores: dict[str, Score]
    off: dict[str, Score]
    report: Path
    numbers: Path


def run_demo(out: Path, samples: int, seed: int, track: Track) -> Demo:
    """Make ``samples`` clips of every key, answer them twice, and write ``report.html`` and ``scores.json``."""
    from crabplus.report.card import Card
    from crabplus.report.html import write_report
    from crabplus.tidepool.build import build
    from crabplus.tidepool.keys import KEYS

    data = out / "data"
    total = samples * len(KEYS)
    asked: list[Sample] = list(track(build(data, tuple(KEYS), SPLIT, samples, seed), "filming clips", total))
    plus = _load()
    said = list(track(_answer(plus, asked, data, True), "adapter on", total))
    bare = list(track(_answer(plus, asked, data, False), "adapter off", total))
    scores, off = evaluate(asked, said), evaluate(asked, bare)
    cards = [Card(a, p, data, credit(a, p)) for a, p in zip(asked, said, strict=True)]
    notes = (
        f"crabplus-tiny, a small Qwen2.5-Omni thinker with an I-LoRA adapter, met {total} clips that it had never "
        f"seen (seed {seed}). Decoding is greedy; every answer counts, unreadable ones as wrong."
    )
    report, numbers = out / "report.html", out / "scores.json"
    write_report(report, scores, cards, title="crabplus demo", notes=notes, off=off, cards_per_key=SHOWN)
    write_scores(numbers, scores, off)
    return Demo(scores, off, report, numbers)


def _load() -> Any:
    from crabplus.api import CrabPlus

    return CrabPlus.from_pretrained("tiny")


def _answer(plus: Any, asked: list[Sample], data: Path, adapter: bool) -> Iterator[Prediction]:
    from crabplus.generate import predict

    origin = plus.origin if adapter else {**plus.origin, "adapter": "none"}
    with nullcontext() if adapter else plus.model.thinker.disable_adapter():
        yield from predict(plus.model, WithSource(asked, Files(data)), plus.pack, 16, origin)

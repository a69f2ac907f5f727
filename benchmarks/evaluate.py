"""How long ten thousand predictions of each task key take to be evaluated, bootstrap included, on one core.

Answers are drawn: one in three is right, one in three wrong, one in three unreadable or missing. Results go to
``benchmarks/results/evaluate.json``. Run: python benchmarks/evaluate.py [--samples N] [--keys a,b]
"""

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from crabplus.evaluate import evaluate
from crabplus.schema import (
    Answer,
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Object,
    ObjectsAnswer,
    Prediction,
    Sample,
    TextAnswer,
)
from crabplus.tasks import TASKS

RESULTS = Path(__file__).parent / "results" / "evaluate.json"
WORDS = ["a", "the", "dog", "man", "woman", "car", "street", "plays", "sings", "barks", "runs", "loud", "and", "near"]
CLASSES = [f"class {n}" for n in range(28)]


def answer(key: str, rng: np.random.Generator) -> Answer:
    """Some answer that the key can have."""
    label = CLASSES[rng.integers(len(CLASSES))]
    start, length = int(rng.integers(0, 8)), int(rng.integers(1, 3))
    corner, side = rng.uniform(0, 0.5, 2), rng.uniform(0.2, 0.5, 2)
    box = (*corner.tolist(), *(corner + side).tolist())
    return {
        "matching": lambda: ChoiceAnswer(int(rng.integers(2))),
        "action recognition": lambda: LabelAnswer(label),
        "emotion recognition": lambda: LabelAnswer(label),
        "question answering": lambda: TextAnswer(label) if key == "avqa" else ChoiceAnswer(int(rng.integers(4))),
        "temporal localisation": lambda: EventsAnswer(
            tuple(Event(CLASSES[c], start, start + length, "audio" if key == "avvp" else "audio-visual")
                  for c in rng.integers(0, len(CLASSES), 1 if key == "ave" else 3))
        ),
        "spatial localisation": lambda: ObjectsAnswer((Object(label, box),)),
        "captioning": lambda: TextAnswer(" ".join(rng.choice(WORDS, 20))),
    }[TASKS[key].family]()  # fmt: skip


def draw(key: str, count: int) -> tuple[list[Sample], list[Prediction]]:
    """Samples of one key, and what a model said about two of three."""
    rng = np.random.default_rng(0)
    samples, said = [], []
    options = {"avqa_thu": ("a", "b", "c", "d"), "a2v": ("one", "two"), "v2a": ("one", "two")}.get(key, ())
    for n in range(count):
        true = answer(key, rng)
        meta = {"avqa": {"type": ["Audio", "Counting"]}, "avqa_thu": {"type": "Which"}}.get(key, {})
        samples.append(Sample(str(n), "drawn", key, "test", question="?", options=options, answer=true, meta=meta))
        luck = rng.integers(6)
        if luck < 5:
            made = true if luck < 2 else answer(key, rng) if luck < 4 else None
            said.append(Prediction(str(n), key, "text", made, reason=None if made else "no tag"))
    return samples, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--keys", default=",".join(TASKS))
    options = parser.parse_args()
    rows: dict[str, Any] = {}
    for key in options.keys.split(","):
        samples, said = draw(key, options.samples)
        start, used = time.perf_counter(), time.process_time()
        score = evaluate(samples, said, partial=True)[key]
        rows[key] = {"seconds": round(time.perf_counter() - start, 2), "cpu": round(time.process_time() - used, 2),
                     score.metric: round(score.score, 4), "ci95": [round(x, 4) for x in score.ci95]}  # fmt: skip
        print(f"{key:10}", rows[key], flush=True)
    facts = {
        "command": f"python benchmarks/evaluate.py --samples {options.samples}", "samples": options.samples,
        "machine": platform.machine(), "python": platform.python_version(), "numpy": np.__version__, "keys": rows,
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""How fast ``crabplus predict`` answers, against one sample after the other, on 100 Tidepool clips of each key.

One after the other: decode, then generate, as a few lines of a user's own would. The command's loop: in batches,
longest first, decoded ahead, each line written. Are the texts the same, and how long does the model wait for data?
Results go to ``benchmarks/results/predict.json``.
Run: python benchmarks/predict.py [--samples N] [--workers N] [--threads N]
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from machine import processor

from crabplus import generate as module
from crabplus.api import CrabPlus
from crabplus.data import WithSource, encode
from crabplus.generate import generate, predict
from crabplus.models.source import Files
from crabplus.predictions import PredictionFile
from crabplus.schema import Sample
from crabplus.tidepool.build import build
from crabplus.tidepool.keys import KEYS

RESULTS = Path(__file__).parent / "results" / "predict.json"
SEED = 2000


class Waiting:
    """Passes on what ``crabplus.generate`` decodes ahead, and adds up how long that keeps it waiting.

    Attributes:
        first: seconds until the first batch, when there is nothing to do meanwhile; later: all others together.
    """

    def __init__(self, made: Any) -> None:
        self.made, self.first, self.later = made, 0.0, 0.0

    def __call__(self, *arguments: Any) -> Iterator[Any]:
        batches, first = self.made(*arguments), True
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            if first:
                self.first = time.perf_counter() - start
            else:
                self.later += time.perf_counter() - start
            first = False
            yield batch


def one_by_one(plus: CrabPlus, data: WithSource) -> dict[str, str]:
    """Text of each sample, by its id."""
    said = {}
    for sample, source in (data[number] for number in range(len(data))):
        encoded = encode(plus.model, sample, source, plus.pack, target=False)
        said[sample.id] = generate(plus.model, [encoded], plus.pack.max_new_tokens)[0].text
    return said


def in_batches(plus: CrabPlus, data: WithSource, out: Path, workers: int) -> dict[str, str | None]:
    """The same by the loop of the command."""
    samples: list[Sample] = list(data.samples)
    file = PredictionFile(out, [(sample.task, sample.id) for sample in samples])
    made = predict(plus.model, data, plus.pack, 8, plus.origin, workers=workers, longest_first=True)
    said = {prediction.id: prediction.text for prediction in file.add(made)}
    file.read()
    file.gather()
    return said


def timed(run: Any, *arguments: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    made = run(*arguments)
    return made, time.perf_counter() - start


def measure(samples: int, workers: int) -> dict[str, Any]:
    """Both runs on the same clips."""
    plus = CrabPlus.from_pretrained("tiny", device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        data = WithSource(list(build(Path(folder), tuple(KEYS), "test", samples, SEED)), Files(folder))
        few = WithSource(data.samples[:: max(len(data) // 9, 1)], data.source)
        one_by_one(plus, few)
        single, slow = timed(one_by_one, plus, data)
        in_batches(plus, few, Path(folder) / "few.jsonl", 0)
        waiting = module._encoded = Waiting(module._encoded)  # type: ignore[assignment]
        batched, fast = timed(in_batches, plus, data, Path(folder) / "said.jsonl", workers)
    count = len(data)
    return {
        "samples": count, "one_by_one_per_s": round(count / slow, 3), "predict_per_s": round(count / fast, 3),
        "times": round(slow / fast, 2), "waiting_share": round((waiting.first + waiting.later) / fast, 4),
        "first_batch_s": round(waiting.first, 2), "same_texts": sum(single[name] == batched[name] for name in single),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100, help="clips of each key")
    parser.add_argument("--workers", type=int, default=0, help="processes that decode ahead; 0: a thread does")
    parser.add_argument("--threads", type=int, default=1, help="of torch, in both runs")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    facts = {
        "command": f"python benchmarks/predict.py --samples {options.samples} --workers {options.workers} "
        f"--threads {options.threads}",
        "data": f"tidepool, level standard, split test, seed {SEED}", "model": "tiny", "batch_size": 8,
        "torch": torch.__version__, "transformers": transformers.__version__, "python": platform.python_version(),
        "machine": processor(),
    }  # fmt: skip
    made = {**facts, **measure(options.samples, options.workers)}
    text = json.dumps(made, indent=1)
    print(text)
    RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

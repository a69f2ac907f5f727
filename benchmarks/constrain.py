"""What constrained decoding and leaving out the reasoning do to the answers of crabplus-tiny on unseen Tidepool clips.

For each key the official metric, its interval, the answers that cannot be read, and the seconds and characters of
generation, in four ways: with and without reasoning, held to the form of the answer or not. The tiny model was trained
with reasoning alone. Batches of the four ways take turns, so that what else the machine does falls on all of them.
Results go to ``benchmarks/results/constrain.json``. Run: python benchmarks/constrain.py [--samples N] [--keys a,b]
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers

sys.path.insert(0, str(Path(__file__).parent))
from machine import processor  # noqa: E402

from crabplus.api import CrabPlus  # noqa: E402
from crabplus.constrain import forms_of  # noqa: E402
from crabplus.data import encode  # noqa: E402
from crabplus.evaluate import evaluate  # noqa: E402
from crabplus.generate import generate  # noqa: E402
from crabplus.models.source import Files  # noqa: E402
from crabplus.schema import Prediction, Sample  # noqa: E402
from crabplus.tasks import get_task  # noqa: E402
from crabplus.tidepool.build import build  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "constrain.json"
WAYS = {
    f"reasoning {'on' if reasoning else 'off'}, {'constrained' if held else 'free'}": (reasoning, held)
    for reasoning in (True, False)
    for held in (False, True)
}
BATCH = 8


def answer(
    plus: CrabPlus, samples: list[Sample], source: Files, reasoning: bool, held: bool
) -> tuple[list[str], float]:
    """Texts of one batch, and the seconds of generation; media and prompts are made before."""
    encoded = [encode(plus.model, sample, source, plus.pack, target=False, reasoning=reasoning) for sample in samples]
    start = time.perf_counter()
    patterns = [forms_of(sample, plus.pack, reasoning, held) for sample in samples]
    said = generate(plus.model, encoded, plus.pack.max_new_tokens, patterns)
    return [one.text for one in said], time.perf_counter() - start


def measure(plus: CrabPlus, key: str, samples: list[Sample], source: Files) -> list[dict[str, Any]]:
    """A row of each way."""
    said: dict[str, list[str]] = {way: [] for way in WAYS}
    seconds = dict.fromkeys(WAYS, 0.0)
    for start in range(0, len(samples), BATCH):
        for way, (reasoning, held) in WAYS.items():
            texts, took = answer(plus, samples[start : start + BATCH], source, reasoning, held)
            said[way] += texts
            seconds[way] += took
    rows = []
    for way, texts in said.items():
        read = [get_task(key).read(text, sample, plus.pack) for sample, text in zip(samples, texts, strict=True)]
        made = [Prediction(s.id, key, t, r.answer, r.reasoning, r.reason)
                for s, t, r in zip(samples, texts, read, strict=True)]  # fmt: skip
        score = evaluate(samples, made)[key]
        rows.append({
            "key": key, "way": way, "metric": score.metric, "score": round(score.score, 4),
            "ci95": [round(side, 4) for side in score.ci95], "unparsable": score.unparsable, "n": score.n,
            "seconds": round(seconds[way], 2), "characters": round(sum(map(len, texts)) / len(texts), 1),
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=60, help="clips of each key")
    parser.add_argument("--keys", default="ave,avqa,arig")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    plus, rows = CrabPlus.from_pretrained("tiny"), []
    with tempfile.TemporaryDirectory() as folder:
        for key in options.keys.split(","):
            samples = list(build(Path(folder), [key], "test", options.samples, options.seed))
            for row in measure(plus, key, samples, Files(folder)):
                rows.append(row)
                print(key, row["way"], row["metric"], row["score"], row["ci95"], "unparsable", row["unparsable"],
                      row["seconds"], "s", row["characters"], "characters", flush=True)  # fmt: skip
    facts = {
        "command": f"python benchmarks/constrain.py --samples {options.samples} --keys {options.keys} --threads "
        f"{options.threads} --seed {options.seed}",
        "data": "tidepool, level standard, split test", **plus.origin, "pack": f"{plus.pack.name} {plus.pack.version}",
        "pack_hash": plus.pack.digest, "batch": BATCH, "max_new_tokens": plus.pack.max_new_tokens,
        "torch": torch.__version__, "transformers": transformers.__version__, "python": platform.python_version(),
        "machine": processor(), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

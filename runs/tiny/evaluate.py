"""Stage 5: the figures of the shipped model on 200 unseen clips of each key: results.json, with the answers beside it.

Adapter on, adapter off, the best constant answer, and how much of the way from there to a perfect score was gone; on
fewer clips the sound muted and the picture blanked, and a batch of 8 against one by one. In two processes.

Run: python runs/tiny/evaluate.py [samples]
"""

import json
import lzma
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from crabplus.api import CrabPlus
from crabplus.data import WithSource
from crabplus.evaluate import evaluate
from crabplus.generate import predict
from crabplus.models.source import Files
from crabplus.schema import Prediction, Sample, to_json
from crabplus.tasks import get_task
from crabplus.tidepool.build import build
from crabplus.tidepool.keys import KEYS

HERE = Path(__file__).parent
SEED, FEW, PROCESSES = 1000, 50, 2


class Muted(Files):
    """Files whose sound is silent."""

    def wave(self, media, rate):
        return np.zeros_like(super().wave(media, rate))


class Blanked(Files):
    """Files whose pictures are grey."""

    def frames(self, media, count, size):
        pictures, seconds = super().frames(media, count, size)
        return np.full_like(pictures, 128), seconds

    def image(self, media, size):
        return np.full_like(super().image(media, size), 128)


CONDITIONS = {"on": Files, "off": Files, "muted": Muted, "blanked": Blanked}


@cache
def _model() -> CrabPlus:
    torch.set_num_threads(1)
    return CrabPlus.from_pretrained("tiny")


def build_key(folder: str, key: str, count: int) -> list[Sample]:
    return list(build(Path(folder), (key,), "test", count, SEED))


def answers(folder: str, condition: str, samples: list[Sample], batch: int = 32) -> list[Prediction]:
    """What the model says in a worker process, in the order of the samples."""
    plus = _model()
    source = WithSource(samples, CONDITIONS[condition](folder))
    with plus.model.thinker.disable_adapter() if condition == "off" else nullcontext():
        return list(predict(plus.model, source, plus.pack, batch))


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        built = [pool.submit(build_key, folder, key, count) for key in KEYS]
        samples = {key: future.result() for key, future in zip(KEYS, track(built, "building"), strict=True)}
        jobs = {
            (condition, key): pool.submit(answers, folder, condition, samples[key][: _asked(condition, count)])
            for condition in CONDITIONS for key in KEYS
        }  # fmt: skip
        few = [samples[key][index] for index in range(min(FEW, count)) for key in KEYS][:FEW]
        eight, single = (pool.submit(answers, folder, "on", few, batch) for batch in (8, 1))
        said = {job: future.result() for job, future in zip(jobs, track(jobs.values(), "asking"), strict=True)}
        same = [a.text == b.text for a, b in zip(eight.result(), single.result(), strict=True)]
    results = {
        "command": f"python runs/tiny/evaluate.py {count}", "data": "tidepool, level standard, split test",
        "seed": SEED, "n": count, "n_muted_and_blanked": min(FEW, count),
        "batch_equals_single": f"{sum(same)} of {len(same)}",
        **{key: _row(key, samples[key], {condition: said[condition, key] for condition in CONDITIONS}) for key in KEYS},
    }  # fmt: skip
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    with lzma.open(HERE / "predictions.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(to_json(answer) + "\n" for key in KEYS for answer in said["on", key])
    print("\n".join(markdown(results)))


def _asked(condition: str, count: int) -> int:
    return count if condition in ("on", "off") else min(FEW, count)


def markdown(results: dict) -> list[str]:
    """The rows of the table in the README."""
    rows = []
    for key in KEYS:
        row = results[key]
        low, high = row["ci95"]
        cells = (f"{row[name]:.3f}" for name in ("adapter_off", "constant", "muted", "blanked"))
        rows.append(
            f"| `{key}` | {row['metric']} | **{row['adapter_on']:.3f}** ({low:.2f}–{high:.2f}) | {' | '.join(cells)} "
            f"| {row['way']:.2f} |"
        )
    return rows


def _row(key: str, samples: list[Sample], said: dict[str, list[Prediction]]) -> dict:
    scores = {name: evaluate(samples[: len(answers)], answers)[key] for name, answers in said.items()}
    on, task = scores["on"], get_task(key)
    perfect = float(task.judge([(sample, sample.answer) for sample in samples])[task.metric])
    return {
        "metric": on.metric, "adapter_on": round(on.score, 4), "adapter_off": round(scores["off"].score, 4),
        "muted": round(scores["muted"].score, 4), "blanked": round(scores["blanked"].score, 4),
        "constant": round(on.constant, 4), "perfect": round(perfect, 4), "ci95": [round(x, 4) for x in on.ci95],
        "way": round((on.score - on.constant) / (perfect - on.constant), 4), "unparsable": on.unparsable,
        "others": on.others,
    }  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)

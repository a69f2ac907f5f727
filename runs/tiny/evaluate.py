"""Stage 5: the figures of the shipped model on 200 unseen clips of each key: results.json, with the answers beside it.

Adapter on, adapter off, the best constant answer, and how much of the way from there to a perfect score was gone; on
fewer clips the sound muted and the picture blanked, and a batch of 8 against one by one.

Run: python runs/tiny/evaluate.py [samples]
"""

import json
import lzma
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console

from crabplus.api import CrabPlus
from crabplus.data import WithSource
from crabplus.evaluate import evaluate
from crabplus.generate import predict
from crabplus.models.source import Files
from crabplus.report.table import score_table
from crabplus.schema import Sample, to_json
from crabplus.tasks import get_task
from crabplus.tidepool.build import build
from crabplus.tidepool.keys import KEYS

HERE = Path(__file__).parent
SEED, FEW = 1000, 50


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


def main(count: int) -> None:
    plus = CrabPlus.from_pretrained("tiny")
    with tempfile.TemporaryDirectory() as folder:
        asked = list(build(Path(folder), tuple(KEYS), "test", count, SEED))
        few = [sample for sample in asked if int(sample.id.rsplit("-", 1)[1]) < FEW]

        def answers(source, samples, batch=32):
            return list(predict(plus.model, WithSource(samples, source), plus.pack, batch))

        on = answers(Files(folder), asked)
        eight, single = (answers(Files(folder), few[:: len(KEYS)], batch) for batch in (8, 1))
        scores = {
            "adapter_on": evaluate(asked, on),
            "muted": evaluate(few, answers(Muted(folder), few)),
            "blanked": evaluate(few, answers(Blanked(folder), few)),
        }
        with plus.model.thinker.disable_adapter():
            scores["adapter_off"] = evaluate(asked, answers(Files(folder), asked))
    table = score_table(scores["adapter_on"], scores["adapter_off"], title=f"{count} unseen clips a key")
    Console(width=140).print(table)
    same = [a.text == b.text for a, b in zip(eight, single, strict=True)]
    results = {
        "command": f"python runs/tiny/evaluate.py {count}", "data": "tidepool, level standard, split test",
        "seed": SEED, "n": count, "n_muted_and_blanked": min(FEW, count),
        "batch_equals_single": f"{sum(same)} of {len(same)}",
        **{key: _row(key, scores, [sample for sample in asked if sample.task == key]) for key in KEYS},
    }  # fmt: skip
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    with lzma.open(HERE / "predictions.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(to_json(answer) + "\n" for answer in on)
    print("\n".join(markdown(results)))


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


def _row(key: str, scores: dict, asked: list[Sample]) -> dict:
    on, task = scores["adapter_on"][key], get_task(key)
    perfect = float(task.judge([(sample, sample.answer) for sample in asked])[task.metric])
    return {
        "metric": on.metric, **{name: round(score[key].score, 4) for name, score in scores.items()},
        "constant": round(on.constant, 4), "perfect": round(perfect, 4), "ci95": [round(x, 4) for x in on.ci95],
        "way": round((on.score - on.constant) / (perfect - on.constant), 4), "unparsable": on.unparsable,
        "others": on.others,
    }  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)

"""Stage 4: the figures of the shipped model on 200 unseen clips of each key, written to results.json.

Adapter on, adapter off, the best constant answer; the sound muted and the picture blanked; a batch of 8 against one by
one. Run: python runs/tiny/evaluate.py [samples]
"""

import json
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
from crabplus.schema import Sample
from crabplus.tidepool.build import ask, build
from crabplus.tidepool.keys import KEYS

HERE = Path(__file__).parent
SEED = 1000


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

        def answers(source, batch=16, samples=asked):
            return list(predict(plus.model, WithSource(samples, source), plus.pack, batch))

        on = answers(Files(folder))
        few = [sample for key in KEYS for sample in asked if sample.task == key][:: max(len(asked) // 48, 1)]
        eight, single = (answers(Files(folder), batch, few) for batch in (8, 1))
        scores = {
            "adapter_on": evaluate(asked, on),
            "muted": evaluate(asked, answers(Muted(folder))),
            "blanked": evaluate(asked, answers(Blanked(folder))),
        }
        with plus.model.thinker.disable_adapter():
            scores["adapter_off"] = evaluate(asked, answers(Files(folder)))
    Console(width=140).print(
        score_table(scores["adapter_on"], scores["adapter_off"], title=f"{count} unseen clips a key")
    )
    results = {
        "command": f"python runs/tiny/evaluate.py {count}", "data": "tidepool, level standard, split test",
        "seed": SEED, "n": count, "batch_equals_single": [a.text == b.text for a, b in zip(eight, single, strict=True)],
        "visible_things_arig": float(np.mean([_visible(sample) for sample in asked if sample.task == "arig"])),
        "arig_muted_bound": float(np.mean([1 / _visible(s) for s in asked if s.task == "arig"])) + 0.1,
        **{key: _row(key, scores) for key in KEYS},
    }  # fmt: skip
    results["batch_equals_single"] = f"{sum(results['batch_equals_single'])} of {len(few)}"
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


def _row(key: str, scores: dict) -> dict:
    on = scores["adapter_on"][key]
    return {
        "metric": on.metric, **{name: round(score[key].score, 4) for name, score in scores.items()},
        "constant": round(on.constant, 4), "ci95": [round(x, 4) for x in on.ci95], "unparsable": on.unparsable,
        "others": on.others,
    }  # fmt: skip


def _visible(sample: Sample) -> int:
    """How many things can be seen in the scene of a test sample."""
    return len(ask(sample.task, "test", int(sample.id.rsplit("-", 1)[1]), SEED).scene.visible)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)

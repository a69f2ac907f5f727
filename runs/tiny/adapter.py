"""Stage 4: the I-LoRA adapter learns the nineteen task keys, with explicit reasoning, on the frozen base.

Run: python runs/tiny/adapter.py 1        (after base.py and ship.py base: a new adapter)
     python runs/tiny/adapter.py 2        (the adapter that is shipped learns on)
     torchrun --nproc-per-node 2 runs/tiny/adapter.py 3
"""

import sys
from pathlib import Path

from live import learn
from peft import PeftModel

import crabplus.ilora  # noqa: F401 - registers the method
from crabplus.config import AdapterSettings
from crabplus.models import load_model, resolve
from crabplus.tasks import load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from crabplus.train.adapters import prepare
from crabplus.train.muon import Muon

HERE = Path(__file__).parent
BATCH = 16
FIRST = {
    "a2v": 4, "v2a": 4, "ks": 5, "ucf": 3, "meld": 5, "mer24": 2, "cremad": 2, "mafw": 3, "dfew": 2, "avqa": 12,
    "avqa_thu": 9, "ave": 4, "unav": 7, "avvp": 6, "arig": 6, "s4": 6, "ms3": 8, "ref_avs": 8, "avcap": 4,
}  # fmt: skip
"""Shares by how much there is to learn: many kinds of question, several boxes, many times."""
LATER = {
    "a2v": 9, "v2a": 5, "ks": 4, "ucf": 2, "meld": 1, "mer24": 1, "cremad": 1, "mafw": 1, "dfew": 1, "avqa": 6,
    "avqa_thu": 10, "ave": 4, "unav": 11, "avvp": 10, "arig": 8, "s4": 8, "ms3": 8, "ref_avs": 14, "avcap": 3,
}  # fmt: skip
"""More of what was far from perfect after the second round: look-ups, boxes, times."""
ROUNDS = {1: (41, 3600, 3e-3, FIRST), 2: (42, 3000, 3e-3, FIRST), 3: (43, 3400, 2.5e-3, LATER)}
"""Seed, steps, highest learning rate and mixture."""


def main(number: int) -> None:
    seed, steps, rate, mixture = ROUNDS[number]
    pack = load_pack(resolve("tiny") + "/pack.yaml")
    model = load_model("tiny", pack.size, dtype="float32")
    if number > 1:
        model.thinker = PeftModel.from_pretrained(model.thinker, resolve("tiny") + "/adapter", is_trainable=True)
    else:
        prepare(model, AdapterSettings(kind="ilora", r=32, alpha=64, heads=3, dropout=0.0), ())
    learn(
        model, LiveSamples(mixture, KEYS, seed, steps * BATCH), pack, HERE / "checkpoints" / f"adapter_{number}",
        steps=steps, batch=BATCH, seed=seed, learning_rate=rate, warmup_steps=60, save_steps=100,
        optimizer=lambda thinker: Muon(thinker, rate, weight_decay=0.0),
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]))

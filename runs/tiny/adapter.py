"""Stage 4: the I-LoRA adapter learns the nineteen task keys, with explicit reasoning, on the frozen base.

Run: torchrun --nproc-per-node 2 runs/tiny/adapter.py   (after base.py and ship.py base; about 75 minutes)
"""

from pathlib import Path

from live import learn

import crabplus.ilora  # noqa: F401 - registers the method
from crabplus.config import AdapterSettings
from crabplus.models import load_model, resolve
from crabplus.tasks import load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from crabplus.train.adapters import prepare
from crabplus.train.muon import Muon

HERE = Path(__file__).parent
SEED, STEPS, BATCH, RATE = 51, 4000, 16, 3e-3
MIXTURE = {
    "a2v": 4, "v2a": 4, "ks": 6, "ucf": 3, "meld": 3, "mer24": 1, "cremad": 1, "mafw": 2, "dfew": 1, "avqa": 11,
    "avqa_thu": 9, "ave": 4, "unav": 9, "avvp": 9, "arig": 8, "s4": 7, "ms3": 9, "ref_avs": 9, "avcap": 3,
}  # fmt: skip
"""Shares by how much there is to learn: many kinds of question, several boxes, many times."""


def main() -> None:
    pack = load_pack(resolve("tiny") + "/pack.yaml")
    model = load_model("tiny", pack.size, dtype="float32")
    prepare(model, AdapterSettings(kind="ilora", r=32, alpha=64, heads=3, dropout=0.0), ())
    learn(
        model, LiveSamples(MIXTURE, KEYS, SEED, STEPS * BATCH), pack, HERE / "checkpoints/adapter", steps=STEPS,
        batch=BATCH, seed=SEED, learning_rate=RATE, warmup_steps=60, save_steps=100,
        optimizer=lambda thinker: Muon(thinker, RATE, weight_decay=0.0),
    )  # fmt: skip


if __name__ == "__main__":
    main()

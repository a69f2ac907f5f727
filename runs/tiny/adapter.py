"""Stage 4: the I-LoRA adapter learns the nineteen task keys, with explicit reasoning, on the frozen base.

Run: python runs/tiny/adapter.py   (after base.py and ship.py base)
"""

from pathlib import Path

from live import learn
from muon import Muon

from crabplus.config import AdapterSettings
from crabplus.models import load_model, resolve
from crabplus.tasks import load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from crabplus.train.adapters import prepare

HERE = Path(__file__).parent
SEED, STEPS, BATCH, RATE = 41, 3600, 24, 3e-3
MIXTURE = {
    "a2v": 4, "v2a": 4, "ks": 5, "ucf": 3, "meld": 5, "mer24": 2, "cremad": 2, "mafw": 3, "dfew": 2, "avqa": 12,
    "avqa_thu": 9, "ave": 4, "unav": 7, "avvp": 6, "arig": 6, "s4": 6, "ms3": 8, "ref_avs": 8, "avcap": 4,
}  # fmt: skip
"""Shares by how much there is to learn: many kinds of question, several boxes, many times."""

if __name__ == "__main__":
    pack = load_pack(resolve("tiny") + "/pack.yaml")
    model = load_model("tiny", pack.size, dtype="float32")
    prepare(model, AdapterSettings(kind="ilora", r=32, alpha=64, heads=3, dropout=0.0), ())
    learn(
        model, LiveSamples(MIXTURE, KEYS, SEED, STEPS * BATCH), pack, HERE / "checkpoints/adapter", steps=STEPS,
        batch=BATCH, seed=SEED, learning_rate=RATE, warmup_steps=60, save_steps=200,
        optimizer=lambda thinker: Muon(thinker, RATE, weight_decay=0.0),
    )  # fmt: skip

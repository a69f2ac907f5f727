"""Stage 4: the I-LoRA adapter learns the nineteen task keys, with explicit reasoning, on the frozen base.

Run: python runs/tiny/adapter.py          (after base.py and ship.py base: a new adapter)
     python runs/tiny/adapter.py --more   (the adapter that is shipped learns on)
"""

import sys
from pathlib import Path

from live import learn
from muon import Muon
from peft import PeftModel

import crabplus.ilora  # noqa: F401 - registers the method
from crabplus.config import AdapterSettings
from crabplus.models import load_model, resolve
from crabplus.tasks import load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from crabplus.train.adapters import prepare

HERE = Path(__file__).parent
MORE = "--more" in sys.argv
SEED, STEPS, BATCH, RATE = (42, 3600, 16, 3e-3) if MORE else (41, 3600, 16, 3e-3)
MIXTURE = {
    "a2v": 4, "v2a": 4, "ks": 5, "ucf": 3, "meld": 5, "mer24": 2, "cremad": 2, "mafw": 3, "dfew": 2, "avqa": 12,
    "avqa_thu": 9, "ave": 4, "unav": 7, "avvp": 6, "arig": 6, "s4": 6, "ms3": 8, "ref_avs": 8, "avcap": 4,
}  # fmt: skip
"""Shares by how much there is to learn: many kinds of question, several boxes, many times."""

if __name__ == "__main__":
    pack = load_pack(resolve("tiny") + "/pack.yaml")
    model = load_model("tiny", pack.size, dtype="float32")
    if MORE:
        model.thinker = PeftModel.from_pretrained(model.thinker, resolve("tiny") + "/adapter", is_trainable=True)
    else:
        prepare(model, AdapterSettings(kind="ilora", r=32, alpha=64, heads=3, dropout=0.0), ())
    out = HERE / "checkpoints" / ("adapter_more" if MORE else "adapter")
    learn(
        model, LiveSamples(MIXTURE, KEYS, SEED, STEPS * BATCH), pack, out, steps=STEPS, batch=BATCH, seed=SEED,
        learning_rate=RATE, warmup_steps=60, save_steps=100,
        optimizer=lambda thinker: Muon(thinker, RATE, weight_decay=0.0),
    )  # fmt: skip

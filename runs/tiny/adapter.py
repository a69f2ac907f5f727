"""Stage 5: the I-LoRA adapter learns the task keys, with explicit reasoning, on the frozen base.

Run: python runs/tiny/adapter.py          (after base.py and ship.py base: a new adapter)
     python runs/tiny/adapter.py --more   (the adapter that is shipped learns on)
"""

import sys
from pathlib import Path

from muon import Muon
from peft import PeftModel

import crabplus.ilora  # noqa: F401 - registers the method
from crabplus.config import AdapterSettings, TrainSettings
from crabplus.models import load_model, resolve
from crabplus.tasks import load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from crabplus.train import train

HERE = Path(__file__).parent
MORE = "--more" in sys.argv
SEED, STEPS, BATCH, RATE = (11, 3000, 16, 2.5e-3) if MORE else (9, 2400, 16, 3e-3)
MIXTURE = dict(ave=0.2, avqa=0.38, arig=0.42) if MORE else dict(ave=0.23, avqa=0.35, arig=0.42)

if __name__ == "__main__":
    pack = load_pack(resolve("tiny") + "/pack.yaml")
    model = load_model("tiny", pack.size, dtype="float32")
    new = AdapterSettings(kind="ilora", r=32, alpha=64, heads=3, dropout=0.0)
    if MORE:
        model.thinker = PeftModel.from_pretrained(model.thinker, resolve("tiny") + "/adapter", is_trainable=True)
    settings = TrainSettings(
        out=str(HERE / "checkpoints" / ("adapter_more" if MORE else "adapter")),
        adapter=AdapterSettings(kind="none") if MORE else new,
        seed=SEED,
        arguments=dict(
            max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=RATE, lr_scheduler_type="cosine",
            warmup_steps=60, max_grad_norm=1.0, logging_steps=25, save_steps=250,
            save_total_limit=2, dataloader_num_workers=1, use_cpu=True, disable_tqdm=True,
        ),
    )  # fmt: skip
    samples = LiveSamples(MIXTURE, KEYS, SEED, STEPS * BATCH)
    train(model, samples, pack, settings, "--resume" in sys.argv, lambda thinker: Muon(thinker, RATE, weight_decay=0.0))

"""Stage 3: the I-LoRA adapter learns the task keys, with explicit reasoning, on the frozen base.

Run: python runs/tiny/adapter.py   (after base.py and ship.py base)
"""

import sys
from pathlib import Path

from crabplus.config import AdapterSettings, TrainSettings
from crabplus.models import load_model, resolve
from crabplus.tasks import load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from crabplus.train import train

HERE = Path(__file__).parent
SEED, STEPS, BATCH = 3, 1400, 16
MIXTURE = {"ave": 0.25, "avqa": 0.35, "arig": 0.40}

if __name__ == "__main__":
    pack = load_pack(resolve("tiny") + "/pack.yaml")
    model = load_model("tiny", pack.size, dtype="float32")
    settings = TrainSettings(
        out=str(HERE / "checkpoints" / "adapter"),
        adapter=AdapterSettings(kind="ilora", r=32, alpha=64, heads=3, dropout=0.0),
        seed=SEED,
        arguments=dict(
            max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=3e-3, lr_scheduler_type="cosine",
            warmup_steps=60, weight_decay=0.0, adam_beta2=0.98, max_grad_norm=1.0, logging_steps=25, save_steps=200,
            save_total_limit=2, dataloader_num_workers=1, use_cpu=True, disable_tqdm=True,
        ),
    )  # fmt: skip
    train(model, LiveSamples(MIXTURE, KEYS, SEED, STEPS * BATCH), pack, settings, resume="--resume" in sys.argv)

"""Stage 2: the perception base. Its language model learns to name what the towers of stage 1 hear and see, in the words
of the perception prompts; no task key is among them.

Run: python runs/tiny/base.py   (after towers.py and create.py; continues from its last checkpoint)
"""

import sys
from pathlib import Path

from crabplus.config import AdapterSettings, TrainSettings
from crabplus.models import load_model
from crabplus.tasks import load_pack
from crabplus.tidepool.live import LiveSamples
from crabplus.tidepool.perception import PERCEPTION
from crabplus.train import train

HERE = Path(__file__).parent
SEED, STEPS, BATCH = 2, 2000, 16
MIXTURE = {"hear": 0.22, "start": 0.06, "look": 0.36, "find": 0.20, "watch": 0.16}

if __name__ == "__main__":
    pack = load_pack(HERE.parents[1] / "src/crabplus/assets/tiny/pack.yaml")
    model = load_model(HERE / "checkpoints" / "start", pack.size, dtype="float32")
    for part in ("vision", "audio"):
        model.thinker.get_submodule(model.parts[part]).requires_grad_(False)
    settings = TrainSettings(
        out=str(HERE / "checkpoints" / "base"),
        adapter=AdapterSettings(kind="none"),
        seed=SEED,
        arguments=dict(
            max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=1.5e-3, lr_scheduler_type="cosine",
            warmup_steps=80, weight_decay=0.02, adam_beta2=0.98, max_grad_norm=1.0, logging_steps=25, save_steps=300,
            save_total_limit=2, dataloader_num_workers=1, use_cpu=True, disable_tqdm=True,
        ),
    )  # fmt: skip
    out = train(
        model, LiveSamples(MIXTURE, PERCEPTION, SEED, STEPS * BATCH), pack, settings, resume="--resume" in sys.argv
    )
    model.processor.save_pretrained(out)

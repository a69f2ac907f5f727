"""Puts a finished stage into the package: ``base`` as float16 weights with tokenizer and processor, or ``adapter``.

Run: python runs/tiny/ship.py base|adapter [FOLDER]   (the folder of a checkpoint, by default the last stage's end)
"""

import json
import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import Qwen2_5OmniProcessor

from crabplus.models import load_model
from crabplus.tasks import load_pack

HERE = Path(__file__).parent
ASSETS = HERE.parents[1] / "src/crabplus/assets/tiny"
CHECKPOINTS = HERE / "checkpoints"


def ship_base(source: Path) -> None:
    """The adapter is trained on these rounded weights, so what is shipped is what it knows."""
    pack = load_pack(ASSETS / "pack.yaml")
    Qwen2_5OmniProcessor.from_pretrained(CHECKPOINTS / "start").save_pretrained(source)
    model = load_model(source, pack.size, dtype="float32")
    model.thinker.half().save_pretrained(ASSETS)
    model.processor.save_pretrained(ASSETS)


def ship_adapter(source: Path) -> None:
    target = ASSETS / "adapter"
    target.mkdir(exist_ok=True)
    weights = load_file(source / "adapter_model.safetensors")
    save_file(
        {key: value.half() for key, value in weights.items()}, target / "adapter_model.safetensors", {"format": "pt"}
    )
    config = json.loads((source / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "tiny"  # no path of the machine that trained it
    (target / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


STAGES = {"base": (ship_base, "base_e/final"), "adapter": (ship_adapter, "adapter/final")}

if __name__ == "__main__":
    ship, folder = STAGES[sys.argv[1]]
    ship(Path(sys.argv[2]) if len(sys.argv) > 2 else CHECKPOINTS / folder)
    for log in CHECKPOINTS.glob(f"{sys.argv[1]}*/log.jsonl"):
        shutil.copy(log, HERE / "logs" / f"{log.parent.name}.jsonl")
    print(f"{sum(p.stat().st_size for p in ASSETS.rglob('*.safetensors')) / 1e6:.1f} MB of weights in assets/tiny")

"""Puts a finished stage into the package: ``base`` as float16 weights with tokenizer and processor, or ``adapter``.

Run: python runs/tiny/ship.py base|adapter
"""

import json
import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from crabplus.models import load_model
from crabplus.tasks import load_pack

HERE = Path(__file__).parent
ASSETS = HERE.parents[1] / "src/crabplus/assets/tiny"


def ship_base() -> None:
    """The adapter is trained on these rounded weights, so what is shipped is what it knows."""
    pack = load_pack(ASSETS / "pack.yaml")
    model = load_model(HERE / "checkpoints" / "base_e" / "final", pack.size, dtype="float32")
    model.thinker.half().save_pretrained(ASSETS)
    model.processor.save_pretrained(ASSETS)


def ship_adapter() -> None:
    source, target = HERE / "checkpoints" / "adapter_more" / "final", ASSETS / "adapter"
    target.mkdir(exist_ok=True)
    weights = load_file(source / "adapter_model.safetensors")
    save_file(
        {key: value.half() for key, value in weights.items()}, target / "adapter_model.safetensors", {"format": "pt"}
    )
    config = json.loads((source / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "tiny"  # no path of the machine that trained it
    (target / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for name in (p.parent.name for p in (HERE / "checkpoints").glob("*/log.jsonl")):
        shutil.copy(HERE / "checkpoints" / name / "log.jsonl", HERE / "logs" / f"{name}.jsonl")


if __name__ == "__main__":
    {"base": ship_base, "adapter": ship_adapter}[sys.argv[1]]()
    print(f"{sum(p.stat().st_size for p in ASSETS.rglob('*.safetensors')) / 1e6:.1f} MB of weights in assets/tiny")

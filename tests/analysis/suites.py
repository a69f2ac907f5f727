"""Very small suites of two keys, for the tests of suites and the benchmark that kills them."""

from pathlib import Path
from typing import Any

import yaml

from crabplus.tidepool.build import build

KEYS = ("ave", "arig")


def clips(folder: Path, train: int, test: int) -> Path:
    """A data folder with some clips of each key."""
    for split, count in (("train", train), ("test", test)):
        assert sum(1 for _ in build(folder, KEYS, split, count, seed=5)) == 2 * count
    return folder


def content(data: Path, **changes: Any) -> dict[str, Any]:
    """Settings of a suite with two methods: one learns each key alone, the other both together."""
    arguments = {"per_device_train_batch_size": 2, "learning_rate": 1e-2, "logging_steps": 1, "use_cpu": True}
    return {
        "suite": "small", "keys": list(KEYS), "single": ["lora"], "multi": ["ilora"], "per_key": 2, "save_every": 2,
        "base": {
            "dtype": "float32", "data": {"folder": data.as_posix()}, "adapter": {"r": 4, "alpha": 8},
            "arguments": arguments,
        },
        "methods": {
            "lora": {"adapter": {"kind": "lora"}},
            "ilora": {"adapter": {"heads": 2}, "data": {"reasoning": "off"}},
        },
        "ask": {"samples": 3, "batch_size": 2}, "encoded": 0.1, **changes,
    }  # fmt: skip


def write(file: Path, made: dict[str, Any]) -> Path:
    """A suite file."""
    file.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    return file


def answers(out: Path) -> dict[str, bytes]:
    """What every cell of a suite answered; it says which weights did, too."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.glob("runs/*/*/*/predictions.jsonl")}

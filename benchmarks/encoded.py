"""A training step of the tiny model: with towers, with towers and cached media, and from kept outputs of the towers.

All three read from warm caches where they have any, with one thread and no data workers, one after the other in turns,
so that a busy machine slows all alike: the ratios count, in processor time of this process and its decoder. Results go
to ``benchmarks/results/encoded.json``.
Run: python benchmarks/encoded.py [--clips N] [--batch N] [--steps N] [--turns N]
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from machine import processor
from transformers import TrainerCallback

from crabplus.config import make_config
from crabplus.tidepool.build import build
from crabplus.train import check, train

RESULTS = Path(__file__).parent / "results"
KEYS = ("ave", "avqa", "arig")
WAYS = ("towers", "towers, media cached", "outputs kept")


class Clock(TrainerCallback):
    """Seconds of processor time after every step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.times.append(spent())


def spent() -> float:
    """Of this process, and of its decoder."""
    me = psutil.Process(os.getpid())
    children = [child.cpu_times() for child in me.children(recursive=True)]
    return time.process_time() + sum(one.user + one.system for one in children)


def step(folder: Path, out: Path, way: str, options: Any) -> float:
    """Mean seconds of a step, without the first epoch, in which caches are filled."""
    epoch = len(KEYS) * options.clips // options.batch
    more: dict[str, Any] = {}
    if way != WAYS[0]:
        name = "encoded" if way == WAYS[2] else "cache"
        more = {name: {"folder": str(folder / name), "gib": 2}}
    config = make_config({
        "out": str(out), "dtype": "float32", "data": {"folder": str(folder / "data"), "keys": list(KEYS)},
        "adapter": {"kind": "ilora", "r": 16, "alpha": 32, "dropout": 0.0}, **more,
        "arguments": {
            "max_steps": epoch + options.steps, "per_device_train_batch_size": options.batch, "learning_rate": 1e-3,
            "use_cpu": True, "save_strategy": "no", "report_to": "none", "dataloader_num_workers": 0,
        },
    })  # fmt: skip
    clock = Clock()
    train(check(config), callbacks=[clock])
    return (clock.times[-1] - clock.times[epoch]) / (options.steps - 1)


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("clips", 16), ("batch", 16), ("steps", 6), ("turns", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        list(build(folder / "data", KEYS, "train", options.clips, seed=3000))
        for turn in range(options.turns):
            for number, way in enumerate(WAYS):
                rows[way].append(step(folder, folder / f"run-{turn}-{number}", way, options))
    best = {way: min(times) for way, times in rows.items()}
    made = {
        "command": "python benchmarks/encoded.py " + " ".join(f"--{n} {v}" for n, v in vars(options).items()),
        "machine": processor(), "torch": torch.__version__, "adapter": "ilora, r 16, 3 heads",
        "seconds_per_step": {way: [round(t, 3) for t in times] for way, times in rows.items()},
        "times_faster": {way: round(best[way] / best[WAYS[2]], 2) for way in WAYS[:2]},
    }  # fmt: skip
    print(json.dumps(made, indent=1))
    (RESULTS / "encoded.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Training samples per second of the tiny model on Tidepool, against a loop written the way it is usually done.

The usual loop: every sample is decoded in every epoch, batches are drawn at random and padded on the right, the heads
of the adapter are computed one by one, and logits are computed for every token. Ours: ``crabplus train`` as it is, with
its cache. Both have the same samples, batch, optimiser, adapter size and number of data workers. Then: is memory flat
over many steps? Results go to ``benchmarks/results/training.json``.
Run: python benchmarks/training.py [--clips N] [--epochs N] [--batch N] [--workers N] [--threads N] [--steps N]
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ilora"))
from loop import loop  # noqa: E402
from machine import processor  # noqa: E402

from crabplus.config import make_config  # noqa: E402
from crabplus.data import WithSource, encode  # noqa: E402
from crabplus.ilora import Linear  # noqa: E402
from crabplus.models import load_model  # noqa: E402
from crabplus.models.source import Files  # noqa: E402
from crabplus.tidepool.build import build  # noqa: E402
from crabplus.tidepool.keys import KEYS  # noqa: E402
from crabplus.train import check, train  # noqa: E402
from crabplus.train.adapters import prepare  # noqa: E402

RESULTS = Path(__file__).parent / "results"
RATE = 1e-3
LONG = 2  # samples in each of the many steps
ADAPTER = {"r": 32, "alpha": 64, "heads": 3, "dropout": 0.1}


class PerHead(Linear):
    """The adapter with one head after the other, each brought to the full width."""

    def adapt(self, base: Any, x: Any, adapter_name: str) -> Any:
        a, b, router = (group[adapter_name] for group in self.parameter_groups())
        dropped = torch.nn.functional.dropout(x, self.ilora_dropout[adapter_name], self.training)
        return base + loop(x, a, b, router, self.scaling[adapter_name], dropped)


class Decoded(Dataset[Any]):
    """Every sample decoded whenever it is asked for."""

    def __init__(self, encoder: Any, samples: WithSource, pack: Any) -> None:
        self.encoder, self.samples, self.pack = encoder, samples, pack

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Any:
        sample, source = self.samples[number]
        return encode(self.encoder, sample, source, self.pack, target=True)


class Right:
    """Pads on the right."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def __call__(self, items: list[Any]) -> Any:
        return self.encoder.collate(items, side="right")


def config_of(data: Path, out: Path, options: Any, steps: int, batch: int) -> Any:
    return make_config({
        "out": str(out), "dtype": "float32", "data": {"folder": str(data), "keys": list(KEYS)}, "adapter": ADAPTER,
        "cache": {"folder": str(out / "cache"), "gib": 2},
        "arguments": {
            "max_steps": steps, "per_device_train_batch_size": batch, "learning_rate": RATE, "use_cpu": True,
            "logging_steps": 1, "save_strategy": "no", "report_to": "none", "dataloader_num_workers": options.workers,
            "dataloader_persistent_workers": options.workers > 0,
        },
    })  # fmt: skip


def usual(plan: Any, data: Path, options: Any) -> list[float]:
    """Seconds of each epoch of the usual loop."""
    torch.manual_seed(0)
    model = load_model("tiny", plan.pack.size, dtype="float32")
    prepare(model, plan.config.adapter, ())
    for module in model.thinker.modules():
        if type(module) is Linear:
            module.__class__ = PerHead
    decoded = Decoded(model.encoder, WithSource(plan.samples, Files(data)), plan.pack)
    loader: Any = DataLoader(
        decoded, options.batch, shuffle=True, collate_fn=Right(model.encoder), num_workers=options.workers,
        persistent_workers=options.workers > 0,
    )  # fmt: skip
    trained = [parameter for parameter in model.thinker.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATE)
    model.thinker.train()
    seconds = []
    for _ in range(options.epochs):
        start = time.perf_counter()
        for batch in loader:
            model.thinker(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad()
        seconds.append(time.perf_counter() - start)
    return seconds


def ours(plan: Any) -> list[dict[str, float]]:
    """What ``crabplus train`` logs of each step."""
    train(plan)
    lines = (Path(plan.config.out) / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if "loss" in row]


def measure(options: Any, folder: Path) -> dict[str, Any]:
    """Both loops, one after the other; then many steps of ours."""
    data = folder / "data"
    count = sum(1 for _ in build(data, tuple(KEYS), "train", options.clips, seed=3000))
    per_epoch = count // options.batch
    plan = check(config_of(data, folder / "short", options, per_epoch * options.epochs, options.batch), quiet)
    usual_rates = [count / seconds for seconds in usual(plan, data, options)]
    rows = ours(plan)
    epochs = [rows[n * per_epoch : (n + 1) * per_epoch] for n in range(options.epochs)]
    our_rates = [len(epoch) * options.batch / sum(options.batch / row["samples_per_second"] for row in epoch)
                 for epoch in epochs]  # fmt: skip
    warm = [row for epoch in epochs[1:] for row in epoch]
    times = [options.batch / row["samples_per_second"] for row in warm]
    waiting = sum(row["waiting"] * spent for row, spent in zip(warm, times, strict=True)) / sum(times)
    made: dict[str, Any] = {
        "samples": count, "usual_per_s": [round(rate, 2) for rate in usual_rates],
        "crabplus_per_s": [round(rate, 2) for rate in our_rates],
        "times_from_second_epoch": round(mean(our_rates[1:]) / mean(usual_rates[1:]), 2),
        "waiting_share_warm": round(waiting, 4),
    }  # fmt: skip
    if options.steps:
        long = ours(check(config_of(data, folder / "long", options, options.steps, LONG), quiet))
        memory = [row["memory_gib"] for row in long]
        made["memory_gib"] = {str(step): memory[step - 1] for step in marks(options.steps)}
    return made


def marks(steps: int) -> list[int]:
    return [max(1, steps * part // 10) for part in (1, 2, 4, 6, 8, 10)]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def quiet(items: Any, heading: str, total: int) -> Any:
    return items


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("clips", 40), ("epochs", 3), ("batch", 8), ("workers", 1), ("threads", 2), ("steps", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        made = measure(options, Path(folder))
    facts = {
        "command": "python benchmarks/training.py "
        + " ".join(f"--{name} {value}" for name, value in vars(options).items()),
        "data": "tidepool, level standard, split train, seed 3000", "model": "tiny", "adapter": ADAPTER,
        "torch": torch.__version__, "machine": processor(), **made,
    }  # fmt: skip
    print(json.dumps(facts, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

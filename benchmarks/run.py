"""I-LoRA's linear layer against PEFT's LoRA of the same rank: time of forward + backward, and the ratio.

The two are timed in turn within each round, so that what else the machine does falls on both. Medians and interquartile
ranges are printed and written to ``benchmarks/results/ilora.json``, the ratio of the work beside the ratio of times.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn

from crabplus.ilora import ILoraConfig, Linear

RESULTS = Path(__file__).parent / "results" / "ilora.json"
LAYERS = ((3584, 3584), (3584, 18944), (18944, 3584))
TOKENS = (1, 64, 512)
RANK, ALPHA, HEADS = 128, 256, 3


def layers(size: tuple[int, int]) -> dict[str, nn.Module]:
    """The two adapters around one frozen layer."""
    base = nn.Linear(*size, bias=False).requires_grad_(False)
    lora = LoraLinear(base, "default", config=LoraConfig(r=RANK, lora_alpha=ALPHA), r=RANK, lora_alpha=ALPHA)
    ours = Linear(base, "default", ILoraConfig(r=RANK, lora_alpha=ALPHA, num_heads=HEADS, init_weights=False))
    return {"lora": lora, "ilora": ours}


def work_ratio(inside: int, outside: int) -> float:
    """Multiplications of I-LoRA's layer over those of LoRA's, forward and backward, the frozen product included."""
    # frozen weight: forward and gradient of x (2 products); an adapter weight: these and its own gradient (3)
    frozen = 2 * inside * outside
    lora = frozen + 3 * RANK * (inside + outside)
    ours = frozen + 3 * (RANK * inside + HEADS * RANK * outside + HEADS * inside)
    return ours / lora


def step(layer: nn.Module, x: Tensor, grad: Tensor) -> Callable[[], None]:
    def run() -> None:
        x.grad = None
        layer.zero_grad(set_to_none=True)
        layer(x).backward(grad)

    return run


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(size: tuple[int, int], tokens: int, rounds: int) -> dict[str, Any]:
    """Times of both adapters on one layer, in milliseconds."""
    x, grad = torch.randn(1, tokens, size[0], requires_grad=True), torch.randn(1, tokens, size[1])
    runs = {name: step(layer, x, grad) for name, layer in layers(size).items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(rounds + 1):
        for name, run in runs.items():
            taken = 1000 * seconds(run)
            if round_number:  # the first round warms up
                times[name].append(taken)
    medians = {name: statistics.median(values) for name, values in times.items()}
    quartiles = {name: statistics.quantiles(values, n=4) for name, values in times.items()}
    return {
        "in": size[0],
        "out": size[1],
        "tokens": tokens,
        "ms": {name: round(value, 3) for name, value in medians.items()},
        "iqr_ms": {name: round(q[2] - q[0], 3) for name, q in quartiles.items()},
        "ratio": round(medians["ilora"] / medians["lora"], 3),
        "work_ratio": round(work_ratio(*size), 3),
    }


def line(row: dict[str, Any]) -> str:
    """One row of the printed table."""
    times = [f"{row['ms'][name]:9.1f} +- {row['iqr_ms'][name]:6.1f}" for name in ("lora", "ilora")]
    layer = f"{row['in']:>6} > {row['out']:>5} {row['tokens']:>6}"
    return f"{layer} {times[0]} {times[1]} {row['ratio']:6.2f} {row['work_ratio']:8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds per layer, at least 2")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    rows = []
    print(f"{'layer':>14} {'tokens':>6} {'LoRA ms':>19} {'I-LoRA ms':>19} {'ratio':>6} {'of work':>8}")
    for size in LAYERS:
        for tokens in TOKENS:
            row = measure(size, tokens, options.rounds)
            rows.append(row)
            print(line(row))
    facts = {
        "what": "forward + backward, float32, batch 1, median and interquartile range of interleaved rounds",
        "rank": RANK, "heads": HEADS, "rounds": options.rounds, "threads": options.threads,
        "torch": torch.__version__, "machine": platform.machine(), "system": platform.system(),
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

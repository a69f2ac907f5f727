"""I-LoRA's layer against PEFT's LoRA and against the published loop over heads: time, and what autograd keeps.

What a row compares is timed in turn within each round, so that what else the machine does falls on all of it; a row
has medians and interquartile ranges. ``total`` is the whole layer over PEFT's LoRA of the same rank, with the ratio of
multiplications beside it; ``branch`` is what the adapter adds to a given base output, over PEFT's LoRA of about as many
parameters and over the loop. Results go to ``benchmarks/results/ilora.json``.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig
from peft import __version__ as peft_version
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ilora"))
from loop import loop  # noqa: E402
from machine import processor  # noqa: E402

from crabplus.ilora import ILoraConfig, Linear  # noqa: E402

RESULTS = Path(__file__).parent / "results"
LAYERS = ((3584, 3584), (3584, 18944), (18944, 3584))
TOKENS = (1, 64, 512)
RANK, ALPHA, HEADS = 128, 256, 3
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Run = Callable[[Tensor], Tensor]


class Bench:
    """The layers of one size: frozen base, PEFT's LoRA of rank R and of equal size, I-LoRA."""

    def __init__(self, size: tuple[int, int], dtype: torch.dtype, device: str, dropout: float = 0.0) -> None:
        make = {"dtype": dtype, "device": device}
        self.base = nn.Linear(*size, bias=False, **make).requires_grad_(False)
        self.equal_rank = round(self._parameters(*size) / sum(size))
        self.lora, self.equal = (self._lora(rank, dropout).to(**make) for rank in (RANK, self.equal_rank))
        settings = ILoraConfig(r=RANK, lora_alpha=ALPHA, num_heads=HEADS, lora_dropout=dropout, init_weights=False)
        self.ours = Linear(self.base, "default", settings).to(**make)
        self.scaling = ALPHA / RANK

    @staticmethod
    def _parameters(inside: int, outside: int) -> int:
        return RANK * inside + HEADS * (RANK * outside + inside)

    def _lora(self, rank: int, dropout: float) -> LoraLinear:
        settings = LoraConfig(r=rank, lora_alpha=ALPHA, lora_dropout=dropout, init_lora_weights=False)
        return LoraLinear(self.base, "default", config=settings, r=rank, lora_alpha=ALPHA)

    def loop_branch(self, x: Tensor, base: Tensor) -> Tensor:
        """The loop, as published: every head is brought to the full width, and the result added."""
        return base + loop(x, *(group["default"] for group in self.ours.parameter_groups()), self.scaling)

    def lora_branch(self, x: Tensor, base: Tensor) -> Tensor:
        """What PEFT's LoRA of equal size adds, in PEFT's own words."""
        a, b = self.equal.lora_A["default"], self.equal.lora_B["default"]
        return base + b(a(x)) * self.equal.scaling["default"]

    def totals(self) -> dict[str, Run]:
        """Whole layers."""
        return {"lora": self.lora, "ilora": self.ours, "loop": lambda x: self.loop_branch(x, self.base(x))}

    def branches(self, base: Tensor) -> dict[str, Run]:
        """Adapters alone, on a base output that is given."""
        return {
            "equal": lambda x: self.lora_branch(x, base),
            "ilora": lambda x: self.ours.adapt(base, x, "default"),
            "loop": lambda x: self.loop_branch(x, base),
        }

    def work(self, size: tuple[int, int]) -> dict[str, float]:
        """Multiplications of I-LoRA's layer over those of LoRA's: forward, and forward with backward.

        The frozen product counts once forward and once for the gradient of x, an adapter's once more for its own.
        """
        inside, outside = size
        frozen, lora = inside * outside, RANK * (inside + outside)
        ours = self._parameters(inside, outside)
        return {
            "forward": (frozen + ours) / (frozen + lora),
            "both": (2 * frozen + 3 * ours) / (2 * frozen + 3 * lora),
        }


def interleaved(runs: dict[str, Callable[[], Any]], rounds: int, wait: Callable[[], None]) -> dict[str, list[float]]:
    """Milliseconds of each run in each round; the first round warms up and does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            wait()
            start = time.perf_counter()
            run()
            wait()
            if number:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def forward(run: Run, x: Tensor) -> Callable[[], Any]:
    """A forward pass that keeps nothing."""

    def call() -> None:
        with torch.no_grad():
            run(x)

    return call


def both(run: Run, x: Tensor, grad: Tensor, parameters: list[Tensor]) -> Callable[[], Any]:
    """A forward and a backward pass, gradients of x and of all parameters included."""

    def call() -> None:
        for tensor in (x, *parameters):
            tensor.grad = None
        run(x).backward(grad)

    return call


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median and interquartile range of each."""
    quartiles = {name: statistics.quantiles(values, n=4) for name, values in times.items()}
    return {name: {"median": round(q[1], 4), "iqr": round(q[2] - q[0], 4)} for name, q in quartiles.items()}


def measure(size: tuple[int, int], tokens: int, dtype: str, rounds: int, device: str) -> list[dict[str, Any]]:
    """Rows of one layer size and number of tokens: forward, and forward with backward."""
    bench = Bench(size, DTYPES[dtype], device)
    make = {"dtype": DTYPES[dtype], "device": device}
    x, grad = torch.randn(1, tokens, size[0], **make).requires_grad_(), torch.randn(1, tokens, size[1], **make)
    given = torch.randn_like(grad)
    parameters = [p for layer in (bench.lora, bench.equal, bench.ours) for p in layer.parameters() if p.requires_grad]
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def times(runs: dict[str, Run], mode: str) -> dict[str, dict[str, float]]:
        ready = {n: forward(r, x) if mode == "forward" else both(r, x, grad, parameters) for n, r in runs.items()}
        return summary(interleaved(ready, rounds, wait))

    rows = []
    for mode in ("forward", "both"):
        total, branch = times(bench.totals(), mode), times(bench.branches(given), mode)
        ratio = total["ilora"]["median"] / total["lora"]["median"]
        rows.append({
            "in": size[0], "out": size[1], "tokens": tokens, "dtype": dtype, "mode": mode,
            "total_ms": total, "branch_ms": branch, "equal_rank": bench.equal_rank,
            "total_over_lora": round(ratio, 3), "work": round(bench.work(size)[mode], 3),
            "total_over_work": round(ratio / bench.work(size)[mode], 3),
            "branch_over_equal": round(branch["ilora"]["median"] / branch["equal"]["median"], 3),
            "branch_over_loop": round(branch["ilora"]["median"] / branch["loop"]["median"], 3),
        })  # fmt: skip
    return rows


def kept(runs: list[Run], x: Tensor, but: list[Tensor]) -> int:
    """Bytes that autograd keeps of these runs on one x, each storage once; ``but`` lists what does not count."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        answers = [run(x) for run in runs]
    assert len(answers) == len(runs)
    for tensor in but:
        storages.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(storages.values())


def memory(size: tuple[int, int], tokens: int, dtype: str, device: str) -> dict[str, Any]:
    """Bytes kept for the backward pass over those of PEFT's LoRA: without x and dropout; with both; three layers."""
    x = torch.randn(1, tokens, size[0], dtype=DTYPES[dtype], device=device).requires_grad_()
    row: dict[str, Any] = {"in": size[0], "out": size[1], "tokens": tokens, "dtype": dtype}
    for name, dropout, count in (("plain", 0.0, 1), ("dropout", 0.1, 1), ("dropout_qkv", 0.1, 3)):
        benches = [Bench(size, DTYPES[dtype], device, dropout) for _ in range(count)]
        sizes = {}
        for kind in ("lora", "ilora", "loop"):
            if kind == "loop" and dropout:
                continue  # the reference is given its dropped x
            weights = [p for bench in benches for layer in (bench.lora, bench.ours) for p in layer.parameters()]
            runs = [bench.totals()[kind] for bench in benches]
            sizes[kind] = kept(runs, x, [*weights, *([] if dropout else [x])])
        row[name] = {**sizes, "over_lora": round(sizes["ilora"] / sizes["lora"], 3)}
    return row


def line(row: dict[str, Any]) -> str:
    """One row of the printed table."""
    ms = row["total_ms"]
    times = " ".join(f"{ms[name]['median']:9.2f} +-{ms[name]['iqr']:7.2f}" for name in ("lora", "ilora", "loop"))
    return (
        f"{row['in']:>6} > {row['out']:>5} {row['tokens']:>6} {row['dtype']:>9} {row['mode']:>8} {times} "
        f"{row['total_over_lora']:7.3f} {row['work']:6.3f} {row['total_over_work']:7.3f} "
        f"{row['branch_over_equal']:7.3f} {row['branch_over_loop']:7.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds per row, at least 2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    rows = []
    head = " ".join(f"{name + ' ms':>20}" for name in ("LoRA", "I-LoRA", "loop"))
    print(f"{'layer':>14} {'tokens':>6} {'dtype':>9} {'mode':>8} {head}   total   work   /work  /equal   /loop")
    for dtype in DTYPES:
        for size in LAYERS:
            for tokens in TOKENS:
                for row in measure(size, tokens, dtype, options.rounds, options.device):
                    rows.append(row)
                    print(line(row), flush=True)
    kept_rows = [memory(size, 512, dtype, options.device) for dtype in DTYPES for size in LAYERS]
    for row in kept_rows:
        print(json.dumps(row))
    facts = {
        "command": f"python benchmarks/ilora.py --rounds {options.rounds} --threads {options.threads} "
        f"--device {options.device}",
        "rank": RANK, "alpha": ALPHA, "heads": HEADS, "torch": torch.__version__, "peft": peft_version,
        "transformers": transformers.__version__, "python": platform.python_version(),
        "machine": torch.cuda.get_device_name() if options.device == "cuda" else processor(),
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    name = "ilora.json" if options.device == "cpu" else f"ilora_{options.device}.json"
    text = json.dumps({**facts, "rows": rows, "kept_bytes": kept_rows}, indent=1)
    (RESULTS / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

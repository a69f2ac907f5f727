"""How long a report on transfer takes: 19 keys, one baseline and three methods, three seeds, 200 samples, on one core.

Answers are drawn (see ``evaluate.py``). Results go to ``benchmarks/results/transfer.json``.
Run: python benchmarks/transfer.py [--samples N] [--keep FOLDER]
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
from evaluate import answer, draw

from crabplus.analysis.transfer import Settings, compare, write_transfer
from crabplus.datasets.avuie import write
from crabplus.report.transfer import write_transfer_page
from crabplus.schema import Prediction, Sample, to_json
from crabplus.tasks import TASKS

RESULTS = Path(__file__).parent / "results" / "transfer.json"
METHODS = {"lora": 0.5, "lora-equal": 0.55, "ilora": 0.65}
"""Share of right answers of each multi-task method; of single-task runs it is 0.5."""


def said_by(samples: list[Sample], right: float, seed: int) -> list[Prediction]:
    """Answers of a run that gets so many right."""
    rng = np.random.default_rng(seed)
    return [
        Prediction(s.id, s.task, "text", s.answer if rng.random() < right else answer(s.task, rng)) for s in samples
    ]


def write_run(folder: Path, data: Path, method: str, seed: int, said: list[Prediction]) -> None:
    """A run that answered, as a suite leaves it."""
    folder.mkdir(parents=True)
    keys = list(dict.fromkeys(made.task for made in said))
    cell = {"method": method, "keys": keys, "seed": seed, "reasoning": "on", "status": "done", "split": "test"}
    (folder / "cell.json").write_text(json.dumps({**cell, "data": str(data)}), encoding="utf-8")
    lines = "".join(f"{to_json(made)}\n" for made in said)
    (folder / "predictions.jsonl").write_text(lines, encoding="utf-8")


def write_suite(out: Path, count: int) -> Path:
    """Truth and runs of every key; gives the folder of the runs."""
    asked = {key: draw(key, count)[0] for key in TASKS}
    for key, samples in asked.items():
        write(out / "data", key, "test", samples)
    for seed in range(3):
        for number, (key, samples) in enumerate(asked.items()):
            folder = out / "runs" / "lora" / key / f"seed{seed}"
            write_run(folder, out / "data", "lora", seed, said_by(samples, 0.5, 100 * seed + number))
        for method, right in METHODS.items():
            every = [sample for samples in asked.values() for sample in samples]
            folder = out / "runs" / method / "all" / f"seed{seed}"
            write_run(folder, out / "data", method, seed, said_by(every, right, 7 + seed))
    return out / "runs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="folder for the runs and the report; default: none is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = options.keep or Path(folder)
        runs = write_suite(out, options.samples)
        start, used = time.perf_counter(), time.process_time()
        made = compare([runs], Settings())
        write_transfer(out / "report" / "transfer.json", made)
        write_transfer_page(out / "report", made, "crabplus transfer")
    facts = {
        "command": f"python benchmarks/transfer.py --samples {options.samples}", "samples": options.samples,
        "machine": platform.machine(), "python": platform.python_version(), "numpy": np.__version__,
        "comparisons": len(made["cells"]), "seconds": round(time.perf_counter() - start, 1),
        "cpu": round(time.process_time() - used, 1),
        "positive": {method: told["positive"] for method, told in made["methods"].items()},
    }  # fmt: skip
    print(facts, flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

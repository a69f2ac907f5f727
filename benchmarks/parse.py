"""How the time to read an answer grows with its length: hard texts for each task key, and eight times as long ones.

The ratio is the time for eight times the length over eight times the time, the fastest of five readings each: near 1
says linear, 8 would be quadratic. Results go to ``benchmarks/results/parse.json``. Run: python benchmarks/parse.py
"""

import json
import platform
import time
from pathlib import Path

from crabplus.schema import Sample
from crabplus.tasks import TASKS, get_task

RESULTS = Path(__file__).parent / "results" / "parse.json"
PIECES = [
    "<answer>", "</answer>", "<answer>a", "<event>", "<event>a (1 2)", "(1 2)", "( 1 ", "(1", "<audio>Dog, (0 1)",
    "<obj>", "<obj>(1,2)", "<obj>a (1,2)(3,4)", "[1,2,3,4]", "[1,", "1,2,", "< ", " ", "9", "a", "<caption>",
]  # fmt: skip
SAMPLE = Sample("1", "d", "any", "test", question="?", options=("one", "two", "dog", "left"))
LENGTH = 100_000


def seconds(key: str, text: str) -> float:
    """The fastest of five readings."""
    task, times = get_task(key), []
    for _ in range(5):
        start = time.perf_counter()
        task.read(text, SAMPLE)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measure, print, and write the results."""
    rows = {}
    for key in TASKS:
        found = {}
        for piece in PIECES:
            short, long = (piece * (length // len(piece)) for length in (LENGTH, 8 * LENGTH))
            once = seconds(key, short)
            found[piece] = (seconds(key, long) / (8 * once), once)
        worst = max(found, key=lambda piece: found[piece][0])
        slowest = max(found, key=lambda piece: found[piece][1])
        rows[key] = {
            "worst_ratio": round(found[worst][0], 2), "of": worst,
            "slowest_ms": round(found[slowest][1] * 1e3, 2), "with": slowest,
        }  # fmt: skip
        print(f"{key:10} ratio at most {rows[key]['worst_ratio']:.2f} ({worst!r}), "
              f"{LENGTH:,} characters in at most {rows[key]['slowest_ms']:.1f} ms ({slowest!r})")  # fmt: skip
    machine = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
    RESULTS.write_text(
        json.dumps({"command": "python benchmarks/parse.py", **machine, "characters": LENGTH, "keys": rows}, indent=1)
        + "\n"
    )


if __name__ == "__main__":
    main()

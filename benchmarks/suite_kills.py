"""A suite killed (-9) at ten random moments, then run to the end: are the answers those of an undisturbed one?

The same as the slow test, with more moments and longer cells. Results go to ``benchmarks/results/suite_kills.json``.
Run: python benchmarks/suite_kills.py [--kills 10] [--per-key 20]
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "analysis"))

from machine import processor
from test_suite_killed import killed

RESULTS = Path(__file__).parent / "results" / "suite_kills.json"


def main() -> None:
    """Run it, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--per-key", type=int, default=20)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    with tempfile.TemporaryDirectory() as folder:
        found = killed(Path(folder), options.kills, options.per_key, 7)
    command = f"python benchmarks/suite_kills.py --kills {options.kills} --per-key {options.per_key}"
    made = {"command": command, "machine": processor(), **found}
    print(json.dumps(made, indent=1))
    RESULTS.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

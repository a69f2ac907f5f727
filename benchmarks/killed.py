"""Building and annotating killed (-9) at ten random moments each, then run to the end: are the files the same?

The same as the slow test, with more moments. Results go to ``benchmarks/results/killed.json``.
Run: python benchmarks/killed.py [--moments 10]
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "datasets"))

from test_killed import annotated, built

RESULTS = Path(__file__).parent / "results" / "killed.json"


def main() -> None:
    """Run both, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=10)
    moments = parser.parse_args().moments
    rows = {}
    for name, run in (("build", built), ("annotate", annotated)):
        with tempfile.TemporaryDirectory() as folder:
            killed, same = run(Path(folder), moments, 7)
        rows[name] = {"moments": moments, "really_killed": killed, "files_equal": same}
        print(name, rows[name])
    RESULTS.write_text(
        json.dumps({"command": f"python benchmarks/killed.py --moments {moments}", **rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()

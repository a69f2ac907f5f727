"""Packs what the report of finished suites needs, and no weights, into runs/transfer/NAME.tar.xz.

Answers, settings and logs of every cell, and the truth of the samples that were asked. The report follows from it:

    tar xf runs/transfer/NAME.tar.xz
    crabplus transfer NAME/runs --data NAME/data --out report

Run: python runs/transfer/pack.py NAME out/tidepool-data out/tidepool [more suites, of other cells]
"""

import json
import re
import sys
import tarfile
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).parent
ABSOLUTE = re.compile(r"(?<=[\" ])/(?:[\w.+-]+/)+")
"""The folders of this machine, in front of the name of a file."""
CELL = ("cell.json", "config.yaml", "run.json", "predictions.jsonl", "log.jsonl", "final/training.json")


def main(name: str, data: Path, *suites: Path) -> None:
    cells = {path.parent: suite for suite in suites for path in sorted((suite / "runs").rglob("cell.json"))}
    files = {f"runs/{cell.relative_to(cells[cell] / 'runs')}/{part}": cell / part for cell in cells for part in CELL}
    if len(files) < len(cells) * len(CELL):
        sys.exit("two of the suites have the same cell")
    files |= {f"{suite.name}.yaml": suite / "suite.yaml" for suite in suites}
    asked = {key for cell in cells for key in json.loads((cell / "cell.json").read_text(encoding="utf-8"))["keys"]}
    files |= {f"data/{key}/test.jsonl": data / key / "test.jsonl" for key in sorted(asked)}
    packed = HERE / f"{name}.tar.xz"
    with tarfile.open(packed, "w:xz") as archive:
        for place, path in files.items():
            content = ABSOLUTE.sub("", path.read_text(encoding="utf-8")).encode()
            entry = tarfile.TarInfo(f"{name}/{place}")
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content))
    print(f"{len(cells)} cells, {packed.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))

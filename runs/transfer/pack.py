"""Packs what the report of a finished suite needs, and no weights, into runs/transfer/runs.tar.xz.

Answers, settings and logs of every cell, and the truth of the samples that were asked. The report follows from it:

    tar xf runs/transfer/runs.tar.xz
    crabplus transfer transfer/runs --data transfer/data --out report

Run: python runs/transfer/pack.py out/tidepool data
"""

import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
CELL = ("cell.json", "config.yaml", "run.json", "predictions.jsonl", "log.jsonl", "final/training.json")


def main(suite: Path, data: Path) -> None:
    cells = sorted(path.parent for path in (suite / "runs").rglob("cell.json"))
    files = {f"runs/{cell.relative_to(suite / 'runs')}/{name}": cell / name for cell in cells for name in CELL}
    files |= {"suite.yaml": suite / "suite.yaml"}
    files |= {f"data/{path.parent.name}/{path.name}": path for path in sorted(data.glob("*/test.jsonl"))}
    with tarfile.open(HERE / "runs.tar.xz", "w:xz") as archive:
        for name, path in files.items():
            archive.add(path, f"transfer/{name}", filter=_plain)
    print(f"{len(cells)} cells, {(HERE / 'runs.tar.xz').stat().st_size / 1e6:.1f} MB")


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs from machine to machine."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Building and annotating killed at random moments: run again, they end with the files of an undisturbed run."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crabplus.datasets.avuie import write
from crabplus.schema import Event, EventsAnswer, Sample
from crabplus.tidepool.build import build

pytestmark = pytest.mark.slow


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "crabplus.cli", *map(str, arguments)]


def killed_then_whole(arguments: list[str], within: float, moments: int, seed: int) -> int:
    """Kill a run at some moments within a time, then let it end; returns how often it was really killed."""
    rng, killed = random.Random(seed), 0
    for _ in range(moments):
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.0) * within)
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL) if process.poll() is None else None
        process.wait()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return killed


def timed(arguments: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this platform")
def test_build(tmp_path: Path) -> None:
    root = tmp_path / "original"
    list(build(tmp_path / "clips", ("ave",), "train", 40, 3))
    shutil.copytree(tmp_path / "clips" / "ave" / "video", root / "AVE")
    names = [path.stem for path in sorted((root / "AVE").iterdir())]
    for split in ("train", "val", "test"):
        (root / f"{split}Set.txt").write_text("".join(f"Bark&{name}&good&0&10\n" for name in names))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    length = timed(command("build", "ave", "--root", root, "--out", whole, "--media", "copy"))
    arguments = command("build", "ave", "--root", root, "--out", killed, "--media", "copy")
    assert killed_then_whole(arguments, length, 3, seed=1) > 0
    assert files(killed) == files(whole)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this platform")
def test_annotate(tmp_path: Path) -> None:
    answer = EventsAnswer((Event("bell", 2, 8),))
    samples = [Sample(f"s{n}", "own", "ave", "train", answer=answer) for n in range(20_000)]
    for name in ("whole", "killed"):
        write(tmp_path / name, "ave", "train", samples)
    length = timed(command("annotate", "--data", tmp_path / "whole", "--keys", "ave"))
    arguments = command("annotate", "--data", tmp_path / "killed", "--keys", "ave")
    assert killed_then_whole(arguments, length, 3, seed=2) > 0
    assert files(tmp_path / "killed") == files(tmp_path / "whole")

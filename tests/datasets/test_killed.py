"""Building and annotating killed at random moments: run again, they end with the files of an undisturbed run."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crabplus.datasets.avuie import write
from crabplus.schema import Event, EventsAnswer, Sample
from crabplus.tidepool.build import build

pytestmark = pytest.mark.slow
Run = Callable[[Path, int, int], tuple[int, bool]]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "crabplus", *map(str, arguments)]


def killed_then_whole(arguments: list[str], within: float, moments: int, seed: int) -> int:
    """Kill a run at some moments within a time, then let it end; returns how often it was really killed."""
    rng, killed = random.Random(seed), 0
    for _ in range(moments):
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.0) * within)
        killed += process.poll() is None
        process.kill()  # nothing happens to one that has ended
        process.wait()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return killed


def timed(arguments: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def built(folder: Path, moments: int, seed: int) -> tuple[int, bool]:
    """Build 40 clips, copied, killed at some moments: how often it really was, and whether the files are the same."""
    root, whole, killed = folder / "original", folder / "whole", folder / "killed"
    list(build(folder / "clips", ("ave",), "train", 40, 3))
    shutil.copytree(folder / "clips" / "ave" / "video", root / "AVE")
    names = [path.stem for path in sorted((root / "AVE").iterdir())]
    for split in ("train", "val", "test"):
        (root / f"{split}Set.txt").write_text("".join(f"Bark&{name}&good&0&10\n" for name in names))
    length = timed(command("build", "ave", "--root", root, "--out", whole, "--media", "copy"))
    arguments = command("build", "ave", "--root", root, "--out", killed, "--media", "copy")
    return killed_then_whole(arguments, length, moments, seed), files(killed) == files(whole)


def annotated(folder: Path, moments: int, seed: int) -> tuple[int, bool]:
    """The same for the annotation of 20,000 samples."""
    answer = EventsAnswer((Event("bell", 2, 8),))
    for name in ("whole", "killed"):
        write(
            folder / name,
            "ave",
            "train",
            (Sample(f"s{n}", "own", "ave", "train", answer=answer) for n in range(20_000)),
        )
    length = timed(command("annotate", "--data", folder / "whole", "--keys", "ave"))
    arguments = command("annotate", "--data", folder / "killed", "--keys", "ave")
    times = killed_then_whole(arguments, length, moments, seed)
    return times, files(folder / "killed") == files(folder / "whole")


@pytest.mark.parametrize("run", [built, annotated])
def test_killed_runs_end_with_the_files_of_an_undisturbed_one(run: Run, tmp_path: Path) -> None:
    killed, same = run(tmp_path, 3, 1)
    assert killed > 0 and same

"""A suite killed at random moments ends with the answers of an undisturbed one, byte for byte."""

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from suites import answers, clips, content, write

pytestmark = pytest.mark.slow
CELLS = 3


def command(file: Path, out: Path, processes: int) -> list[str]:
    options = ["--out", str(out), "--processes", str(processes)]
    return [sys.executable, "-m", "crabplus", "transfer", "run", str(file), *options]


def suite(folder: Path, per_key: int) -> Path:
    """A suite file with its clips; cells write a checkpoint after every second step."""
    data = clips(folder / "data", 6, 4)
    return write(folder / "suite.yaml", content(data, per_key=per_key, ask={"samples": 4, "batch_size": 2}))


def undisturbed(file: Path, out: Path) -> float:
    """Run a suite in one process; seconds from its first cell to its end."""
    process = subprocess.Popen(command(file, out, 1), stdout=subprocess.PIPE, text=True)
    assert process.stdout
    begun = None
    for line in process.stdout:
        if begun is None and "begins" in line:
            begun = time.monotonic()
    assert process.wait() == 0 and begun is not None
    return time.monotonic() - begun


def kill(file: Path, out: Path, after: float) -> bool:
    """Start a suite of two processes, and kill all of it some seconds after the first cell begins; whether it was."""
    process = psutil.Popen(command(file, out, 2), stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "begins" in line:
            break
    time.sleep(after)
    running = process.poll() is None
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):  # the first first, or it would start others anew
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()
    return running


def killed(folder: Path, kills: int, per_key: int, seed: int) -> dict[str, object]:
    """An undisturbed suite, and one that is killed some times and then left alone: how both ended."""
    file, rng = suite(folder, per_key), random.Random(seed)
    seconds = undisturbed(file, folder / "whole")
    times = [rng.uniform(0.05, 0.9) * seconds / kills for _ in range(kills)]
    really = sum(kill(file, folder / "killed", after) for after in times)
    ended = subprocess.run(command(file, folder / "killed", 2), stdout=subprocess.DEVNULL).returncode
    one, other = answers(folder / "whole"), answers(folder / "killed")
    return {
        "kills": really, "exit_code": ended, "cells": len(other), "same": one == other and len(one) == CELLS,
        "seconds_undisturbed": round(seconds, 1), "seconds_until_killed": [round(after, 1) for after in times],
    }  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


def test_a_suite_killed_three_times_ends_with_the_same_answers(tmp_path: Path) -> None:
    found = killed(tmp_path, 3, 6, 1)
    assert found["kills"] == 3 and found["exit_code"] == 0 and found["same"], found


def test_a_process_that_dies_fails_its_cell_and_the_others_go_on(tmp_path: Path) -> None:
    """Its cell is recorded with the reason, a new process takes the rest, and the next start mends it."""
    file, out = suite(tmp_path, 2), tmp_path / "out"
    process = psutil.Popen(command(file, out, 2), stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "ilora/all/seed0: begins" in line:
            break
    workers = [one for one in process.children() if "spawn_main" in " ".join(one.cmdline())]
    assert len(workers) == 2
    holder = next(one for one in workers if any("ilora_all" in file.path for file in one.open_files()))
    holder.kill()
    said = process.stdout.read()
    assert process.wait() == 1
    assert "ilora/all/seed0: failed (its process ended with exit code -9" in said
    assert len(answers(out)) == 2
    subprocess.run(command(file, out, 1), check=True, stdout=subprocess.DEVNULL)
    assert len(answers(out)) == 3

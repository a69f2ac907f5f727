"""Prediction killed in the middle, and by two processes: the file is that of an undisturbed run, byte for byte."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from crabplus.tidepool.build import build

pytestmark = pytest.mark.slow
KEYS = ("ave", "avqa", "arig")
LAUNCH = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data")
    assert sum(1 for _ in build(out, KEYS, "test", 16, 8)) == 48
    return out


@pytest.fixture(autouse=True)
def one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes with two threads each would fight for two cores."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


def command(folder: Path, out: Path, *launch: str) -> list[str]:
    options = ["--data", str(folder), "--keys", ",".join(KEYS), "--out", str(out), "--device", "cpu"]
    return [sys.executable, "-m", *launch, "crabplus", "predict", *options]


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> bytes:
    """What one process writes."""
    out = folder / "undisturbed.jsonl"
    done = subprocess.run(command(folder, out), check=True, capture_output=True, text=True)
    assert "48 predictions" in done.stdout
    return out.read_bytes()


def killed_after(arguments: list[str], lines: int, *files: Path) -> int:
    """Start a command and kill it and all its processes once each file has more lines than that; gives all lines."""
    process = psutil.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not all(path.is_file() and path.read_bytes().count(b"\n") > lines for path in files):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    for one in (*process.children(recursive=True), process):  # those of a launcher are no group of its own
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    return sum(path.read_bytes().count(b"\n") for path in files)


def test_killed_twice_and_gone_on(folder: Path, tmp_path: Path, undisturbed: bytes) -> None:
    out = tmp_path / "said.jsonl"
    first = killed_after(command(folder, out), 0, out)
    assert 0 < first < killed_after(command(folder, out), first, out) < 48
    with out.open("ab") as file:
        file.write(b'{"id":"ave-te')  # as if in the middle of a line
    subprocess.run(command(folder, out), check=True, capture_output=True)
    assert out.read_bytes() == undisturbed


def test_two_processes_write_what_one_does(folder: Path, tmp_path: Path, undisturbed: bytes) -> None:
    out = tmp_path / "said.jsonl"
    done = subprocess.run(command(folder, out, *LAUNCH), check=True, capture_output=True, text=True)
    assert out.read_bytes() == undisturbed and done.stdout.count("48 predictions") == 1
    assert [path.name for path in tmp_path.iterdir() if "rank" in path.name] == []


def test_killed_with_two_processes_and_gone_on_with_one(folder: Path, tmp_path: Path, undisturbed: bytes) -> None:
    out, part = tmp_path / "said.jsonl", tmp_path / "said.jsonl.rank1"
    assert 0 < killed_after(command(folder, out, *LAUNCH), 0, out, part) < 48
    assert part.is_file()
    subprocess.run(command(folder, out), check=True, capture_output=True)
    assert out.read_bytes() == undisturbed and not part.exists()

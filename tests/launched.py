"""Training commands in processes of their own, one or several, and whether two runs ended alike."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml
from safetensors.numpy import load_file

from short_runs import losses, settings

FSDP = Path(__file__).parent / "train" / "fsdp_on_cpu.py"
LIMIT = 600  # seconds of a run, with all its imports
PLAIN: dict[str, Any] = {"optim": "sgd", "learning_rate": 0.05}  # Adam would blow up the noise of gradients near zero
LAYERS = ["Qwen2_5OmniDecoderLayer", "Qwen2_5OmniVisionBlock", "Qwen2_5OmniAudioEncoderLayer"]


def command(config: Path, processes: int, script: Path | None = None) -> list[str]:
    """A training command, in one process or under torchrun."""
    what = [str(script)] if script else ["-m", "crabplus"]
    if processes == 1:
        return [sys.executable, *what, "train", str(config)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--master_port", port]
    return [sys.executable, *launcher, *what, "train", str(config)]


def start(config: Path, processes: int = 1, script: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # two processes with two each fight for cores
    return subprocess.Popen(
        command(config, processes, script), env={**os.environ, **threads, **environment}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def run(config: Path, processes: int = 1, script: Path | None = None, **environment: str) -> str:
    """What a run says that goes to its end."""
    made = start(config, processes, script, **environment)
    said, _ = made.communicate(timeout=LIMIT)
    assert made.returncode == 0, said[-3000:]
    return said


def refused(config: Path, processes: int = 1, script: Path | None = None, **environment: str) -> str:
    """What a run says that does not begin."""
    made = start(config, processes, script, **environment)
    said, _ = made.communicate(timeout=LIMIT)
    assert made.returncode, said[-3000:]
    return said


def kill_at(config: Path, out: Path, step: int, processes: int = 1) -> None:
    """Start a run, and kill it with all its processes once it has logged a step."""
    made = start(config, processes)
    log = out / "log.jsonl"
    while made.poll() is None and not (log.is_file() and f'"step": {step},' in log.read_text(encoding="utf-8")):
        time.sleep(0.01)
    assert made.poll() is None, made.communicate()[0][-3000:]
    kill(made)


def kill(made: subprocess.Popen[str]) -> None:
    """End a command and all that it has started, which a launcher puts into sessions of their own."""
    family = [*psutil.Process(made.pid).children(recursive=True), psutil.Process(made.pid)]
    for process in family:
        process.kill()
    psutil.wait_procs(family)
    made.communicate()


def config_file(folder: Path, clips: Path, **changes: Any) -> Path:
    """A config file whose run folder is ``run`` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = settings(folder / "run", clips, **changes)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(made.model_dump(mode="json", exclude_unset=True)), encoding="utf-8")
    return path


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_file(run / "final" / "adapter_model.safetensors")


def assert_same(one: Path, other: Path, tolerance: float = 0.0) -> None:
    """Two runs ended in the same weights, with the same losses, norms and rates at every step."""
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(b[name], a[name], rtol=0, atol=tolerance, err_msg=name)
    mine, yours = losses(one), losses(other)
    assert mine.keys() == yours.keys()
    for step, row in mine.items():
        assert yours[step] == pytest.approx(row, rel=tolerance, abs=0), step

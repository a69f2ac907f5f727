"""Runs in processes of their own: killed and gone on with, two at a time, divided by DDP and by FSDP2."""

import os
import re
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

pytestmark = pytest.mark.slow
FSDP = Path(__file__).with_name("fsdp_on_cpu.py")
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


def start(config: Path, processes: int = 1, script: Path | None = None) -> subprocess.Popen[str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # two processes with two each fight for cores
    return subprocess.Popen(
        command(config, processes, script), env={**os.environ, **threads}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def run(config: Path, processes: int = 1, script: Path | None = None) -> str:
    """What a run says that goes to its end."""
    made = start(config, processes, script)
    said, _ = made.communicate(timeout=600)
    assert made.returncode == 0, said[-3000:]
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


@pytest.mark.parametrize(("workers", "processes"), [(0, 1), (2, 1), (0, 2)])
def test_forty_steps_are_twenty_and_a_kill_and_twenty(
    clips: Path, tmp_path: Path, workers: int, processes: int
) -> None:
    arguments = {
        "max_steps": 40, "save_steps": 7, "dataloader_num_workers": workers,
        "per_device_train_batch_size": 4 // processes,
    }  # fmt: skip
    whole = config_file(tmp_path / "whole", clips, arguments=arguments)
    broken = config_file(tmp_path / "broken", clips, arguments=arguments)
    run(whole, processes)
    kill_at(broken, tmp_path / "broken" / "run", 20, processes)
    assert re.search(r"going on from checkpoint-(14|21)\b", run(broken, processes))
    assert_same(tmp_path / "whole" / "run", tmp_path / "broken" / "run")


def test_killed_again_and_again_at_any_moment(clips: Path, tmp_path: Path) -> None:
    """A checkpoint after every step: most kills fall into the writing of one."""
    arguments = {"max_steps": 12, "save_steps": 1, "save_total_limit": 1, "per_device_train_batch_size": 2}
    whole = config_file(tmp_path / "whole", clips, arguments=arguments)
    broken = config_file(tmp_path / "broken", clips, arguments=arguments)
    run(whole)
    for step, wait in ((2, 0.0), (5, 0.03), (8, 0.06)):
        made = start(broken)
        log = tmp_path / "broken" / "run" / "log.jsonl"
        while made.poll() is None and not (log.is_file() and f'"step": {step},' in log.read_text(encoding="utf-8")):
            time.sleep(0.001)
        time.sleep(wait)
        kill(made)
    run(broken)
    assert_same(tmp_path / "whole" / "run", tmp_path / "broken" / "run")


def test_a_step_does_not_depend_on_the_number_of_processes(clips: Path, tmp_path: Path) -> None:
    """Also where one of two has no sound: keys with and without it stand in batches of their own."""
    made = {}
    for processes in (1, 2):
        config = config_file(
            tmp_path / str(processes), clips, adapter={"dropout": 0.0},
            arguments={**PLAIN, "max_steps": 6, "per_device_train_batch_size": 8 // processes},
        )  # fmt: skip
        run(config, processes)
        made[processes] = tmp_path / str(processes) / "run"
    assert_same(made[1], made[2], tolerance=2e-5)


def test_a_process_with_text_alone_waits_for_nobody(clips: Path, tmp_path: Path) -> None:
    """Every step has four samples without media and four with; each kind goes to a process of its own."""
    import json

    folder = tmp_path / "clips"
    (folder / "avqa").mkdir(parents=True)
    (folder / "arig").mkdir()
    for key in ("avqa", "arig"):
        for media in ("video", "audio", "image"):
            if (clips / key / media).is_dir():
                (folder / key / media).symlink_to(clips / key / media)
    lines = (clips / "avqa" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    bare = [json.dumps({**json.loads(line), "media": []}) for line in lines[1:]]
    (folder / "avqa" / "train.jsonl").write_text("\n".join([lines[0], *bare]) + "\n", encoding="utf-8")
    (folder / "arig" / "train.jsonl").write_text((clips / "arig" / "train.jsonl").read_text("utf-8"), encoding="utf-8")
    made = {}
    for processes in (1, 2):
        config = config_file(
            tmp_path / str(processes), clips, adapter={"dropout": 0.0},
            data={"folder": str(folder), "keys": "avqa,arig"},
            arguments={**PLAIN, "max_steps": 4, "per_device_train_batch_size": 8 // processes},
        )  # fmt: skip
        run(config, processes)
        made[processes] = tmp_path / str(processes) / "run"
    assert_same(made[1], made[2], tolerance=2e-5)


def test_a_model_divided_by_fsdp2_learns_the_same_and_goes_on(clips: Path, tmp_path: Path) -> None:
    # with its usual epsilon AdamW takes whole steps where a gradient is nothing but float noise
    arguments = {"max_steps": 6, "save_steps": 3, "per_device_train_batch_size": 8, "adam_epsilon": 1e-4}
    alone = config_file(tmp_path / "alone", clips, adapter={"dropout": 0.0}, arguments=arguments)
    run(alone)
    sharded = {"per_device_train_batch_size": 4, "fsdp": True,
               "fsdp_config": {"version": 2, "transformer_layer_cls_to_wrap": LAYERS}}  # fmt: skip
    config = config_file(tmp_path / "two", clips, adapter={"dropout": 0.0}, arguments={**arguments, **sharded})
    run(config, 2, FSDP)
    assert_same(tmp_path / "alone" / "run", tmp_path / "two" / "run", tolerance=1e-4)
    before, log = weights(tmp_path / "two" / "run"), losses(tmp_path / "two" / "run")
    for name in ("final", "checkpoints/checkpoint-6"):
        (tmp_path / "two" / "run" / name).rename(tmp_path / name.replace("/", "-"))
    assert "going on from checkpoint-3" in run(config, 2, FSDP)
    after = weights(tmp_path / "two" / "run")
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert losses(tmp_path / "two" / "run") == log

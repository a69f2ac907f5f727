"""Runs in processes of their own: killed and gone on with, two at a time, divided by DDP and by FSDP2."""

import re
import time
from pathlib import Path

import numpy as np
import pytest

from launched import FSDP, LAYERS, PLAIN, assert_same, config_file, kill, kill_at, run, start, weights
from short_runs import losses

pytestmark = pytest.mark.slow


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

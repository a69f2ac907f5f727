"""DeepSpeed ZeRO-2 in two processes: it learns what one process learns, and goes on with two."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from launched import assert_same, config_file, refused, run, weights
from short_runs import losses

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="DeepSpeed is for Linux")]
ZERO = Path(__file__).with_name("zero_on_cpu.py")
# what accelerate launch makes of configs/accelerate/zero2_2.yaml, for processors in place of accelerators
ZERO2 = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2", "DS_ACCELERATOR": "cpu"}
# with its usual epsilon AdamW takes whole steps where a gradient is nothing but float noise
STEPS = {"max_steps": 4, "save_steps": 2, "adam_epsilon": 1e-4}


def make(folder: Path, clips: Path, processes: int, parts: int, **arguments: Any) -> Path:
    """A config file whose steps take 4 samples on so many processes, in so many accumulated parts."""
    size = 4 // processes // parts
    mine = {**STEPS, **arguments, "per_device_train_batch_size": size, "gradient_accumulation_steps": parts}
    return config_file(folder, clips, adapter={"dropout": 0.0}, arguments=mine)


def test_zero2_learns_the_same_and_goes_on(clips: Path, tmp_path: Path) -> None:
    run(make(tmp_path / "alone", clips, 1, 1))
    config = make(tmp_path / "two", clips, 2, 2)
    run(config, 2, ZERO, **ZERO2)
    made = tmp_path / "two" / "run"
    assert_same(tmp_path / "alone" / "run", made, tolerance=1e-4)
    assert (made / "final" / "adapter_config.json").is_file()
    before, log = weights(made), losses(made)
    for name in ("final", "checkpoints/checkpoint-4"):
        (made / name).rename(tmp_path / name.replace("/", "-"))
    assert "going on from checkpoint-2" in run(config, 2, ZERO, **ZERO2)
    after = weights(made)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert losses(made) == log
    for name in ("final", "checkpoints/checkpoint-4"):
        (made / name).rename(tmp_path / f"again-{name.replace('/', '-')}")
    said = refused(make(tmp_path / "two", clips, 1, 4))
    assert "checkpoint-2 was written by 2 processes, the model divided by DeepSpeed" in said, said[-3000:]

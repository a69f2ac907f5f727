"""Runs that go on elsewhere: on another number of processes, and with the model divided in another way."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from crabplus.config import ConfigError
from crabplus.train.elsewhere import Writers, by_name, check_writers, load_optimizer, seed_of, tally_of, writers_of
from launched import FSDP, LAYERS, PLAIN, assert_same, config_file, run
from short_runs import losses

DIVIDED = {"fsdp": True, "fsdp_config": {"version": 2, "transformer_layer_cls_to_wrap": LAYERS}}
# the third step is in the checkpoint's tallies, and in the means that are logged after the fourth
STEPS = {"max_steps": 4, "save_steps": 3, "logging_steps": 2}


def written(folder: Path, processes: int, mark: str | None = None) -> Path:
    """The files of a checkpoint that tell who wrote it, and what each process has added up."""
    folder.mkdir(exist_ok=True)
    for rank in range(processes):
        (folder / (f"rng_state_{rank}.pth" if processes > 1 else "rng_state.pth")).touch()
        (folder / f"tally_{rank}.json").write_text(json.dumps({"ave": (rank + 0.5, 2), "avqa": (0.25, rank)}))
    if mark:
        (folder / mark).touch()
    return folder


def test_who_wrote_a_checkpoint(tmp_path: Path) -> None:
    assert writers_of(written(tmp_path / "a", 1)) == (1, "whole")
    assert writers_of(written(tmp_path / "b", 12)) == (12, "whole")
    assert writers_of(written(tmp_path / "c", 2, "pytorch_model_fsdp.bin")) == (2, "FSDP")
    assert writers_of(written(tmp_path / "d", 1, "latest")) == (1, "DeepSpeed")


def test_all_but_zero_can_move(tmp_path: Path) -> None:
    for name, mark in (("whole", None), ("divided", "pytorch_model_fsdp.bin")):
        folder = written(tmp_path / name, 2, mark)
        for now in (Writers(1, "whole"), Writers(2, "whole"), Writers(4, "FSDP")):
            check_writers(folder, now)
        with pytest.raises(ConfigError, match="cannot go on with 2 processes, the model divided by DeepSpeed"):
            check_writers(folder, Writers(2, "DeepSpeed"))
    folder = written(tmp_path / "zero", 2, "latest")
    check_writers(folder, Writers(2, "DeepSpeed"))
    for now in (Writers(4, "DeepSpeed"), Writers(2, "FSDP"), Writers(1, "whole")):
        with pytest.raises(ConfigError, match=r"zero was written by 2 processes, .*adapter=\{start: OLD/final\}"):
            check_writers(folder, now)


def test_no_sum_of_losses_is_lost_or_counted_twice(tmp_path: Path) -> None:
    folder = written(tmp_path / "two", 2)
    each = [tally_of(folder, rank, 2) for rank in (0, 1)]
    assert each == [{"ave": (0.5, 2), "avqa": (0.25, 0)}, {"ave": (1.5, 2), "avqa": (0.25, 1)}]
    for processes in (1, 3):
        first, *others = [tally_of(folder, rank, processes) for rank in range(processes)]
        assert first == {"ave": (2.0, 4), "avqa": (0.5, 1)} and not any(others)


def test_random_numbers_begin_anew_and_always_the_same() -> None:
    given = [(seed, step, processes, rank) for seed in (0, 1) for step in (3, 4) for processes, rank in
             ((1, 0), (2, 0), (2, 1))]  # fmt: skip
    seeds = [seed_of(*one) for one in given]
    assert seeds == [seed_of(*one) for one in given] and len(set(seeds)) == len(given)


def test_the_state_of_an_optimizer_by_names_of_parameters(tmp_path: Path) -> None:
    """Groups that mix the order of the parameters, as those with and without weight decay do."""

    def made() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        weights, biases = ([p for n, p in model.named_parameters() if n.endswith(end)] for end in ("weight", "bias"))
        return model, torch.optim.AdamW([{"params": weights}, {"params": biases, "weight_decay": 0.0}], lr=0.1)

    model, optimizer = made()
    model(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    named = by_name(optimizer.state_dict(), model, optimizer)
    assert list(named["state"]) == ["0.weight", "1.weight", "0.bias", "1.bias"]
    torch.save(named, tmp_path / "optimizer.bin")
    again, other = made()
    load_optimizer(tmp_path, again, other, "whole", True)
    one, two = optimizer.state_dict(), other.state_dict()
    groups = (json.dumps(state["param_groups"]) for state in (one, two))  # to which tuples and lists are alike
    assert next(groups) == next(groups) and one["state"].keys() == two["state"].keys()
    for number, state in one["state"].items():
        assert all(torch.equal(value, two["state"][number][name]) for name, value in state.items())


def make(folder: Path, clips: Path, processes: int, parts: int = 1, **arguments: Any) -> Path:
    """A config file whose steps take 4 samples on so many processes, in so many accumulated parts."""
    size = 4 // processes // parts
    mine = {**STEPS, **arguments, "per_device_train_batch_size": size, "gradient_accumulation_steps": parts}
    return config_file(folder, clips, adapter={"dropout": 0.0}, arguments=mine)


def cut(run: Path, copy: Path) -> None:
    """What a run left that was killed after its third step."""
    shutil.copytree(run, copy / "run", ignore=shutil.ignore_patterns("final", "checkpoint-4"))
    lines = [line for line in (run / "log.jsonl").read_text("utf-8").splitlines() if json.loads(line)["step"] < 3]
    (copy / "run" / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("then", "now", "parts"), [(2, 1, 2), (1, 2, 1)], ids=["two to one", "one to two"])
def test_on_another_number_of_processes(clips: Path, tmp_path: Path, then: int, now: int, parts: int) -> None:
    run(make(tmp_path / "whole", clips, then, **PLAIN), then)
    cut(tmp_path / "whole" / "run", tmp_path / "moved")
    said = run(make(tmp_path / "moved", clips, now, parts, **PLAIN), now)
    assert "going on from checkpoint-3" in said and f"with {now}: dropout" in said
    assert losses(tmp_path / "moved" / "run").keys() == {2, 4}
    assert_same(tmp_path / "whole" / "run", tmp_path / "moved" / "run", tolerance=2e-5)


@pytest.mark.slow
def test_divided_by_fsdp2_and_whole_again(clips: Path, tmp_path: Path) -> None:
    """Two processes with half a model each, then one with all of it; and the other way round."""
    # with its usual epsilon AdamW takes whole steps where a gradient is nothing but float noise
    run(make(tmp_path / "whole", clips, 1, adam_epsilon=1e-4))
    run(make(tmp_path / "divided", clips, 2, adam_epsilon=1e-4, **DIVIDED), 2, FSDP)
    cut(tmp_path / "whole" / "run", tmp_path / "to-two")
    cut(tmp_path / "divided" / "run", tmp_path / "to-one")
    run(make(tmp_path / "to-two", clips, 2, adam_epsilon=1e-4, **DIVIDED), 2, FSDP)
    run(make(tmp_path / "to-one", clips, 1, adam_epsilon=1e-4))
    for other in ("divided", "to-one", "to-two"):
        assert_same(tmp_path / "whole" / "run", tmp_path / other / "run", tolerance=1e-4)

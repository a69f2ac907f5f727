"""What a run folder says of its run, and whether it holds the beginning of the same one."""

import json
from pathlib import Path

import pytest
import yaml

from crabplus.config import ConfigError, TrainConfig, load_config, make_config
from crabplus.train.record import CONFIG, PACKAGES, RUN, Division, check_same, write_config, write_run

EIGHT = Division(samples=2, parts=2, processes=2)


def config(**changes: object) -> TrainConfig:
    content = {"out": "run", "data": {"folder": "data", "keys": {"ave": {"weight": 2}, "avqa": {"weight": 1}}},
               "adapter": {"targets": ["q_proj"]}, "arguments": {"learning_rate": 1e-4, "save_steps": 5}}  # fmt: skip
    return make_config({**content, **changes})


def begin(folder: Path) -> None:
    """What a run that has made a step leaves."""
    write_config(folder, config())
    (folder / "log.jsonl").touch()


def divided(samples: int, parts: int) -> TrainConfig:
    """Settings of so many samples at a time and accumulated parts."""
    more = {"per_device_train_batch_size": samples, "gradient_accumulation_steps": parts}
    return config(arguments={"learning_rate": 1e-4, **more})


def test_settings_come_back_as_they_were_resolved(tmp_path: Path) -> None:
    write_config(tmp_path, config())
    assert load_config(tmp_path / CONFIG) == config()
    content = yaml.safe_load((tmp_path / CONFIG).read_text())
    assert content["adapter"]["r"] == 128 and content["evaluation"] is None  # defaults are written out
    assert [path.name for path in tmp_path.iterdir()] == [CONFIG]


@pytest.mark.parametrize("adapter", [{"kind": "none"}, {"start": "runs/a/final"}, {"kind": "lora", "r": 4}])
def test_every_kind_of_adapter_comes_back(tmp_path: Path, adapter: dict[str, object]) -> None:
    write_config(tmp_path, config(adapter=adapter))
    assert load_config(tmp_path / CONFIG) == config(adapter=adapter)


def test_the_same_run_and_what_may_change_on_the_way(tmp_path: Path) -> None:
    assert check_same(tmp_path, config(), EIGHT) is False
    begin(tmp_path)
    assert check_same(tmp_path, config(), EIGHT)
    assert check_same(tmp_path, config(cache={"folder": "cache"}), EIGHT)
    more = {"learning_rate": 1e-4, "save_steps": 9, "logging_steps": 1, "report_to": "none"}
    assert check_same(tmp_path, config(arguments={**more, "dataloader_num_workers": 0, "disable_tqdm": True}), EIGHT)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"arguments": {"learning_rate": 2e-4}}, "arguments.learning_rate was 0.0001 and is 0.0002"),
        ({"arguments": {}}, "arguments"),
        ({"arguments": {"learning_rate": 1e-4, "max_steps": 3}}, "arguments.max_steps was None and is 3"),
        ({"adapter": {"targets": ["k_proj"]}}, "adapter.targets was ['q_proj'] and is ['k_proj']"),
        ({"evaluation": {"every": 3}}, "evaluation.every was None and is 3"),
        ({"data": {"folder": "data", "keys": ["ave"]}}, "data.keys.ave"),
    ],
)
def test_another_run_is_told_by_the_setting(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    begin(tmp_path)
    with pytest.raises(ConfigError, match="holds another run") as found:
        check_same(tmp_path, config(**changes), EIGHT)
    assert words in str(found.value) and "--fresh" in str(found.value)


@pytest.mark.parametrize("division", [Division(8, 1, 1), Division(1, 1, 8), Division(1, 4, 2)])
def test_a_step_may_be_divided_in_another_way(tmp_path: Path, division: Division) -> None:
    write_config(tmp_path, divided(2, 2))
    (tmp_path / "log.jsonl").touch()
    write_run(tmp_path, {"data": {"batch": 8, "processes": 2}})
    assert check_same(tmp_path, divided(division.samples, division.parts), division)


@pytest.mark.parametrize(
    ("division", "remedy"),
    [
        (Division(2, 2, 1), "set arguments.gradient_accumulation_steps=4,"),
        (Division(3, 1, 2), "set per_device_train_batch_size and gradient_accumulation_steps to a product of 4,"),
        (Division(2, 2, 3), "start a number of processes that divides 8,"),
    ],
)
def test_a_step_takes_as_many_samples_as_before(tmp_path: Path, division: Division, remedy: str) -> None:
    write_config(tmp_path, divided(2, 2))
    (tmp_path / "log.jsonl").touch()
    write_run(tmp_path, {"data": {"batch": 8, "processes": 2}})
    with pytest.raises(ConfigError, match=f"steps take 8 samples, and now they would take {division.batch} ") as found:
        check_same(tmp_path, divided(division.samples, division.parts), division)
    assert remedy in str(found.value) and "--fresh" in str(found.value)


@pytest.mark.parametrize("content", [None, "{}", "["])
def test_where_nothing_tells_the_batch_its_parts_stay(tmp_path: Path, content: str | None) -> None:
    write_config(tmp_path, divided(2, 2))
    (tmp_path / "log.jsonl").touch()
    if content:
        (tmp_path / RUN).write_text(content)
    assert check_same(tmp_path, divided(2, 2), EIGHT)
    with pytest.raises(ConfigError, match="arguments.per_device_train_batch_size was 2 and is 4"):
        check_same(tmp_path, divided(4, 1), EIGHT)


def test_a_run_that_ended_before_its_first_step_is_none(tmp_path: Path) -> None:
    write_config(tmp_path, config())
    assert check_same(tmp_path, config(seed=1), EIGHT) is False


def test_checkpoints_without_settings_belong_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    assert not check_same(tmp_path, config(), EIGHT)
    (tmp_path / "checkpoints/checkpoint-5").mkdir()
    with pytest.raises(ConfigError, match="holds checkpoints and no config.yaml"):
        check_same(tmp_path, config(), EIGHT)


@pytest.mark.parametrize("content", ["[", "- a", "", "\0"])
def test_a_damaged_record_is_told(tmp_path: Path, content: str) -> None:
    begin(tmp_path)
    (tmp_path / CONFIG).write_text(content)
    with pytest.raises(ConfigError, match="is damaged"):
        check_same(tmp_path, config(), EIGHT)


def test_facts_of_a_run(tmp_path: Path) -> None:
    write_run(tmp_path / "new", {"data": {"batch": 8}, "model": {"name": "né"}})
    made = json.loads((tmp_path / "new" / RUN).read_text(encoding="utf-8"))
    assert made["data"] == {"batch": 8} and made["model"] == {"name": "né"}
    assert made["command"].startswith("crabplus") and made["created"].endswith("+00:00")
    assert set(made["versions"]) == set(PACKAGES) and made["versions"]["torch"][0].isdigit()
    assert "cores" in made["machine"] and made["python"]

"""Ways to divide the work of a step among processes that are refused, with the reason and the remedy."""

import pytest

import crabplus.train.sharding
from crabplus.config import ConfigError, TrainConfig, make_config
from crabplus.train.sharding import check_sharding

STAGE, FILE = "ACCELERATE_DEEPSPEED_ZERO_STAGE", "ACCELERATE_DEEPSPEED_CONFIG_FILE"
WAYS = {"DeepSpeed": {"ACCELERATE_USE_DEEPSPEED": "true", STAGE: "2"}, "FSDP": {"ACCELERATE_USE_FSDP": "true"}}


@pytest.fixture(autouse=True)
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """DeepSpeed, wherever this runs, and nothing that a launcher has said."""
    monkeypatch.setattr(crabplus.train.sharding, "find_spec", lambda name: object())
    for name in ("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_FSDP", "FSDP_VERSION", STAGE, FILE):
        monkeypatch.delenv(name, raising=False)


def config(**changes: object) -> TrainConfig:
    return make_config({"out": "run", "data": {"folder": "data", "keys": ["ave"]}, **changes})


def launched(monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("way", WAYS)
def test_both_ways_are_taken(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    launched(monkeypatch, **WAYS[way])
    check_sharding({"bf16": True}, config())
    check_sharding({"fsdp": True, "fsdp_config": {"version": 2}}, config())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer": "muon"}, "optimizer: muon needs matrices whole"),
        ({"encoded": {"folder": "encoded"}}, "encoded: towers"),
        ({"evaluation": {"every": 5}}, "crabplus predict and evaluate"),
    ],
)
def test_what_goes_with_neither(
    monkeypatch: pytest.MonkeyPatch, way: str, changes: dict[str, object], words: str
) -> None:
    check_sharding({}, config(**changes))
    launched(monkeypatch, **WAYS[way])
    with pytest.raises(ConfigError) as found:
        check_sharding({}, config(**changes))
    assert words in str(found.value) and way in str(found.value) and "leave" in str(found.value)


@pytest.mark.parametrize(
    ("environment", "given", "words"),
    [
        ({STAGE: "3"}, {}, ["zero_stage: 3", "lacks a modality", "set it to 2"]),
        ({STAGE: "1"}, {}, ["zero_stage: 1", "set it to 2"]),
        ({FILE: "zero3.json"}, {}, ["deepspeed_config_file", "configs/accelerate/zero2_8.yaml"]),
        ({"ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "cpu"}, {}, ["offload_optimizer_device: cpu", "none"]),
        ({"ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE": "nvme"}, {}, ["offload_param_device: nvme", "none"]),
        ({}, {"fp16": True}, ["arguments.fp16", "bf16"]),
        ({}, {"deepspeed": "zero2.json"}, ["arguments.deepspeed", "configs/accelerate/zero2_8.yaml"]),
    ],
)
def test_of_deepspeed_nothing_but_zero_2(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], given: dict[str, object], words: list[str]
) -> None:
    launched(monkeypatch, **{**WAYS["DeepSpeed"], **environment})
    with pytest.raises(ConfigError) as found:
        check_sharding(given, config())
    assert [word for word in words if word not in str(found.value)] == []


def test_deepspeed_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crabplus.train.sharding, "find_spec", lambda name: None)
    launched(monkeypatch, **WAYS["DeepSpeed"])
    with pytest.raises(ConfigError, match=r"pip install 'crabplus\[deepspeed\]'"):
        check_sharding({}, config())


def test_fsdp_of_version_1(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="FSDP version 1"):
        check_sharding({"fsdp": True, "fsdp_config": {"version": 1}}, config())
    launched(monkeypatch, **WAYS["FSDP"], FSDP_VERSION="1")
    with pytest.raises(ConfigError, match="FSDP version 1"):
        check_sharding({}, config())

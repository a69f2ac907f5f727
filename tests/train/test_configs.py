"""The shipped configs, and those for the launcher: they are taken as they are, and hold what they say."""

import argparse
import math
import re
from pathlib import Path

import pytest
import yaml
from accelerate import FullyShardedDataParallelPlugin
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

import crabplus.train.sharding
from crabplus.config import TrainConfig, load_config
from crabplus.models import load_skeleton
from crabplus.tasks import TASKS
from crabplus.train.arguments import arguments_of, division_of
from crabplus.train.sharding import check_sharding

CONFIGS = Path(__file__).parents[2] / "configs"
RUNS, LAUNCHES = sorted(CONFIGS.glob("*.yaml")), sorted((CONFIGS / "accelerate").glob("*.yaml"))
LARGE = [path for path in RUNS if "7b" in path.stem]


def gpus(path: Path) -> int:
    found = re.search(r"_(\d)(gpu)?$", path.stem)
    return int(found[1]) if found else 1


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_settings_and_arguments_are_taken(path: Path) -> None:
    config = load_config(path)
    arguments = arguments_of(config)
    assert arguments.get_warmup_steps(1000) == 30
    assert arguments.lr_scheduler_type == "cosine" and arguments.save_total_limit == 2


def test_tiny_learns_the_keys_of_tidepool_and_looks_at_unseen_ones() -> None:
    config = load_config(CONFIGS / "tiny.yaml")
    assert (config.model, config.dtype, list(config.data.keys)) == ("tiny", "float32", ["ave", "avqa", "arig"])
    assert (config.adapter.kind, config.adapter.r, config.adapter.alpha) == ("ilora", 32, 64)
    assert config.evaluation and config.evaluation.split == "val" and config.cache
    assert arguments_of(config).load_best_model_at_end


def test_fsdp_is_asked_for_as_transformers_documents_it() -> None:
    config = load_config(CONFIGS / "tiny.yaml", ["evaluation=null", "arguments.fsdp=true", "arguments.use_cpu=true"])
    assert arguments_of(config).fsdp is True


def published(config: TrainConfig) -> dict[str, object]:
    adapter = config.adapter.model_dump(exclude_none=True)
    return {**adapter, **{name: config.arguments[name] for name in ("num_train_epochs", "learning_rate", "bf16")}}


@pytest.mark.parametrize("path", LARGE, ids=lambda path: path.stem)
def test_large_ones_are_the_published_setting(path: Path) -> None:
    config = load_config(path)
    assert list(config.data.keys) == list(TASKS)
    assert published(config) == {
        "kind": "ilora", "r": 128, "alpha": 256, "heads": 3, "dropout": 0.1, "router_temperature": 1.0,
        "targets": "as-published", "num_train_epochs": 5, "learning_rate": 1e-4, "bf16": True,
    }  # fmt: skip
    arguments = arguments_of(config)
    assert arguments.activation_checkpointing_kwargs == {"use_reentrant": False}
    assert division_of(arguments).batch * gpus(path) == 64


def test_large_ones_differ_in_nothing_else() -> None:
    made = [load_config(path).model_dump() for path in LARGE]
    for config in made:
        for name in ("gradient_accumulation_steps", "ddp_find_unused_parameters"):
            config["arguments"].pop(name, None)
    assert len(made) == 3 and all(config == made[0] for config in made)


def launched(path: Path) -> tuple[argparse.Namespace, dict[str, str]]:
    """What ``accelerate launch`` makes of a config file: its arguments, and the environment of the processes."""
    parser = launch_command_parser()
    args = parser.parse_args(["--config_file", str(path), "-m", "crabplus", "train", "settings.yaml"])
    made, defaults, _ = _validate_launch_command(args)
    if not made.use_deepspeed:
        return made, prepare_multi_gpu_env(made)
    made.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)  # as the launcher does
    return made, prepare_deepspeed_cmd_env(made)[1]


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda path: path.stem)
def test_the_launcher_takes_its_configs(path: Path) -> None:
    args, environment = launched(path)
    assert args.num_processes == gpus(path) and args.use_fsdp + args.multi_gpu + args.use_deepspeed == 1
    assert environment["ACCELERATE_MIXED_PRECISION"] == "bf16"
    known = {action.dest for action in launch_command_parser()._actions}
    content = yaml.safe_load(path.read_text())
    for part in ("fsdp_config", "deepspeed_config"):
        assert set(content.get(part, {})) <= known  # it takes any other without a word


@pytest.mark.parametrize("path", [path for path in LAUNCHES if "fsdp" in path.stem], ids=lambda path: path.stem)
def test_fsdp_divides_every_layer_and_saves_adapters_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in launched(path)[1].items():
        if name.startswith(("FSDP_", "ACCELERATE_")):
            monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2 and plugin.reshard_after_forward is True
    assert "FULL_STATE_DICT" in str(plugin.state_dict_type) and not plugin.activation_checkpointing
    thinker = load_skeleton("tiny")
    plugin.set_auto_wrap_policy(thinker)
    divided = [name for name, module in thinker.named_modules() if plugin.auto_wrap_policy(module, False, 0)]
    parts = {"model.language_model.layers": 4, "model.visual.blocks": 4, "model.audio_tower.layers": 3}
    counted = {part: sum(name.rpartition(".")[0] == part for name in divided) for part in parts}
    assert counted == parts and len(divided) == math.fsum(parts.values())


@pytest.mark.parametrize("path", [path for path in LAUNCHES if "zero2" in path.stem], ids=lambda path: path.stem)
def test_zero_2_is_what_is_taken_and_leaves_the_batch_to_the_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args, environment = launched(path)
    assert args.deepspeed_multinode_launcher == "standard"
    assert environment["ACCELERATE_DEEPSPEED_ZERO_STAGE"] == "2"
    assert (
        environment["ACCELERATE_GRADIENT_ACCUMULATION_STEPS"] == environment["ACCELERATE_GRADIENT_CLIPPING"] == "auto"
    )
    for name, value in environment.items():
        if name.startswith("ACCELERATE_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(crabplus.train.sharding, "find_spec", lambda name: object())
    check_sharding({"bf16": True}, load_config(CONFIGS / "qwen2_5_omni_7b_8gpu.yaml"))


@pytest.mark.parametrize("path", [*RUNS, *LAUNCHES], ids=lambda path: path.stem)
def test_commands_in_comments_name_files_that_are_there(path: Path) -> None:
    named = re.findall(r"configs/[\w/]+\.yaml", path.read_text())
    assert named and all((CONFIGS.parent / name).is_file() for name in named)

"""The recipes for SLURM: scripts that a shell takes, and commands with options that there are."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from crabplus.cli import app
from crabplus.cli.options import shard_of
from crabplus.config import load_config

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "configs" / "slurm").glob("*.sbatch"))
ARRAYS = [path for path in RECIPES if path.stem != "train"]
# what SLURM tells a job, and each of the tasks that srun starts in it
JOB = {
    "SLURM_JOB_ID": "123456",
    "SLURM_JOB_NODELIST": "node[3-4]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_CPUS_PER_TASK": "8",
}
TASK = {"KEY": "ave", "ROOT": "originals"}

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="SLURM runs on Linux, with bash")


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A folder of programs: srun starts a task on each of two machines, and others write down how they are called."""
    there = tmp_path / "bin"
    there.mkdir()
    programs = {
        "srun": "while [[ $1 == --* ]]; do shift; done\n"
        'for n in $(seq 0 $((${SLURM_JOB_NUM_NODES:-1} - 1))); do SLURM_NODEID=$n "$@"; done',
        "scontrol": "printf 'node3\\nnode4\\n'",
        "crabplus": f'printf "%q " crabplus "$@" >> {tmp_path}/calls; echo >> {tmp_path}/calls',
        "accelerate": f'printf "%q " accelerate "$@" >> {tmp_path}/calls; echo >> {tmp_path}/calls',
    }
    for name, text in programs.items():
        (there / name).write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        (there / name).chmod(0o755)
    return tmp_path


def calls(recipe: Path, cluster: Path, *arguments: str, **environment: str) -> list[list[str]]:
    """The commands that a recipe starts, word by word."""
    path = f"{cluster / 'bin'}{os.pathsep}{os.environ['PATH']}"
    made = subprocess.run(
        ["bash", str(recipe), *arguments], cwd=cluster, env={"PATH": path, **JOB, **environment}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        raise RuntimeError(made.stderr)
    return [shlex.split(line) for line in (cluster / "calls").read_text(encoding="utf-8").splitlines()]


def parsed(words: list[str]) -> dict[str, object]:
    """What crabplus takes a command line to mean; an option that it has not ends in an error."""
    command, (name, *words) = typer.main.get_command(app), words
    while hasattr(command, "resolve_command"):
        name, command, words = command.resolve_command(typer.Context(command), words)
    return dict(command.make_context(name, words).params)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_shell_takes_them(recipe: Path) -> None:
    subprocess.run(["bash", "-n", str(recipe)], check=True)
    lines = recipe.read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first:])  # SLURM reads none behind the first command
    assert "#SBATCH --requeue" in lines and "#SBATCH --open-mode=append" in lines


@pytest.mark.parametrize("recipe", ARRAYS, ids=lambda path: path.stem)
def test_every_part_of_an_array_is_done_once(recipe: Path, cluster: Path) -> None:
    parts = int(re.search(r"^#SBATCH --array=1-(\d+)$", recipe.read_text("utf-8"), re.MULTILINE)[1])  # type: ignore[index]
    environment = {**TASK, "SLURM_JOB_NUM_NODES": "1"}
    for number in range(1, parts + 1):
        made = calls(recipe, cluster, SLURM_ARRAY_TASK_ID=str(number), **environment)
    given = [parsed(words) for words in made]
    assert [shard_of(str(one["shard"])) for one in given] == [(number, parts) for number in range(1, parts + 1)]
    if recipe.stem == "predict":
        assert len({one["out"] for one in given}) == parts
    again = calls(recipe, cluster, SLURM_ARRAY_TASK_ID="3", SLURM_ARRAY_TASK_COUNT="1", **environment)[-1]
    assert parsed(again) == given[2]


def test_build_says_what_it_lacks(cluster: Path) -> None:
    with pytest.raises(RuntimeError, match="KEY=ave"):
        calls(ROOT / "configs/slurm/build.sbatch", cluster, SLURM_ARRAY_TASK_ID="1", ROOT="originals")


@pytest.mark.parametrize(("nodes", "samples", "parts"), [("1", "4", "2"), ("2", "1", "4"), ("8", "1", "1")])
def test_training_keeps_its_batch_on_any_number_of_machines(
    cluster: Path, nodes: str, samples: str, parts: str
) -> None:
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    made = calls(
        ROOT / "configs/slurm/train.sbatch", cluster, "adapter.r=64", SLURM_JOB_NUM_NODES=nodes, SAMPLES=samples,
        CONFIG=str(ROOT / "configs/qwen2_5_omni_7b_8gpu.yaml"), LAUNCH=str(ROOT / "configs/accelerate/zero2_8.yaml"),
    )  # fmt: skip
    assert len(made) == int(nodes)
    for number, words in enumerate(made):
        args, _, _ = _validate_launch_command(launch_command_parser().parse_args(words[2:]))
        assert (args.num_machines, args.num_processes, args.machine_rank) == (int(nodes), 8 * int(nodes), number)
        assert (args.main_process_ip, args.main_process_port) == ("node3", 20000 + 123456 % 20000)
        assert args.module and args.training_script == "crabplus"
        given = parsed(["crabplus", *args.training_script_args])
        config = load_config(str(given["config"]), given["changes"])  # type: ignore[arg-type]
        assert config.adapter.r == 64
        assert config.arguments["per_device_train_batch_size"] == int(samples)
        assert config.arguments["gradient_accumulation_steps"] == int(parts)
        assert int(samples) * int(parts) * args.num_processes == 64


def test_training_refuses_a_batch_that_cannot_be_divided(cluster: Path) -> None:
    with pytest.raises(RuntimeError, match="64 cannot be divided among 24 GPUs"):
        calls(ROOT / "configs/slurm/train.sbatch", cluster, SLURM_JOB_NUM_NODES="3")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_files_that_they_name_are_there(recipe: Path) -> None:
    named = re.findall(r"configs/[\w/]+\.(?:yaml|sbatch)", recipe.read_text(encoding="utf-8"))
    assert named and all((ROOT / name).is_file() for name in named)

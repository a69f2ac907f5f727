"""Whatever is wrong with a run is told in one line, with the setting and the remedy, before any weights are read."""

import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import typer
import yaml
from transformers import Qwen2_5OmniThinkerForConditionalGeneration
from typer.testing import CliRunner

import crabplus.models
import crabplus.train
from crabplus.analysis.suite_settings import load_suite
from crabplus.cli.training import train as command
from crabplus.config import ConfigError, load_config
from crabplus.models import resolve
from crabplus.train import check, train
from crabplus.train.arguments import arguments_of


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*args: object, **settings: object) -> None:
        pytest.fail("weights are read before all is checked")

    monkeypatch.setattr(crabplus.models, "load_model", read)
    monkeypatch.setattr(crabplus.train, "load_model", read)
    monkeypatch.setattr(Qwen2_5OmniThinkerForConditionalGeneration, "from_pretrained", read)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("WORLD_SIZE", "ACCELERATE_USE_DEEPSPEED"):
        monkeypatch.delenv(name, raising=False)


def quiet(items, heading, total):
    return items


def message(file: Path, *changes: str) -> str:
    """What is told of a config that is wrong, as the command tells it."""
    with pytest.raises((ValueError, KeyError, OSError)) as found:
        check(load_config(file, changes), quiet)
    error = found.value
    told = str(error.args[0] if isinstance(error, KeyError) else error)
    assert "\n" not in told and len(told) < 700
    return told


def holds(told: str, *words: str) -> None:
    missing = [word for word in words if word not in told]
    assert not missing, f"{missing} not in {told!r}"


def test_without_a_fault_there_is_a_plan(settings: Path) -> None:
    plan = check(load_config(settings, ["evaluation.samples=4"]), quiet)
    assert (plan.batch, len(plan.samples), len(plan.judged), sum(plan.draws.values())) == (4, 18, 12, 16)
    assert plan.trained["layers"] == {"language": 28}


def test_a_file_of_another_kind(settings: Path) -> None:
    suite = Path(__file__).parents[2] / "configs/suite/example.yaml"
    holds(message(suite), "example.yaml describes a suite", "crabplus transfer run")
    with pytest.raises(ConfigError, match=r"config.yaml describes one run, which is for crabplus train"):
        load_suite(settings)
    told = message(settings, *(f"{name}=1" for name in ("one", "two", "three", "four", "five")))
    assert told.endswith("; and 2 more")


# what is changed in a config without fault, and what the message must hold
OF_SETTINGS = {
    "misspelt section": (["evaluaton.every=3"], ["evaluaton: no such setting", "did you mean 'evaluation'"]),
    "misspelt setting": (["adapter.alhpa=3"], ["adapter.alhpa: no such setting", "did you mean 'alpha'"]),
    "misspelt setting of a key": (["data.keys.ave.wieght=1"], ["data.keys.ave.wieght", "did you mean 'weight'"]),
    "misspelt training argument": (
        ["arguments.learning_rte=1e-4"],
        ["arguments.learning_rte", "did you mean 'learning_rate'"],
    ),
    "reserved training argument": (["arguments.group_by_length=true"], ["group_by_length", "data.group"]),
    "reserved, and nothing takes its place": (["arguments.auto_find_batch_size=true"], ["auto_find_batch_size"]),
    "wrong type": (["adapter.r=many"], ["adapter.r", "integer", "'many'"]),
    "section that is none": (["adapter=5"], ["adapter", "AdapterSettings", "5"]),
    "value out of range": (["adapter.dropout=1.5"], ["adapter.dropout", "less than 1", "1.5"]),
    "seed out of range": (["seed=-1"], ["seed", "greater than or equal to 0"]),
    "setting that is missing": (["data={keys: ave}"], ["data.folder: is missing"]),
    "no keys": (["data.keys=[]"], ["data.keys", "at least 1"]),
    "unknown kind of adapter": (["adapter.kind=iloar"], ["adapter.kind", "'ilora'", "'iloar'"]),
    "misspelt preset": (["adapter.targets=as-publishd"], ["adapter.targets", "did you mean 'as-published'"]),
    "targets that match no layer": (["adapter.targets=[query, key]"], ["adapter.targets", "query", "fits no layer"]),
    "parts in which the targets match none": (
        ["adapter.targets=[gate_proj]", "adapter.parts=[audio]"],
        ["adapter.targets", "fits no layer"],
    ),
    "parts that cannot confine": (
        ["adapter.targets=all-linear", "adapter.parts=[audio]"],
        ["adapter.parts", "all-linear", "name the layers"],
    ),
    "adapter size with kind none": (["adapter.kind=none", "adapter.r=4"], ["kind none", "r", "leave them out"]),
    "unknown part": (["adapter.parts=[ears]"], ["adapter.parts", "'ears'", "language", "audio"]),
    "unknown part trained whole": (["trained=[eyes]"], ["trained", "'eyes'", "vision"]),
    "part trained whole that has adapted layers": (["trained=[language]"], ["trained", "language", "adapter.parts"]),
    "start without an adapter": (["adapter.start=data"], ["adapter.start", "adapter_config.json", "name the folder"]),
    "start and other settings": (["adapter.start=data", "adapter.r=4"], ["start", "r", "adapter={start: FOLDER}"]),
    "start and parts trained whole": (["adapter.start=data", "trained=[head]"], ["trained", "adapter.start"]),
    "start with kind none": (["adapter.start=data", "adapter.kind=none"], ["start", "kind none"]),
    "missing model folder": (["model=./nowhere"], ["./nowhere", "config.json", "'tiny'"]),
    "model that the hub does not give": (["model=nowhere/model"], ["nowhere/model", "no such folder", "hub"]),
    "attention that there is not": (["attention=spda"], ["attention", "spda", "sdpa"]),
    "missing data folder": (["data.folder=nowhere"], ["data.folder", "nowhere", "crabplus build"]),
    "key that is not in the folder": (["data.keys=ave,ks"], ["data.keys", "ks/train.jsonl", "ave/train.jsonl"]),
    "unknown key": (["data.keys=ave,avqaa"], ["data.keys", "'avqaa'", "did you mean 'avqa'"]),
    "unknown key to evaluate": (["evaluation.keys=[avee]"], ["evaluation.keys", "did you mean 'ave'"]),
    "missing split": (["data.split=trian"], ["data.split", "trian.jsonl", "train.jsonl"]),
    "sample too long": (["data.longest=60"], ["ave-train-0", "tokens", "data.longest 60", "more"]),
    "weight of one key alone": (["data.keys.ave.weight=2"], ["ave has a weight", "avqa has none", "all of them"]),
    "weights with a temperature": (
        ["data.keys={ave: {weight: 1}}", "data.temperature=2"],
        ["temperature", "weights", "leave one of the two out"],
    ),
    "negative weight": (["data.keys.ave.weight=-1"], ["data.keys.ave.weight", "greater than 0"]),
    "no sample of a key": (["data.keys.ave.cap=0"], ["data.keys.ave.cap", "greater than 0"]),
    "batch larger than the data": (
        ["arguments.per_device_train_batch_size=19"],
        ["19 samples", "per_device_train_batch_size", "an epoch has 18", "make the batch smaller"],
    ),
    "batch of nothing": (
        ["arguments.per_device_train_batch_size=0"],
        ["arguments.per_device_train_batch_size", "at least 1"],
    ),
    "missing pack": (["pack=nowhere.yaml"], ["pack", "nowhere.yaml", "is not there"]),
    "evaluation split that is missing": (
        ["evaluation.split=test"],
        ["evaluation.split", "test.jsonl", "val.jsonl", "evaluation=null"],
    ),
    "reference of a key that is not there": (["evaluation.reference={ks: 0.5}"], ["evaluation.reference", "ks", "ave"]),
    "reference of a key that is not evaluated": (
        ["evaluation.keys=[ave]", "evaluation.reference={avqa: 0.5}"],
        ["evaluation.reference", "avqa", "there are ave"],
    ),
    "reference below a constant answer": (
        ["evaluation.reference={avqa: 0.1}"],
        ["evaluation.reference", "avqa", "constant answer", "evaluation.samples"],
    ),
    "change without its sign": (["adapter.r"], ["'adapter.r'", "name=value"]),
    "change that is not YAML": (["adapter.targets=[a"], ["adapter.targets", "not YAML"]),
    "change of what is no section": (["out.b=3", "out.c.d=3"], ["no section"]),
    "re-entrant checkpointing": (
        ["arguments.activation_checkpointing=true", "arguments.activation_checkpointing_kwargs={use_reentrant: true}"],
        ["use_reentrant", "set use_reentrant to false"],
    ),
    "re-entrant checkpointing by its old name": (
        ["arguments.gradient_checkpointing=true", "arguments.gradient_checkpointing_kwargs={use_reentrant: true}"],
        ["use_reentrant", "set use_reentrant to false"],
    ),
    "DeepSpeed": (["arguments.deepspeed=zero3.json"], ["arguments.deepspeed", "configs/accelerate/zero2_8.yaml"]),
    "training argument of another type": (["arguments.learning_rate=fast"], ["arguments.learning_rate", "'fast'"]),
    "training argument that transformers refuses": (["arguments.warmup_steps=-1"], ["warmup_steps", "-1"]),
    "training argument of a list": (["arguments.lr_scheduler_type=cosin"], ["cosin", "'cosine'"]),
    "checkpoints that fall beside the evaluations": (
        ["evaluation.every=4", "arguments.save_steps=6"],
        ["arguments.save_steps", "every 4 steps", "load_best_model_at_end"],
    ),
    "place for the curves that is not installed": (["arguments.report_to=wandb"], ["arguments.report_to", "wandb"]),
}


@pytest.mark.parametrize(("changes", "words"), OF_SETTINGS.values(), ids=OF_SETTINGS)
def test_wrong_settings(settings: Path, changes: list[str], words: list[str]) -> None:
    holds(message(settings, *changes), *words)


# what is written as the config file, and what the message must hold
OF_FILES = {
    "not YAML": ("out: [a\nb: ]]", ["config.yaml", "not YAML"]),
    "not text": (b"\xff\xfe\x00", ["config.yaml", "not YAML"]),
    "a list": ("- a\n- b\n", ["config.yaml", "settings by name", "list"]),
    "nothing": ("", ["config.yaml", "settings by name"]),
}


@pytest.mark.parametrize(("content", "words"), OF_FILES.values(), ids=OF_FILES)
def test_wrong_files(settings: Path, content: str | bytes, words: list[str]) -> None:
    settings.write_bytes(content if isinstance(content, bytes) else content.encode())
    holds(message(settings), *words)


def test_missing_file(tmp_path: Path) -> None:
    holds(message(tmp_path / "nowhere.yaml"), "nowhere.yaml", "no such config file", "configs/")


def model_of_another_type(data: Path) -> None:
    Path("other").mkdir()
    Path("other/config.json").write_text('{"model_type": "bert"}')


def adapter_that_cannot_learn_on(data: Path) -> None:
    Path("start").mkdir()
    Path("start/adapter_config.json").write_text('{"peft_type": "IA3"}')


def damaged_adapter(data: Path) -> None:
    Path("start").mkdir()
    Path("start/adapter_config.json").write_text("{")


def adapter_of_another_model(data: Path) -> None:
    shutil.copytree(Path(resolve("tiny")) / "adapter", "start")
    file = Path("start/adapter_config.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "target_modules": ["query"]}))


def empty_index(data: Path) -> None:
    (data / "avqa/train.jsonl").write_text("")


def empty_split(data: Path) -> None:
    (data / "avqa/val.jsonl").write_text("\n")


def missing_media(data: Path) -> None:
    next((data / "arig").glob("arig-train-3.wav")).unlink()


def silent_clips(data: Path) -> None:
    file = data / "ave/train.jsonl"
    file.write_text(file.read_text().replace('"sound":"track"', '"sound":"none"'))


def pack_without_a_key(data: Path) -> None:
    pack = yaml.safe_load((Path(resolve("tiny")) / "pack.yaml").read_text())
    del pack["keys"]["arig"]
    Path("pack.yaml").write_text(yaml.safe_dump(pack))


def damaged_pack(data: Path) -> None:
    Path("pack.yaml").write_text("{name: mine, version: 1}")


def cache_that_is_a_file(data: Path) -> None:
    Path("cache").touch()


def run_that_is_a_file(data: Path) -> None:
    Path("run").touch()


def run_of_an_unknown_config(data: Path) -> None:
    Path("run/checkpoints/checkpoint-3").mkdir(parents=True)


def damaged_record_of_the_run(data: Path) -> None:
    Path("run").mkdir()
    Path("run/config.yaml").write_text("[")
    Path("run/log.jsonl").touch()


# what is spoilt, what is changed, and what the message must hold
OF_FOLDERS = {
    "model of another type": (model_of_another_type, ["model=other"], ["other", "'bert'", "no family"]),
    "start that cannot learn on": (adapter_that_cannot_learn_on, ["adapter.start=start"], ["adapter.start", "IA3"]),
    "start that is damaged": (damaged_adapter, ["adapter.start=start"], ["adapter.start", "start", "not JSON"]),
    "start of another model": (adapter_of_another_model, ["adapter.start=start"], ["adapter.start", "fits no layer"]),
    "empty index": (empty_index, [], ["avqa/train", "no sample", "leave avqa out"]),
    "empty evaluation split": (empty_split, ["evaluation.every=5"], ["evaluation", "avqa/val", "no sample"]),
    "missing media file": (missing_media, [], ["arig sample 'arig-train-3'", "arig-train-3.wav", "not there"]),
    "no sound where it is needed": (silent_clips, [], ["ave needs sound", "none of its 6", "leave ave out"]),
    "pack without a key": (pack_without_a_key, ["pack=pack.yaml"], ["pack: ", "no wording", "'arig'", "avqa"]),
    "pack that is damaged": (damaged_pack, ["pack=pack.yaml"], ["pack.yaml", "canvas"]),
    "cache that is a file": (cache_that_is_a_file, ["cache.folder=cache"], ["cache.folder", "is a file"]),
    "run folder that is a file": (run_that_is_a_file, [], ["out", "is a file"]),
    "checkpoints of an unknown run": (run_of_an_unknown_config, [], ["out", "holds checkpoints", "another folder"]),
    "record of the run that is damaged": (damaged_record_of_the_run, [], ["out", "config.yaml", "--fresh"]),
}


@pytest.mark.parametrize(("spoil", "changes", "words"), OF_FOLDERS.values(), ids=OF_FOLDERS)
def test_wrong_folders(
    settings: Path, data: Path, spoil: Callable[[Path], None], changes: list[str], words: list[str]
) -> None:
    spoil(data)
    holds(message(settings, *changes), *words)


def test_samples_without_an_answer(settings: Path, edit: Callable[..., None]) -> None:
    edit("avqa", "train", 2, answer=None)
    edit("ave", "train", 5, answer={"type": "text", "text": "a dog"})
    told = message(settings)
    holds(told, "avqa sample 'avqa-train-2'", "true answer", "ave sample 'ave-train-5'", "EventsAnswer")
    edit("avqa", "train", 2, answer={"type": "text", "text": "left"})
    edit("ave", "train", 5, answer={"type": "events", "events": []})
    edit("arig", "val", 1, answer=None)
    holds(message(settings, "evaluation.every=5"), "evaluation.split", "arig sample 'arig-val-1'", "leave evaluation")


def test_all_long_samples_are_counted_and_the_first_named(settings: Path) -> None:
    told = message(settings, "data.longest=60")
    found = re.search(r"ave sample 'ave-train-0': (\d+) tokens are more than data.longest 60", told)
    assert found and int(found[1]) > 60
    assert told.count("tokens are more") == 3 and told.endswith("; and 15 more")


def test_a_folder_that_holds_another_run(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = check(load_config(settings, ["adapter.r=4"]), quiet)
    monkeypatch.setattr(crabplus.train, "load_model", lambda *args, **settings: (_ for _ in ()).throw(EOFError))
    with pytest.raises(EOFError):
        train(plan)
    crabplus.train.record.write_config(Path("run"), plan.config)
    Path("run/log.jsonl").touch()
    told = message(settings, "adapter.r=8", "seed=3")
    holds(told, "out: ", "adapter.r was 4 and is 8", "seed was 0 and is 3", "--fresh")
    check(load_config(settings, ["adapter.r=4", "arguments.save_steps=7"]), quiet)  # may change on the way
    check(load_config(settings, ["adapter.r=8"]), quiet, fresh=True)


def test_several_gpus_and_one_process(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    told = message(settings)
    holds(told, "4 GPUs", "CUDA_VISIBLE_DEVICES=0")
    found = re.search(r"accelerate launch --num_processes 4 -m (\S+) train ", told)
    assert found and importlib.util.find_spec(f"{found[1]}.__main__")


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without an accelerator")
def test_half_precision_without_an_accelerator(settings: Path) -> None:
    assert arguments_of(load_config(settings, ["arguments.bf16=true"])).device.type == "cpu"
    holds(message(settings, "arguments.fp16=true"), "arguments.fp16", "accelerator")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["adapter.alhpa=3"], ["adapter.alhpa", "did you mean 'alpha'"]),
        (["data.keys=ave,avqaa"], ["did you mean 'avqa'"]),
        (["plugin=nowhere.py"], ["nowhere.py", "no Python file"]),
        (["data.longest=60"], ["ave-train-0", "data.longest 60"]),
    ],
)
def test_the_command_tells_it_in_one_line(
    settings: Path, monkeypatch: pytest.MonkeyPatch, changes: list[str], words: list[str]
) -> None:
    monkeypatch.setattr("crabplus.report.table.plan_table", lambda overview: "", raising=False)
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, [str(settings), *changes])
    assert result.exit_code == 2
    line = result.stderr.strip()
    assert line.startswith("error: ") and "\n" not in line
    holds(line, *words)

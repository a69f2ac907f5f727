"""What ``crabplus estimate`` tells, against what really happens to the tiny model."""

import json
import shutil
import weakref
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from transformers import Qwen2_5OmniConfig, Qwen2_5OmniThinkerConfig
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.config import ConfigError, load_config
from crabplus.data import encode
from crabplus.models import qwen2_5_omni, resolve
from crabplus.models.source import Files
from crabplus.tidepool.build import build
from crabplus.train import check, load, source_of
from crabplus.train.estimate import estimate
from crabplus.train.muon import Muon
from crabplus.train.trainer import MixtureTrainer

PROCESSOR = ("processor_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four samples: two of a clip, two of a picture and a sound."""
    out = tmp_path_factory.mktemp("data")
    return out, list(build(out, ("ave", "arig"), "train", 2, 31))


@pytest.fixture(scope="module")
def config(data, tmp_path_factory):
    """A run whose micro-batch is all samples."""
    folder = tmp_path_factory.mktemp("config")
    content = {
        "out": str(folder / "run"), "dtype": "float32",
        "data": {"folder": str(data[0]), "keys": ["ave", "arig"], "paraphrases": False},
        "adapter": {"r": 8, "alpha": 16, "targets": "as-published"},
        "arguments": {"per_device_train_batch_size": 4, "dataloader_num_workers": 0, "use_cpu": True},
    }  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    return folder / "run.yaml"


@pytest.fixture(scope="module")
def plan_of(config):
    """Makes a plan with some changes."""

    @cache
    def make(*changes):
        return check(load_config(config, changes), lambda items, heading, total: items, save=False)

    return make


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    """A folder with the config of the 7 B thinker and a processor, and no weights."""
    folder = tmp_path_factory.mktemp("seven")
    made = Qwen2_5OmniThinkerConfig(vision_config={"hidden_size": 1280})  # transformers' default is not the model's
    assert (made.text_config.hidden_size, made.text_config.num_hidden_layers) == (3584, 28)
    assert (made.audio_config.d_model, made.audio_config.encoder_layers, made.vision_config.depth) == (1280, 32, 32)
    made.dtype = "bfloat16"
    made.save_pretrained(folder)
    for name in (*PROCESSOR, "pack.yaml"):
        shutil.copy(Path(resolve("tiny")) / name, folder)
    return folder


def bytes_of(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def trainer_of(plan, folder):
    model, samples = load(plan, source_of(plan.config))
    families = {"ave": "temporal localisation", "arig": "spatial localisation"}
    return MixtureTrainer(model, samples, plan.sampler(), folder, families, args=plan.arguments)


class Held:
    """A tensor that autograd keeps."""

    def __init__(self, tensor):
        self.tensor = tensor


def kept(plan, folder):
    """Bytes that autograd keeps of the loss of a batch, each storage once, parameters, buffers and inputs left out."""
    trainer, held = trainer_of(plan, folder), weakref.WeakSet()
    thinker, inputs = trainer.av.thinker.train(), next(iter(trainer.get_train_dataloader()))
    if plan.arguments.activation_checkpointing:
        settings = dict(plan.arguments.activation_checkpointing_kwargs)
        every = settings.pop("every_n_layers", 1)
        thinker.activation_checkpointing_enable(activation_checkpointing_kwargs=settings, every_n_layers=every)
    given = [value for value in inputs.values() if isinstance(value, torch.Tensor)]

    def pack(tensor):
        made = Held(tensor)
        held.add(made)
        return made

    autocast = torch.autocast("cpu", torch.bfloat16, enabled=plan.arguments.bf16)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda made: made.tensor), autocast:
        loss = trainer.compute_loss(thinker, inputs)
    assert loss.requires_grad
    storages = {one.tensor.untyped_storage().data_ptr(): one.tensor.untyped_storage() for one in held}
    for tensor in (*thinker.parameters(), *thinker.buffers(), *given):
        storages.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(storage.nbytes() for storage in storages.values())


def test_tokens_are_those_of_the_encoder(plan_of, data):
    folder, samples = data
    plan = plan_of()
    made, tokenizer = estimate(plan, 0), plan.encoder.processor.tokenizer
    for key in ("ave", "arig"):
        lengths = {}
        for sample in (sample for sample in samples if sample.task == key):
            encoded = encode(plan.encoder, sample, Files(folder), plan.pack, target=True)
            ids, target = encoded["input_ids"], int((encoded["labels"] >= 0).sum())
            places = {kind: getattr(tokenizer, f"{kind}_token_id") for kind in ("image", "video", "audio")}
            found = {kind: int((ids == number).sum()) for kind, number in places.items()}
            found |= {"all": len(ids), "target": target, "text": len(ids) - target - sum(found.values())}
            for kind, length in found.items():
                lengths.setdefault(kind, []).append(length)
        assert made.keys[key]["samples"] == made.keys[key]["draws"] == 2
        assert made.keys[key]["tokens"] == {
            kind: {"mean": np.mean(row), "p95": pytest.approx(np.percentile(row, 95)), "most": max(row)}
            for kind, row in lengths.items()
        }
    total = sum(2 * row["tokens"]["all"]["mean"] for row in made.keys.values())
    assert made.tokens == {"step": total, "epoch": total, "steps": 1}


@pytest.mark.parametrize(
    ("targets", "parts"),
    [
        ("as-published", {"language": 682.4, "audio": 63.3, "vision": 124.8, "total": 870.5}),
        ("language-model-only", {"language": 682.4, "total": 682.4}),
    ],
)
def test_adapter_of_the_7b_model(plan_of, seven, targets, parts):
    """The published setting; no weights are there, and none are needed."""
    made = estimate(plan_of(f"model={seven}", f"adapter={{targets: {targets}}}", "dtype=auto"), 0)
    trained = {part: round(row["trained"] / 1e6, 1) for part, row in made.parameters.items() if row["trained"]}
    assert trained == parts
    assert made.dtype == "bfloat16" and made.time is None
    total = made.parameters["total"]
    adapter = made.memory["gradients"]
    assert adapter == 4 * total["trained"]  # float32 beside a bfloat16 base
    buffers = made.memory["weights"] - 2 * total["all"] - adapter
    assert 0 < buffers < 10e6


@pytest.mark.parametrize(
    "changes",
    [("adapter={kind: none}",), ("dtype=auto",), ("dtype=bfloat16", "adapter.kind=lora"),
     ("adapter={parts: [language], r: 4}", "trained=[audio]")],
)  # fmt: skip
def test_weights_are_the_bytes_of_the_tensors(plan_of, changes):
    plan = plan_of(*changes)
    model, _ = load(plan, source_of(plan.config))
    made = estimate(plan, 0)
    assert made.memory["weights"] == bytes_of((*model.thinker.parameters(), *model.thinker.buffers()))
    trained = [parameter for parameter in model.thinker.parameters() if parameter.requires_grad]
    assert made.memory["gradients"] == bytes_of(trained)
    assert made.parameters["total"]["trained"] == sum(parameter.numel() for parameter in trained)


@pytest.mark.parametrize(
    ("name", "changes"),
    [("adamw_torch", ()), ("adamw_torch", ("adapter={kind: none}", "dtype=bfloat16")),
     ("adafactor", ("adapter={kind: none}", "dtype=bfloat16")), ("rmsprop", ()), ("sgd", ()),
     ("muon", ()), ("muon", ("adapter={kind: none}",))],
)  # fmt: skip
def test_optimiser_holds_what_was_said(plan_of, tmp_path, name, changes):
    plan = plan_of("optimizer=muon" if name == "muon" else f"arguments.optim={name}", *changes)
    trainer = trainer_of(plan, tmp_path)
    optimizer = Muon(trainer.model, 1e-3) if name == "muon" else trainer.create_optimizer()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    held = bytes_of(value for row in optimizer.state.values() for value in row.values() if torch.is_tensor(value))
    assert estimate(plan, 0).memory["optimiser"] == held


def test_unknown_optimiser_is_said(plan_of):
    made = estimate(plan_of("arguments.optim=ademamix"), 0)
    assert made.memory["optimiser"] == estimate(plan_of(), 0).memory["optimiser"]
    assert [note for note in made.notes if "ademamix" in note]


@pytest.mark.parametrize(
    "changes",
    [
        (), ("adapter.kind=lora",), ("adapter.parts=[audio]",), ("adapter={kind: none}",),
        ("arguments.bf16=true",), ("attention=eager",),
        ("arguments.activation_checkpointing=true",),
        ("arguments.activation_checkpointing=true", "adapter.targets=language-model-only"),
        ("arguments.activation_checkpointing=true",
         "arguments.activation_checkpointing_kwargs={use_reentrant: false, every_n_layers: 2}"),
    ],
)  # fmt: skip
def test_activations_are_what_autograd_keeps(plan_of, tmp_path, changes):
    plan = plan_of(*changes)
    parts = estimate(plan, 0).memory["by_part"]
    said = sum(size for part, size in parts.items() if part != "made anew")
    assert 0.7 < said / kept(plan, tmp_path) < 1.4


def test_layer_made_anew_is_one_of_those_kept_otherwise(plan_of, tmp_path):
    plain = kept(plan_of("adapter.targets=language-model-only"), tmp_path)
    checkpointed = plan_of("adapter.targets=language-model-only", "arguments.activation_checkpointing=true")
    assert 0.7 < 4 * estimate(checkpointed, 0).memory["by_part"]["made anew"] / plain < 1.4  # it has four layers


class Two:
    """Training arguments as one of two processes has them."""

    world_size = 2

    def __init__(self, arguments):
        self.arguments = arguments

    def __getattr__(self, name):
        return getattr(self.arguments, name)


@pytest.mark.parametrize(
    ("way", "divided"),
    [("", ()), ("FSDP", ("weights", "gradients", "optimiser")), ("DEEPSPEED", ("gradients", "optimiser"))],
)
def test_several_processes(plan_of, monkeypatch, way, divided):
    """With DDP each process holds everything; FSDP divides all but the activations, ZeRO-2 what the weights leave."""
    plan = plan_of("arguments.per_device_train_batch_size=2")
    alone = estimate(plan, 0).memory
    monkeypatch.setenv(f"ACCELERATE_USE_{way}", "true")
    made = estimate(replace(plan, arguments=Two(plan.arguments)), 0)
    for what in ("weights", "gradients", "optimiser"):
        assert made.memory[what] == -(-alone[what] // (2 if what in divided else 1))
    assert made.memory["activations"] == alone["activations"]
    assert made.processes == 2 and len(made.notes) == 1


def test_dtype_of_a_whole_model(tmp_path):
    for name, wanted in (("bfloat16", torch.bfloat16), (None, None)):
        made = Qwen2_5OmniConfig()
        made.thinker_config.dtype = name
        made.save_pretrained(tmp_path)
        assert qwen2_5_omni.saved_dtype(tmp_path) == wanted


def test_no_weights_no_steps(plan_of, seven):
    with pytest.raises(ConfigError, match="weights of .* cannot be loaded.*--steps 0"):
        estimate(plan_of(f"model={seven}"), 1)


def test_no_processor(plan_of, seven, tmp_path):
    shutil.copy(seven / "config.json", tmp_path)
    with pytest.raises(ValueError, match="processor cannot be loaded.*tokenizer.json"):
        plan_of(f"model={tmp_path}")


def test_command_measures_and_writes_nothing(config):
    """Beside another run, which stays as it is."""
    run = config.parent / "run"
    (run / "checkpoints" / "checkpoint-9").mkdir(parents=True)
    (run / "config.yaml").write_text("seed: 99\n")
    before = sorted(config.parent.rglob("*"))
    result = CliRunner().invoke(app, ["estimate", str(config), "adapter.r=4", "--steps", "2", "--json"])
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert sorted(config.parent.rglob("*")) == before
    assert made["keys"]["ave"]["samples"] == 2 and made["memory"]["total"] > made["memory"]["weights"] > 0
    time = made["time"]
    assert time["steps"] == 2 and 0 <= time["waiting"] < 1 and time["peak_bytes"] is None
    assert time["samples_per_second"] == pytest.approx(4 / time["seconds_per_step"])
    assert time["hours"] == pytest.approx(3 * time["hours_per_epoch"])  # transformers trains three epochs
    assert time["tokens_per_second"] == pytest.approx(made["tokens"]["step"] / time["seconds_per_step"], rel=0.5)


def test_command_shows_tables(config):
    result = CliRunner().invoke(app, ["estimate", str(config), "--steps", "0"])
    assert result.exit_code == 0, result.output
    assert all(words in result.output for words in ("Tokens of a sample", "adapted layers", "optimiser", "language"))
    assert "measured" not in result.output

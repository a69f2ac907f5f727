"""Short runs of the tiny model: what is trained, what a step is, and that a run goes on to the same result."""

import json
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch.nn.functional import cross_entropy

from crabplus import media
from crabplus.config import TrainConfig
from crabplus.data import Collator, TrainingData, WithSource
from crabplus.data.mixture import Draw
from crabplus.models import load_model, resolve
from crabplus.models.source import Files
from crabplus.train import check, source_of, train
from crabplus.wording import pack_for
from short_runs import KEYS, Interrupted, StopAt, losses, quiet, settings

TINY_PACK = Path(resolve("tiny")) / "pack.yaml"


def run(config: TrainConfig, stop: int | None = None) -> Path:
    """The folder of a run, whole or interrupted."""
    callbacks = [StopAt(stop)] if stop is not None else []
    if stop is None:
        train(check(config, quiet), callbacks=callbacks)
    else:
        with pytest.raises(Interrupted):
            train(check(config, quiet), callbacks=callbacks)
    return Path(config.out)


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "final" / "adapter_model.safetensors")


def same(one: Path, other: Path) -> bool:
    """Whether two runs ended in the same weights, bit for bit, with the same losses at every step."""
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a) and losses(one) == losses(other)


@pytest.fixture(scope="module")
def whole(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight steps without a break, in the wording of a file."""
    folder = tmp_path_factory.mktemp("whole")
    return run(settings(folder, clips, pack=str(shutil.copy(TINY_PACK, folder.parent / "mine.yaml"))))


def test_every_adapted_part_learns(whole: Path) -> None:
    heads = {name: value for name, value in weights(whole).items() if "ilora_B" in name}
    for part in ("language_model", "visual", "audio_tower"):
        inside = [value for name, value in heads.items() if part in name]
        assert inside and all(np.abs(value).max() > 0 for value in inside), part  # every head starts at zero
    recorded = json.loads((whole / "run.json").read_text(encoding="utf-8"))["adapter"]
    assert sum(recorded["layers"].values()) == len(heads)
    assert sum(recorded["parameters_by_part"].values()) == sum(value.size for value in weights(whole).values())
    written = json.loads((whole / "final/adapter_config.json").read_text(encoding="utf-8"))
    assert written["base_model_name_or_path"] == "tiny"  # as the config names it, not where it lies on this machine


def test_the_wording_that_was_learned_is_that_of_the_adapter(whole: Path, tmp_path: Path) -> None:
    file = whole / "final" / "pack.yaml"
    assert file.read_bytes() == TINY_PACK.read_bytes()
    other = Path(shutil.copytree(file.parent, tmp_path / "adapter")) / "pack.yaml"
    other.write_text(file.read_text(encoding="utf-8").replace("name: tiny", "name: mine"), encoding="utf-8")
    assert [pack_for("tiny", adapter=at).name for at in (None, "none", other.parent)] == ["tiny", "tiny", "mine"]
    assert pack_for("tiny", TINY_PACK, other.parent).name == "tiny"


@pytest.mark.slow
def test_towers_learn_where_activations_are_computed_again(clips: Path, tmp_path: Path, whole: Path) -> None:
    found = run(settings(tmp_path, clips, arguments={"activation_checkpointing": True}))
    for name, value in weights(found).items():
        np.testing.assert_allclose(value, weights(whole)[name], atol=2e-4, err_msg=name)


def test_an_interrupted_run_goes_on_to_the_same_result(clips: Path, tmp_path: Path, whole: Path) -> None:
    config = settings(tmp_path, clips)
    run(config, stop=6)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-4"]
    assert same(run(config), whole)


@pytest.mark.slow
def test_a_run_without_adapter_goes_on_to_the_same_result(clips: Path, tmp_path: Path) -> None:
    def ended(name: str, stop: int | None = None) -> Path:
        config = settings(
            tmp_path / name, clips, adapter={"kind": "none"}, trained=("language", "vision-merger"),
            arguments={"max_steps": 4, "save_steps": 2},
        )  # fmt: skip
        if stop is not None:
            run(config, stop)
        return run(config)

    whole, halved = ended("whole"), ended("halved", stop=3)
    a, b = (load_file(folder / "final" / "model.safetensors") for folder in (whole, halved))
    assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
    assert losses(whole) == losses(halved)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over(
    clips: Path, tmp_path: Path, whole: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = settings(tmp_path, clips, arguments={"save_steps": 2})
    run(config, stop=5)
    optimizer = tmp_path / "checkpoints" / "checkpoint-4" / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:1000])
    assert same(run(config), whole)
    assert "checkpoint-4 has 1000 bytes of optimizer.pt" in caplog.text and "going on from checkpoint-2" in caplog.text
    kept = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {"damaged-4", "checkpoint-6", "checkpoint-8"}  # two whole ones, as save_total_limit says


@pytest.mark.slow
def test_a_log_of_several_steps_goes_on_where_it_was(clips: Path, tmp_path: Path) -> None:
    """The checkpoint falls between two logs: the loss of the second is over the steps before it, too."""
    changes = {"arguments": {"logging_steps": 3, "max_steps": 6}}
    whole = run(settings(tmp_path / "whole", clips, **changes))
    config = settings(tmp_path / "broken", clips, **changes)
    run(config, stop=5)
    assert losses(run(config)) == losses(whole) and set(losses(whole)) == {3, 6}


@pytest.mark.slow
@pytest.mark.parametrize("accumulated", [2, 4])
def test_a_step_does_not_depend_on_accumulation(clips: Path, tmp_path: Path, accumulated: int) -> None:
    made = [
        run(
            settings(
                tmp_path / str(parts), clips, adapter={"dropout": 0.0},
                arguments={
                    "max_steps": 3, "per_device_train_batch_size": 8 // parts, "gradient_accumulation_steps": parts
                },
            )
        )
        for parts in (1, accumulated)
    ]  # fmt: skip
    one, other = map(losses, made)
    for step in (1, 2, 3):
        for name, value in one[step].items():
            assert other[step][name] == pytest.approx(value, rel=2e-5), (step, name)


def test_the_loss_is_the_mean_over_the_tokens_of_the_answers(clips: Path, tmp_path: Path) -> None:
    """Computed by hand, from logits for every token."""
    config = settings(tmp_path, clips, adapter={"dropout": 0.0}, arguments={"max_steps": 1})
    found = losses(run(config))[1]
    plan = check(config, quiet)
    model = load_model("tiny", plan.pack.size, dtype="float32")
    data = TrainingData(model.encoder, WithSource(plan.samples, Files(clips)), plan.pack)
    batch = Collator(model.encoder)([data[draw] for draw in next(iter(plan.sampler()))])
    labels, tasks = batch.pop("labels"), batch.pop("tasks")
    del batch["unreadable"]
    with torch.no_grad():
        logits = model.thinker(**batch).logits[:, :-1]
    assert found["loss"] == pytest.approx(float(cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())), rel=1e-5)
    for key in set(tasks):
        rows = [number for number, task in enumerate(tasks) if task == key]
        wanted = float(cross_entropy(logits[rows].flatten(0, 1), labels[rows, 1:].flatten()))
        assert found[f"loss_key/{key}"] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.slow
def test_scores_while_training_choose_the_best_checkpoint(clips: Path, tmp_path: Path) -> None:
    look = {"split": "val", "samples": 2, "every": 2, "batch_size": 6}
    config = settings(tmp_path, clips, evaluation=look, arguments={"save_steps": 2})
    run(config)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    scores = {row["step"]: row for row in rows if "eval_mean_relative" in row}
    assert set(scores) == {2, 4, 6, 8} and all(f"eval_{key}" in scores[2] for key in KEYS)
    best = max(scores, key=lambda step: (scores[step]["eval_mean_relative"], step))  # of equal ones the later
    chosen = tmp_path / "checkpoints" / f"checkpoint-{best}" / "adapter_model.safetensors"
    kept, final = load_file(chosen), weights(tmp_path)
    assert all(np.array_equal(kept[name], final[name]) for name in final)
    assert len((tmp_path / "evaluations" / "step-2.jsonl").read_text(encoding="utf-8").splitlines()) == 6


def test_of_a_run_without_adapter_the_best_checkpoint_is_kept_too(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crabplus.train.trainer import MixtureTrainer

    real = MixtureTrainer.evaluate

    def first_is_best(self: Any, *args: Any, **more: Any) -> dict[str, float]:
        return {**real(self, *args, **more), "eval_mean_relative": -float(self.state.global_step)}

    monkeypatch.setattr(MixtureTrainer, "evaluate", first_is_best)
    config = settings(
        tmp_path, clips, adapter={"kind": "none"}, trained=("language", "vision-merger"),
        evaluation={"split": "val", "samples": 2, "every": 2, "batch_size": 6},
        arguments={"max_steps": 4, "save_steps": 2},
    )  # fmt: skip
    run(config)
    first, last, final = (
        load_file(tmp_path / folder / "model.safetensors")
        for folder in ("checkpoints/checkpoint-2", "checkpoints/checkpoint-4", "final")
    )
    assert all(np.array_equal(first[name], final[name]) for name in final)
    assert any(not np.array_equal(last[name], final[name]) for name in final)


def test_a_run_that_has_ended_is_not_run_again(whole: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crabplus.train.load_model", None)
    config = settings(whole, clips, pack=str(whole.parent / "mine.yaml"))
    assert train(check(config, quiet)) == whole / "final"


def test_an_adapter_learns_on(whole: Path, clips: Path, tmp_path: Path) -> None:
    config = settings(tmp_path, clips, arguments={"max_steps": 2})
    start = config.model_copy(update={"adapter": type(config.adapter)(start=str(whole / "final"))})
    with warnings.catch_warnings():  # PEFT would ask the hub for a base that is named and not there
        warnings.filterwarnings("error", "Could not find a config file")
        run(start)
    assert json.loads((tmp_path / "final/adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"
    first, moved = weights(whole), weights(tmp_path)
    assert first.keys() == moved.keys() and any(not np.array_equal(first[name], moved[name]) for name in first)
    assert losses(tmp_path)[1]["loss"] < losses(whole)[1]["loss"]


def test_parts_are_trained_whole_and_the_model_loads_again(clips: Path, tmp_path: Path) -> None:
    plain = settings(tmp_path, clips, arguments={"max_steps": 2})
    config = plain.model_copy(
        update={"adapter": type(plain.adapter)(kind="none"), "trained": ("vision-merger", "audio-projector")}
    )
    run(config)
    size = check(config, quiet).pack.size
    before, after = (load_model(name, size, dtype="float32") for name in ("tiny", tmp_path / "final"))
    start, end = before.thinker.state_dict(), after.thinker.state_dict()
    moved = {name for name in start if not torch.equal(start[name], end[name])}
    assert moved and all("visual.merger" in name or "audio_tower.proj" in name for name in moved)


def test_trained_parts_are_saved_beside_the_adapter(clips: Path, tmp_path: Path) -> None:
    run(settings(tmp_path, clips, adapter={"targets": "language-model-only"}, trained=["vision-merger"],
                 arguments={"max_steps": 2}))  # fmt: skip
    assert any("merger" in name for name in weights(tmp_path))


def test_a_sample_that_cannot_be_read_stops_the_run_or_is_left_out_and_listed(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    lost = next(iter(sorted((folder / "ave").rglob("*.mp4"))))
    lost.write_bytes(b"no film")
    data = {"folder": str(folder), "keys": ["ave"], "unreadable": "out"}
    run(settings(tmp_path / "out", clips, data=data, arguments={"max_steps": 2}))
    (line,) = (tmp_path / "out" / "unreadable.jsonl").read_text(encoding="utf-8").splitlines()
    assert lost.stem in json.loads(line)["error"]
    with pytest.raises(ValueError, match=f"sample '{lost.stem}'"):
        run(settings(tmp_path / "stop", clips, data={**data, "unreadable": "stop"}, arguments={"max_steps": 2}))


@pytest.mark.slow
def test_an_epoch_from_the_cache_opens_no_original(
    clips: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = {"folder": str(tmp_path / "cache"), "gib": 0.1}
    assert same(run(settings(tmp_path / "cold", clips, cache=cache)), whole)

    def closed(*_: Any) -> None:
        raise AssertionError("an original was opened")

    for name in ("frames", "waveform", "image"):
        monkeypatch.setattr(media, name, closed)
    monkeypatch.setattr(media.Decoder, "_call", closed)
    assert same(run(settings(tmp_path / "warm", clips, cache=cache)), whole)


def test_every_tower_runs_whatever_a_batch_holds() -> None:
    model = load_model("tiny", (112, 112), dtype="float32")
    model.run_every_tower()
    model.thinker.train()
    ids = torch.arange(20, 40)[None]
    bare = model.thinker(input_ids=ids).logits
    bare.sum().backward()
    without = {name for name, parameter in model.thinker.named_parameters() if parameter.grad is None}
    assert without == set(model.unused)
    towers = [p.grad for name, p in model.thinker.named_parameters() if "visual" in name or "audio" in name]
    assert all(not grad.any() for grad in towers if grad is not None)
    model.thinker.eval()
    torch.testing.assert_close(model.thinker(input_ids=ids).logits, bare)


def test_the_data_travel_to_other_processes_without_the_model(clips: Path, tmp_path: Path) -> None:
    plan = check(settings(tmp_path, clips, cache={"folder": str(tmp_path / "cache"), "gib": 0.1}), quiet)
    data = TrainingData(plan.encoder, WithSource(plan.samples, source_of(plan.config)), plan.pack)
    packed = pickle.dumps(data)
    assert len(packed) < 1_000_000  # the weights alone have 13 MB
    assert torch.equal(pickle.loads(packed)[Draw(3, 0)]["input_ids"], data[Draw(3, 0)]["input_ids"])


def test_wordings_and_reasoning_change_with_the_epoch(clips: Path) -> None:
    plan = check(settings(clips.parent / "unused", clips, data={"folder": str(clips), "keys": ["ave"]}), quiet)
    data = TrainingData(plan.encoder, WithSource(plan.samples, Files(clips)), plan.pack, "mixed")
    rows = [data[Draw(0, epoch)]["input_ids"].tolist() for epoch in range(8)]
    assert len({tuple(row) for row in rows}) > 2 and rows[3] == data[Draw(0, 3)]["input_ids"].tolist()

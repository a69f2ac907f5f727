"""Training and asking from outputs of the towers that were kept: the same as with the towers, and these run no more."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from crabplus import media
from crabplus.config import ConfigError
from crabplus.data import Folder, PromptData, WithSource
from crabplus.generate import generate, predict
from crabplus.models import load_model
from crabplus.models.source import Files
from crabplus.tasks import get_task
from crabplus.tidepool.build import build
from crabplus.train import check, train
from crabplus.train.adapters import prepare
from crabplus.wording import pack_for
from short_runs import losses, quiet, settings

KEYS = ("ave", "hear", "arig", "look", "watch")  # film with sound; sound; picture and sound; picture; silent film


@pytest.fixture(scope="module")
def every_sense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("senses")
    assert sum(1 for _ in build(folder, KEYS, "train", 2, seed=5)) == 10
    return folder


def config(out: Path, data: Path, kept: Path | None, **arguments: Any) -> Any:
    encoded = {"encoded": {"folder": str(kept), "gib": 0.1}} if kept else {}
    return settings(
        out, data, data={"folder": str(data), "keys": list(KEYS)}, adapter={"targets": "language-model-only"},
        arguments={"max_steps": 3, "per_device_train_batch_size": 5, **arguments}, **encoded,
    )  # fmt: skip


def run(config: Any) -> Path:
    train(check(config, quiet))
    return Path(config.out)


@pytest.fixture(scope="module")
def towers(every_sense: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which the towers work in every step."""
    return run(config(tmp_path_factory.mktemp("towers"), every_sense, None))


@pytest.fixture(scope="module")
def kept(every_sense: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same from kept outputs, of which there are none in the beginning; its folder holds them in ``kept``."""
    out = tmp_path_factory.mktemp("kept")
    return run(config(out, every_sense, out / "kept"))


def closed(*_: Any, **__: Any) -> None:
    raise AssertionError("a tower ran, or an original was opened")


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """No medium is decoded and no tower runs."""
    monkeypatch.setattr(media.Decoder, "_call", closed)
    monkeypatch.setattr("crabplus.models.qwen2_5_omni.Qwen25Omni.run_tower", closed)
    for name in ("image", "video", "audio"):
        monkeypatch.setattr(
            f"transformers.models.qwen2_5_omni.modeling_qwen2_5_omni.Qwen2_5OmniThinkerModel.get_{name}_features",
            closed,
        )


def test_losses_are_those_with_the_towers(towers: Path, kept: Path) -> None:
    one, other = losses(towers), losses(kept)
    assert one.keys() == other.keys() == {1, 2, 3}
    for step, row in one.items():
        assert {f"loss_key/{key}" for key in KEYS} & row.keys()
        for name, value in row.items():
            assert other[step][name] == pytest.approx(value, abs=1e-5, rel=1e-4), (step, name)


def test_what_is_kept_gives_the_same_bits_and_no_tower_runs(
    every_sense: Path, kept: Path, tmp_path: Path, shut: None
) -> None:
    again = run(config(tmp_path, every_sense, kept / "kept"))
    assert losses(again) == losses(kept)
    one, other = (load_file(folder / "final" / "adapter_model.safetensors") for folder in (kept, again))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_damaged_entry_is_made_anew(
    every_sense: Path, kept: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entries = sorted((kept / "kept").rglob("*.safetensors"))
    assert len(entries) > 10  # two of a sample with sound and sight
    for entry in entries:
        content = bytearray(entry.read_bytes())
        content[-3] ^= 1
        entry.write_bytes(content)
    assert losses(run(config(tmp_path, every_sense, kept / "kept"))) == losses(kept)
    assert caplog.text.count("is damaged") == len(entries)


def answers(every_sense: Path, folder: Path | None, batch: int) -> list[str]:
    pack = pack_for("tiny", None)
    model = load_model("tiny", pack.size, dtype="float32")
    if folder:
        model.keep_outputs(folder, 10**8)
    samples = Folder(every_sense, KEYS, "train")
    asked = PromptData(model.encoder, WithSource(samples, Files(every_sense)), pack)
    encoded = [asked[number][1] for number in range(len(samples))]
    return [said.text for n in range(0, len(samples), batch) for said in generate(model, encoded[n : n + batch], 24)]


def test_answers_are_those_with_the_towers(
    every_sense: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = answers(every_sense, None, 6)
    assert answers(every_sense, tmp_path / "other", 6) == wanted
    monkeypatch.setattr("crabplus.models.qwen2_5_omni.Qwen25Omni.run_tower", closed)
    assert answers(every_sense, tmp_path / "other", 6) == wanted
    assert len(set(wanted)) > 5


def test_another_file_other_towers_and_another_size_are_other_entries(every_sense: Path, tmp_path: Path) -> None:
    pack = pack_for("tiny", None)
    samples = Folder(every_sense, ["look"], "train")
    source = Files(every_sense)
    model = load_model("tiny", pack.size, dtype="float32")
    made = []
    model.run_tower, run_tower = lambda *asked: made.append(asked) or run_tower(*asked), model.run_tower

    def see() -> int:
        model.keep_outputs(tmp_path, 10**8)
        made.clear()
        for sample in samples:
            part = next(p for m in get_task(sample.task).prompt(sample, pack, True) for p in m.parts if p.media)
            model.encoder.read(part.kind, part, source)
        return len(made)

    assert (see(), see()) == (2, 0)
    with torch.no_grad():
        next(model.base.model.visual.parameters()).add_(0.1)
    assert (see(), see()) == (2, 0)
    model.size = (96, 96)
    assert see() == 2


def test_a_full_cache_keeps_nothing_more_and_training_goes_on(
    every_sense: Path, kept: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = config(tmp_path / "run", every_sense, tmp_path / "kept")
    small = small.model_copy(update={"encoded": type(small.encoded)(folder=str(tmp_path / "kept"), gib=5e-4)})
    assert losses(run(small)) == losses(kept)
    assert sum(path.stat().st_size for path in (tmp_path / "kept").rglob("*.safetensors")) < 6e5
    assert "is full" in caplog.text


def test_towers_that_learn_are_refused(every_sense: Path, tmp_path: Path) -> None:
    good = config(tmp_path, every_sense, tmp_path / "kept")
    published = good.model_copy(update={"adapter": good.adapter.model_copy(update={"targets": "as-published"})})
    with pytest.raises(ConfigError, match="encoded: .*this run trains audio, vision.*adapter.parts"):
        check(published, quiet)
    with pytest.raises(ConfigError, match="encoded: .*trains vision-merger"):
        check(good.model_copy(update={"trained": ("vision-merger",)}), quiet)
    model = load_model("tiny", (112, 112), dtype="float32")
    prepare(model, published.adapter, ())
    with pytest.raises(ValueError, match="vision tower cannot be kept"):
        model.keep_outputs(tmp_path, 10**8)


def test_workers_are_refused(every_sense: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dataloader_num_workers: 0 wanted"):
        check(config(tmp_path, every_sense, tmp_path / "kept", dataloader_num_workers=1), quiet)
    model = load_model("tiny", (112, 112), dtype="float32")
    model.keep_outputs(tmp_path, 10**8)
    with pytest.raises(TypeError, match="0 workers"):
        pickle.dumps(model.encoder)


def test_a_run_cannot_change_to_kept_outputs_on_the_way(every_sense: Path, towers: Path, kept: Path) -> None:
    with pytest.raises(ConfigError, match="holds another run: encoded.folder was None"):
        check(config(towers, every_sense, kept / "kept"), quiet)
    check(config(kept, every_sense, kept / "moved"), quiet)


def test_a_file_that_cannot_be_read_is_told_as_ever(every_sense: Path, tmp_path: Path) -> None:
    model = load_model("tiny", (112, 112), dtype="float32")
    model.keep_outputs(tmp_path / "kept", 10**8)
    samples = [Folder(every_sense, ["watch"], "train")[0]]
    said = list(predict(model, WithSource(samples, Files(tmp_path)), pack_for("tiny", None), 2))
    assert "watch" in (said[0].error or "") and said[0].text is None

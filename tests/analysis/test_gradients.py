"""Gradients of keys: those of a toy by hand, and those of the tiny model as the trainer takes them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from crabplus.analysis.agreement import agreement
from crabplus.analysis.conflict import total
from crabplus.analysis.gradients import Gradients, _Kept, gradients
from crabplus.analysis.pieces import Piece, pieces_of
from crabplus.config import ConfigError, TrainConfig
from crabplus.data import Collator
from crabplus.data.mixture import Draw, Stream
from crabplus.ilora import ILoraConfig
from crabplus.models.head import IGNORED
from crabplus.train import check, load, source_of
from short_runs import KEYS, quiet

PARTS = {"language": "layers"}


class Toy(nn.Module):
    """Two linear layers with a head beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.ModuleDict({"up": nn.Linear(5, 5)}) for _ in range(2)])
        self.head = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = x + layer["up"](x)
        out: torch.Tensor = self.head(x)
        return out


def toy(config: Any) -> Any:
    torch.manual_seed(0)
    return get_peft_model(Toy(), config)


def pull(model: Any, targets: dict[str, float], batches: int = 2) -> tuple[_Kept, dict[str, torch.Tensor]]:
    """Each key pulls the outputs towards its own number; also every gradient as it was, laid end to end."""
    chosen = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    kept, whole = _Kept(chosen, tuple(targets), batches), {}
    for number, (key, target) in enumerate(targets.items()):
        for batch in range(batches):
            x = torch.randn(64, 5, generator=torch.Generator().manual_seed(batch))
            model.zero_grad()
            (model(x) - target).square().mean().backward()
            state = SimpleNamespace(global_step=number * batches + batch)
            kept.on_pre_optimizer_step(None, state, None)
            whole[f"{key} {batch}"] = torch.cat([value.grad.flatten() for _, value in chosen])
    return kept, whole


def test_targets_that_oppose_conflict_and_a_key_agrees_with_itself() -> None:
    model = toy(ILoraConfig(r=2, num_heads=3, target_modules=["up"], init_weights=False))
    kept, whole = pull(model, {"high": 1e3, "low": -1e3, "again": 1e3})
    grams = kept.grams(SimpleNamespace(thinker=model, parts=PARTS))
    found = agreement(total(grams.values()))
    assert found.cosine[0, 1] == pytest.approx(-1, abs=1e-3) and found.clear[0, 1]
    assert found.cosine[0, 2] == pytest.approx(1, abs=1e-6) and (found.itself > 0.9).all()
    assert all(agreement(gram).cosine[0, 1] < -0.99 for gram in grams.values()), "in every piece, too"
    assert {(piece.layer, piece.kind) for piece in grams} == {
        (layer, kind) for layer in (0, 1) for kind in ("A", "B of head 1", "B of head 2", "B of head 3", "router")
    }
    rows = torch.stack(list(whole.values()))
    np.testing.assert_allclose(total(grams.values()), (rows @ rows.T).numpy(), rtol=1e-4)


def test_halves_are_means_over_every_other_batch() -> None:
    model = toy(LoraConfig(r=2, target_modules=["up"], init_lora_weights=False))
    kept, whole = pull(model, {"one": 1.0, "two": 3.0}, batches=4)
    found = total(kept.grams(SimpleNamespace(thinker=model, parts=PARTS)).values())
    halves = [(whole[f"{key} {n}"] + whole[f"{key} {n + 2}"]) / 2 for key in ("one", "two") for n in (0, 1)]
    rows = torch.stack(halves)
    np.testing.assert_allclose(found, (rows @ rows.T).numpy(), rtol=1e-4)


def test_a_gradient_that_is_not_finite_is_told() -> None:
    model = toy(LoraConfig(r=2, target_modules=["up"], init_lora_weights=False))
    with pytest.raises(ConfigError, match="gradient of one is not finite in .*lora_A"):
        pull(model, {"one": float("nan")})


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (LoraConfig(r=2, target_modules=["up"]), {("up", "A", 10), ("up", "B", 10)}),
        (
            ILoraConfig(r=2, num_heads=2, target_modules=["up"], share_a=False),
            {(*("up", f"{kind} of head {head}"), 10) for kind in "AB" for head in (1, 2)} | {("up", "router", 10)},
        ),
        (
            LoraConfig(r=2, target_modules=["up"], modules_to_save=["head"]),
            {("up", "A", 10), ("up", "B", 10), ("head", "weight", 10), ("head", "bias", 2)},
        ),
    ],
)
def test_pieces_of_other_adapters_and_of_whole_modules(config: Any, wanted: set[tuple[str, str, int]]) -> None:
    model = toy(config)
    trained = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    pieces = [piece for name, value in trained for piece, _ in pieces_of(name, value, model, PARTS)]
    assert len(set(pieces)) == len(pieces) and {(piece.module, piece.kind, piece.size) for piece in pieces} == wanted
    assert {piece.place for piece in pieces if piece.module == "up"} == {"language 0", "language 1"}
    assert sum(piece.size for piece in pieces) == sum(value.numel() for _, value in trained)


def take(config: TrainConfig, **options: Any) -> Gradients:
    plan = check(config, quiet, save=False)
    return gradients(plan, 2, **{"warmup": 2, **options})


def test_at_the_start_only_b_has_a_gradient_and_nothing_moves(config: TrainConfig) -> None:
    """Against the loss and gradients of one key by hand: were a step to move anything, the last key would differ."""
    config = config.model_copy(update={"adapter": config.adapter.model_copy(update={"dropout": 0.0})})
    found = take(config, warmup=0)
    for piece, gram in found.grams.items():
        assert bool(gram.any()) == piece.kind.startswith("B"), piece
    plan = check(config, quiet, save=False)
    model, data = load(plan, source_of(config))
    last = len(KEYS) - 1
    order = Stream(plan.samples.firsts[KEYS[last]], 4, 4).epoch(0, (config.seed, 3, last)).reshape(2, 2)
    rows, losses = [], []
    for numbers in order:
        batch = Collator(model.encoder)([data[Draw(int(number), 0)] for number in numbers])
        labels = batch.pop("labels")[:, 1:]
        del batch["tasks"], batch["unreadable"]
        model.thinker.zero_grad()
        logits = model.thinker(**batch).logits[:, :-1]
        wanted = labels != IGNORED
        loss = nn.functional.cross_entropy(logits[wanted], labels[wanted])
        loss.backward()
        losses.append((float(loss.detach()), int(wanted.sum())))
        grads = [value.grad.flatten() for name, value in model.thinker.named_parameters() if "ilora_B" in name]
        rows.append(torch.cat(grads))
    by_hand = torch.stack(rows)
    ours = total(found.grams.values())[2 * last :, 2 * last :]
    np.testing.assert_allclose(ours, (by_hand @ by_hand.T).double().numpy(), rtol=1e-3)
    mean = sum(loss * count for loss, count in losses) / sum(count for _, count in losses)
    assert found.losses[KEYS[last]] == pytest.approx(mean, rel=1e-4) and set(found.losses) == set(KEYS)


@pytest.mark.slow
def test_several_passes_give_the_same_and_keep_to_the_limit(config: TrainConfig) -> None:
    """With dropout, whose random numbers have to be the same in every pass."""
    whole = take(config)
    limit = whole.kept / 2.5
    parts = take(config, limit=limit)
    assert (whole.passes, whole.kept) == (1, 6 * 4 * whole.parameters) and parts.passes >= 3 and parts.kept <= limit
    assert list(parts.grams) == list(whole.grams) and parts.losses == whole.losses
    for piece, gram in whole.grams.items():
        np.testing.assert_allclose(parts.grams[piece], gram, rtol=1e-5, err_msg=str(piece))
        assert gram.any(), f"{piece}: after two steps everything has a gradient"


def test_the_warm_up_is_the_run_itself(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its batches, and its learning rate by the schedule of the whole run."""
    from crabplus.analysis import gradients as module

    rates: list[float] = []
    real = module._StopAfter.on_step_end

    def noted(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        rates.append(more["lr_scheduler"].get_last_lr()[0])
        real(self, args, state, control, **more)

    monkeypatch.setattr(module._StopAfter, "on_step_end", noted)
    take(config, warmup=2)
    assert rates == pytest.approx([1e-3 * (1 - step / 8) for step in (1, 2)])  # linear, over the run's 8 steps


def test_the_warm_up_has_the_optimizer_of_the_run(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    from crabplus.train.muon import Muon

    stepped: list[int] = []
    real = Muon.step
    monkeypatch.setattr(Muon, "step", lambda self, *args, **more: (stepped.append(1), real(self, *args, **more))[1])
    take(config.model_copy(update={"optimizer": "muon"}), warmup=2)
    assert len(stepped) == 2


@pytest.mark.parametrize(
    ("batches", "changes", "words"),
    [
        (3, {}, "an even number"),
        (0, {}, "an even number"),
        (4, {}, "ave: 4 batches of 2 take 8 samples, and ave has 4; give more samples, fewer --batches"),
        (2, {"keys": {"ave": {}}}, "at least two"),
    ],
)
def test_what_cannot_be_is_told_before_a_model_is_loaded(
    config: TrainConfig, batches: int, changes: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crabplus.analysis.gradients.load", None)
    data = type(config.data).model_validate({**config.data.model_dump(), **changes})
    plan = check(config.model_copy(update={"data": data}), quiet, save=False)
    with pytest.raises(ConfigError, match=words):
        gradients(plan, batches, 0)


def test_a_piece_is_what_its_name_says() -> None:
    """B's heads lie side by side: the gradient of one is found in its piece alone."""
    model = toy(ILoraConfig(r=2, num_heads=3, target_modules=["up"]))
    name = "base_model.model.layers.1.up.ilora_B.default"
    value = dict(model.named_parameters())[name]
    gradient = torch.zeros_like(value)
    gradient[:, 2:4] = torch.arange(10.0).view(5, 2)
    for piece, cut in pieces_of(name, value, model, PARTS):
        assert isinstance(piece, Piece) and piece.layer == 1
        found = cut.of(gradient.flatten()[None], value.shape)
        assert found.sum() == (45 if piece.kind == "B of head 2" else 0), piece

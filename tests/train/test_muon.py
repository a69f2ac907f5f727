"""Muon: what an update is, and that runs with it go on to the same result."""

from pathlib import Path

import pytest
import torch
from peft import get_peft_model
from safetensors.numpy import load_file
from torch import nn

from crabplus.config import ConfigError
from crabplus.ilora import ILoraConfig
from crabplus.train import check, train
from crabplus.train.arguments import arguments_of
from crabplus.train.estimate import estimate
from crabplus.train.muon import Muon, orthogonal
from short_runs import Interrupted, StopAt, losses, quiet, settings


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_orthogonal_keeps_directions_and_makes_sizes_alike(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ orthogonal(matrix) @ v.T  # diagonal, if the singular vectors are those of the matrix
    sizes = inner.diagonal()
    assert (inner - sizes.diag()).abs().max() < 1e-3
    assert sizes.min() > 0.6 and sizes.max() < 1.3
    assert (sizes.max() / sizes.min()) < (torch.linalg.cond(matrix) / 2)


def test_matrices_take_the_orthogonal_update_and_the_rest_that_of_adamw():
    torch.manual_seed(0)
    model = nn.ModuleDict({"linear": nn.Linear(6, 4), "router": nn.Linear(6, 3, bias=False)})
    matrix, others = model["linear"].weight, [model["linear"].bias, model["router"].weight]
    twins = [p.detach().clone().requires_grad_() for p in others]
    ours = Muon(model, 0.01, weight_decay=0.1)
    theirs = torch.optim.AdamW(twins, 0.01, betas=(0.9, 0.98), weight_decay=0.0)
    before, gradient = matrix.detach().clone(), torch.randn(4, 6)
    for step in range(3):
        for p, twin in zip(others, twins, strict=True):
            p.grad = torch.randn_like(p)
            twin.grad = p.grad.clone()
        matrix.grad = gradient.clone()
        ours.step()
        theirs.step()
        if step == 0:
            expected = before * (1 - 0.01 * 0.1) - 0.01 * 0.2 * 6**0.5 * orthogonal(gradient)
            torch.testing.assert_close(matrix.detach(), expected)
    for p, twin in zip(others, twins, strict=True):
        torch.testing.assert_close(p, twin)


@pytest.mark.parametrize("share", [True, False])
def test_every_head_is_a_matrix_of_its_own(share):
    base = nn.Sequential(nn.Linear(6, 5))
    config = ILoraConfig(r=2, num_heads=3, share_a=share, target_modules=["0"], init_weights=False)
    model = get_peft_model(base, config)
    layer = model.base_model.model[0]
    a, b = layer.ilora_A["default"], layer.ilora_B["default"]
    before = a.detach().clone(), b.detach().clone()
    for p in (a, b):
        p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(0))
    Muon(model, 0.01).step()
    for old, p, side, longest in ((before[0], a, 0, 6), (before[1], b, 1, 5)):
        count = 1 if share and side == 0 else 3
        pieces = [orthogonal(piece) for piece in p.grad.chunk(count, side)]
        torch.testing.assert_close(p.detach(), old - 0.01 * 0.2 * longest**0.5 * torch.cat(pieces, side))


@pytest.mark.slow
def test_a_run_goes_on_to_the_same_weights(clips, tmp_path):
    def run(name, stop=None):
        config = settings(tmp_path / name, clips, optimizer="muon", arguments={"max_steps": 4, "save_steps": 2})
        plan = check(config, quiet)
        if stop is not None:
            with pytest.raises(Interrupted):
                train(plan, callbacks=[StopAt(stop)])
        return load_file(train(plan) / "adapter_model.safetensors")

    whole, halved = run("whole"), run("halved", stop=3)
    assert all((whole[name] == halved[name]).all() for name in whole)
    assert losses(tmp_path / "whole") == losses(tmp_path / "halved")
    adam = settings(tmp_path / "adam", clips, arguments={"max_steps": 4, "save_steps": 2})
    train(check(adam, quiet))
    assert losses(Path(adam.out)) != losses(tmp_path / "whole")


def test_steps_that_are_measured_are_those_of_the_run(clips, tmp_path, monkeypatch):
    taken, step = [], Muon.step
    monkeypatch.setattr(Muon, "step", lambda self, closure=None: taken.append(self) or step(self))
    estimate(check(settings(tmp_path / "run", clips, optimizer="muon"), quiet, save=False), 1)
    assert len(taken) == 2, "one to warm up"


def test_what_it_cannot_do_is_said_before(clips, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="arguments.optim: optimizer says muon already"):
        arguments_of(settings(tmp_path, clips, optimizer="muon", arguments={"optim": "adamw_torch"}))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match="muon needs matrices whole"):
        arguments_of(settings(tmp_path, clips, optimizer="muon"))

"""Layers of bitsandbytes as base: called and never looked into. They run on the CPU too."""

from collections.abc import Callable

import bitsandbytes as bnb
import pytest
import torch
from peft import PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch import nn

from crabplus.ilora import ILoraConfig, adapted_layers

KINDS: dict[str, Callable[[int, int], nn.Module]] = {
    "8 bit": lambda inside, outside: bnb.nn.Linear8bitLt(inside, outside, has_fp16_weights=False),
    "4 bit": lambda inside, outside: bnb.nn.Linear4bit(inside, outside, compute_dtype=torch.float32, quant_type="nf4"),
}


class Net(nn.Module):
    """Two quantised layers with an activation between them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        plain = [nn.Linear(64, 128), nn.Linear(128, 64)]
        self.up, self.down = (KINDS[kind](layer.in_features, layer.out_features) for layer in plain)
        self.up.load_state_dict(plain[0].state_dict())
        self.down.load_state_dict(plain[1].state_dict())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(torch.tanh(self.up(x)))


def config(**settings: object) -> ILoraConfig:
    return ILoraConfig(**{"r": 4, "target_modules": ["up", "down"], **settings})


@pytest.mark.parametrize("kind", KINDS)
def test_trains_saves_and_loads_on_quantised_layers(kind: str, tmp_path: str) -> None:
    base = Net(kind).to("cpu")  # moving quantises
    x = torch.randn(8, 64, generator=torch.Generator().manual_seed(1))
    plain = base(x).detach()
    model = get_peft_model(prepare_model_for_kbit_training(base, use_gradient_checkpointing=False), config())
    assert len(adapted_layers(model)) == 2 and model.base_model.model.up.base_layer.__module__.startswith(
        "bitsandbytes"
    )
    torch.testing.assert_close(model(x), plain)
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(50):
        optimiser.zero_grad()
        loss = (model(x) - 1).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    now = dict(model.named_parameters())
    assert losses[-1] < 0.5 * losses[0]
    assert len(before) == 6 and not any(torch.equal(now[name], value) for name, value in before.items())
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    model.save_pretrained(tmp_path)
    # bitsandbytes takes another way where nothing wants a gradient, and rounds otherwise there
    loaded = PeftModel.from_pretrained(Net(kind).to("cpu"), tmp_path, is_trainable=True)
    torch.testing.assert_close(loaded(x), model(x))

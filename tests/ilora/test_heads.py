"""One head switched off: what the model then says, and that it is whole again afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from loop import loop
from peft import get_peft_model
from torch import Tensor, nn

from crabplus.ilora import ILoraConfig, adapted_layers, record_routing, without_head

Maker = Callable[[], nn.Module]


@pytest.fixture
def made(toy: Maker) -> Any:
    """The toy model with drawn heads on two layers."""
    torch.manual_seed(1)
    config = ILoraConfig(r=2, lora_alpha=8, num_heads=3, target_modules=["up", "down"], init_weights=False)
    return get_peft_model(toy(), config).eval()


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("share_a", [True, False])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_head_that_is_off_is_as_one_made_of_zeros(toy: Maker, x: Tensor, number: int, share_a: bool) -> None:
    torch.manual_seed(1)
    config = ILoraConfig(r=2, num_heads=3, target_modules=["up", "down"], init_weights=False, share_a=share_a)
    model = get_peft_model(toy(), config).eval()
    by_hand = get_peft_model(toy(), config).eval()
    by_hand.load_state_dict(model.state_dict())
    for layer in (by_hand.base_model.model.up, by_hand.base_model.model.down):
        for column in range(2 * number, 2 * number + 2):
            layer.ilora_B["default"].data[:, column] = 0
    whole, before = model(x), weights(model)
    with without_head(model, number) as layers:
        assert torch.equal(model(x), by_hand(x)) and not torch.allclose(model(x), whole)
    assert layers == ["up", "down"]
    assert torch.equal(model(x), whole) and same(weights(model), before)


def test_only_in_the_layers_that_are_named(made: Any, x: Tensor) -> None:
    before = weights(made)
    with without_head(made, 1, ["down"]) as layers:
        now = weights(made)
    changed = [name for name in before if not torch.equal(before[name], now[name])]
    assert layers == ["down"] and changed == ["base_model.model.down.ilora_B.default"]


def test_the_others_take_its_weight(made: Any, x: Tensor) -> None:
    up = made.base_model.model.up
    a, b, router = (group["default"] for group in up.parameter_groups())
    before = weights(made)
    with torch.no_grad(), without_head(made, 0, ["up"], renormalise=True), record_routing(made) as routing:
        said = up(x)
    torch.testing.assert_close(said, up.base_layer(x) + loop(x, a, b[:, 2:], router[1:], 4.0))
    assert routing.calls["up"][0][..., 0].abs().max() == 0
    torch.testing.assert_close(routing.calls["up"][0].sum(-1), torch.ones(x.shape[:-1]))
    assert up.left_out is None and same(weights(made), before)


def test_gradients_pass_the_head_that_is_left_out(made: Any, x: Tensor) -> None:
    up = made.base_model.model.up
    a, b, router = (group["default"] for group in up.parameter_groups())
    with without_head(made, 2, renormalise=True):
        found = torch.autograd.grad(up(x).square().sum(), [a, b, router])
    other = up.base_layer(x) + loop(x, a, b[:, :4], router[:2], 4.0)
    for one, wanted in zip(found, torch.autograd.grad(other.square().sum(), [a, b, router]), strict=True):
        torch.testing.assert_close(one, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("renormalise", [False, True])
def test_an_error_leaves_the_model_whole(made: Any, renormalise: bool) -> None:
    before = weights(made)
    with pytest.raises(RuntimeError, match="inside"), without_head(made, 1, renormalise=renormalise):
        raise RuntimeError("inside")
    assert same(weights(made), before) and made.base_model.model.up.left_out is None


def test_an_error_on_the_way_in_leaves_the_model_whole(toy: Maker) -> None:
    """Another layer has fewer heads: the first one is off by then."""
    made = get_peft_model(toy(), ILoraConfig(r=2, num_heads=3, target_modules=["up"], init_weights=False))
    made.base_model.model.down = get_peft_model(
        nn.Sequential(nn.Linear(10, 6)), ILoraConfig(r=2, num_heads=2, target_modules=["0"])
    ).base_model.model[0]
    before = weights(made)
    with pytest.raises(ValueError, match="heads 0 to 1, no head 2"), without_head(made, 2):
        pass
    assert same(weights(made), before)


def test_only_the_active_adapter_changes(made: Any, x: Tensor) -> None:
    made.add_adapter("other", ILoraConfig(r=2, num_heads=3, target_modules=["up"], init_weights=False))
    made.set_adapter("other")
    before = weights(made)
    with without_head(made, 0):
        now = weights(made)
    assert [name for name in before if not torch.equal(before[name], now[name])] == [
        "base_model.model.up.ilora_B.other"
    ]


def test_half_precision_comes_back_bit_for_bit(made: Any) -> None:
    made.to(torch.bfloat16)
    before = weights(made)
    with without_head(made, 2):
        assert not same(weights(made), before)
    assert same(weights(made), before)


@pytest.mark.parametrize(
    ("number", "layers", "words"),
    [(3, None, "heads 0 to 2, no head 3"), (-1, None, "no head -1"), (0, ["typo"], "no adapted layer 'typo'")],
)
def test_what_is_not_there_is_told(made: Any, number: int, layers: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words), without_head(made, number, layers):
        pass


def test_what_cannot_be(toy: Maker) -> None:
    with pytest.raises(ValueError, match="no I-LoRA layer"), without_head(toy(), 0):
        pass
    one = get_peft_model(toy(), ILoraConfig(r=2, num_heads=1, target_modules=["up"]))
    with pytest.raises(ValueError, match="one head"), without_head(one, 0, renormalise=True):
        pass
    assert adapted_layers(one.get_base_model()) == ["up"]

"""The fused computation against the loop over heads: values, gradients, dtypes, what it keeps, and what traces it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from loop import loop
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn

from crabplus.ilora import ILoraConfig, Linear

IN, OUT = 12, 18


def layer_of(dtype: torch.dtype = torch.float64, **settings: object) -> Linear:
    torch.manual_seed(0)
    base = nn.Linear(IN, OUT).requires_grad_(False)
    made = ILoraConfig(**{"r": 4, "lora_alpha": 6, "init_weights": False, **settings})
    return Linear(base, "default", made).to(dtype)


def parameters(layer: Linear) -> list[Tensor]:
    return [group["default"] for group in layer.parameter_groups()]


def tokens(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(2, 5, IN, generator=torch.Generator().manual_seed(1)).to(dtype).requires_grad_()


def gradients(y: Tensor, wanted: list[Tensor]) -> list[Tensor]:
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(2)).to(y.dtype)
    return list(torch.autograd.grad((y * weight).sum(), wanted))


SETTINGS = [
    {},
    {"num_heads": 1},
    {"num_heads": 5},
    {"share_a": False},
    {"share_a": False, "num_heads": 2},
    {"router_temperature": 0.3},
    {"lora_dropout": 0.4},
    {"lora_dropout": 0.4, "share_a": False, "router_temperature": 2.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_values_and_gradients_are_those_of_the_loop(settings: dict[str, object]) -> None:
    layer, x = layer_of(**settings).train(), tokens()
    torch.manual_seed(3)
    y = layer(x)
    torch.manual_seed(3)
    rate = float(settings.get("lora_dropout", 0.0))
    dropped = nn.functional.dropout(x, rate) if rate else x
    temperature = float(settings.get("router_temperature", 1.0))
    reference = layer.base_layer(x) + loop(x, *parameters(layer), 6 / 4, dropped, temperature)
    torch.testing.assert_close(y, reference, rtol=1e-6, atol=1e-6)  # the softmax is float32
    wanted = [x, *parameters(layer)]
    for ours, theirs in zip(gradients(y, wanted), gradients(reference, wanted), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("wanted", range(4))
def test_each_gradient_alone(wanted: int) -> None:
    layer, x = layer_of(lora_dropout=0.3).train(), tokens()
    torch.manual_seed(3)
    full = gradients(layer(x), [x, *parameters(layer)])
    for number, tensor in enumerate([x, *parameters(layer)]):
        tensor.requires_grad_(number == wanted)
    torch.manual_seed(3)
    (alone,) = gradients(layer(x), [[x, *parameters(layer)][wanted]])
    assert torch.equal(alone, full[wanted])


@pytest.mark.parametrize("alpha", [6, 7.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_head_is_plain_lora_to_the_last_bit(alpha: float, dtype: torch.dtype) -> None:
    ours, x = layer_of(dtype, num_heads=1, lora_alpha=alpha), tokens(dtype)
    lora = LoraLinear(ours.base_layer, "default", config=LoraConfig(r=4, lora_alpha=alpha), r=4, lora_alpha=alpha)
    lora = lora.to(dtype)
    with torch.no_grad():
        lora.lora_A["default"].weight.copy_(ours.ilora_A["default"])
        lora.lora_B["default"].weight.copy_(ours.ilora_B["default"])
    assert torch.equal(ours(x), lora(x))
    theirs = gradients(lora(x), [lora.lora_A["default"].weight, lora.lora_B["default"].weight])
    for mine, his in zip(gradients(ours(x), parameters(ours)[:2]), theirs, strict=True):
        if dtype == torch.float32:  # in bfloat16 they round at other places
            torch.testing.assert_close(mine, his)
    assert not gradients(ours(x), parameters(ours)[2:])[0].any()  # one head leaves the router nothing to decide


def under_autocast(layer: Linear, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        y: Tensor = layer(x)
    return y


@pytest.mark.parametrize("outer", [torch.float32, torch.bfloat16])
def test_autocast_forward_and_backward(outer: torch.dtype) -> None:
    layer, x = layer_of(torch.float32), tokens(outer)
    layer.base_layer.to(outer)
    y = under_autocast(layer, x)
    with torch.autocast("cpu", torch.bfloat16):
        reference = layer.base_layer(x) + loop(x.to(torch.bfloat16), *parameters(layer), 6 / 4)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, reference.to(torch.bfloat16), rtol=0.05, atol=0.05)
    found = gradients(y, [x, *parameters(layer)])
    assert [grad.dtype for grad in found] == [outer, torch.float32, torch.float32, torch.float32]
    for ours, theirs in zip(found, gradients(reference, [x, *parameters(layer)]), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.1, atol=0.1)


def test_a_backward_pass_inside_of_autocast_is_the_same() -> None:
    layer, x = layer_of(torch.float32), tokens(torch.float32)
    outside = gradients(under_autocast(layer, x), [x, *parameters(layer)])
    with torch.autocast("cpu", torch.bfloat16):
        inside = gradients(layer(x), [x, *parameters(layer)])
    assert all(torch.equal(one, other) for one, other in zip(inside, outside, strict=True))


@contextmanager
def kept_bytes() -> Iterator[list[int]]:
    """Bytes that autograd keeps of what is computed in the block, each storage once."""
    storages: dict[int, int] = {}
    total = [0]

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        total[0] = sum(storages.values())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield total


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_keeps_x_one_byte_a_mask_entry_and_two_narrow_tensors(dtype: torch.dtype, rate: float) -> None:
    layer, x = layer_of(torch.float32, lora_dropout=rate).train(), tokens(dtype)
    layer.base_layer.to(dtype)
    weights = sum(p.numel() * p.element_size() for p in layer.parameters() if p.requires_grad)
    with kept_bytes() as kept:
        layer(x)
    rows = x.numel() // IN
    base = IN * OUT * x.element_size()  # the frozen weight, for the gradient of x
    hidden, p = rows * 4 * 4, rows * 3 * 4
    mask = x.numel() if rate else 0
    assert kept[0] == weights + base + x.numel() * x.element_size() + mask + hidden + p


def test_layers_that_read_the_same_x_share_it() -> None:
    layers, x = [layer_of(torch.float32) for _ in range(3)], tokens(torch.float32)
    with kept_bytes() as one:
        first = layers[0](x)
    with kept_bytes() as three:
        rest = [layer(x) for layer in layers]
    assert three[0] == 3 * one[0] - 2 * x.numel() * 4 and len(rest) == 3 and first.shape == rest[0].shape


@pytest.mark.parametrize("amp", [False, True])
def test_traces_as_one_graph(amp: bool) -> None:
    layer, x = layer_of(torch.float32, lora_dropout=0.2).train(), tokens(torch.float32)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    results = []
    for run in (compiled, layer):
        torch.manual_seed(3)
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            y = run(x)
        results.append([y, *gradients(y, [x, *parameters(layer)])])
    for mine, his in zip(*results, strict=True):
        torch.testing.assert_close(mine, his)


def test_a_second_derivative_is_refused() -> None:
    layer, x = layer_of(), tokens()
    (grad,) = torch.autograd.grad(layer(x).square().sum(), [x], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_input_casts_can_be_switched_off() -> None:
    layer, x = layer_of(torch.float32), tokens(torch.bfloat16)
    layer.base_layer.to(torch.bfloat16)
    wide = layer(x)
    layer.cast_input_dtype_enabled = False
    narrow = layer(x)
    assert wide.dtype == narrow.dtype == torch.bfloat16
    torch.testing.assert_close(narrow, wide, rtol=0.05, atol=0.05)
    assert not torch.equal(narrow, wide)


def test_shapes_on_the_meta_device() -> None:
    layer = layer_of(torch.float32, lora_dropout=0.1).train().to("meta")
    x = torch.empty(2, 5, IN, device="meta", requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.shape == (2, 5, OUT) and x.grad is not None and x.grad.shape == x.shape

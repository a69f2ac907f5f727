"""One layer: recorded values and gradients, the formula written out, and the borders between dtypes."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as LoraLinear
from safetensors import safe_open
from torch import Tensor, nn

from crabplus.ilora import ILoraConfig, Linear

GOLDEN = Path(__file__).parents[1] / "golden" / "ilora"
CASES = json.loads((GOLDEN / "layers.json").read_text())
TOLERANCE = {"float64": 1e-5, "float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}


def recorded(case: str) -> dict[str, Tensor]:
    with safe_open(GOLDEN / "layers.safetensors", "pt") as file:
        return {key.partition("/")[2]: file.get_tensor(key) for key in file.keys() if key.startswith(f"{case}/")}  # noqa: SIM118


def heads(tensors: dict[str, Tensor], prefix: str, count: int) -> Tensor:
    return torch.cat([tensors[f"{prefix}lora_B{i}"] for i in range(count)], dim=1)


def build(case: str, tensors: dict[str, Tensor]) -> Linear:
    facts = CASES[case]
    base = nn.Linear(facts["in_features"], facts["out_features"], bias=facts["bias"], dtype=tensors["x"].dtype)
    base.load_state_dict({key: tensors[key] for key in ("weight", "bias") if key in tensors})
    config = ILoraConfig(r=facts["r"], lora_alpha=facts["alpha"], num_heads=facts["n"])
    layer = Linear(base.requires_grad_(False), "default", config)
    with torch.no_grad():
        layer.ilora_A["default"].copy_(tensors["lora_A"])
        layer.ilora_B["default"].copy_(heads(tensors, "", facts["n"]))
        layer.ilora_router["default"].copy_(tensors["lora_route"])
    return layer


def close(actual: Tensor, wanted: Tensor, tolerance: float) -> None:
    assert actual.dtype == wanted.dtype
    worst = (actual.double() - wanted.double()).abs().max().item()
    assert worst <= tolerance * max(1.0, wanted.abs().max().item())


@pytest.mark.parametrize("case", CASES)
def test_recorded_values_and_gradients(case: str) -> None:
    tensors, facts = recorded(case), CASES[case]
    tolerance = TOLERANCE[facts["dtype"]]
    layer = build(case, tensors)
    seen: list[Tensor] = []
    layer.routing_observer = seen.append
    x = tensors["x"].clone().requires_grad_()
    y = layer(x)
    (y * tensors["g"]).sum().backward()
    close(y, tensors["y"], tolerance)
    close(seen[0], tensors["route_weight"].float(), tolerance)
    close(x.grad, tensors["grad_x"], tolerance)
    close(layer.ilora_A["default"].grad, tensors["grad_lora_A"], tolerance)
    close(layer.ilora_B["default"].grad, heads(tensors, "grad_", facts["n"]), tolerance)
    close(layer.ilora_router["default"].grad, tensors["grad_lora_route"], tolerance)


def layer_of(base: nn.Linear, **settings: object) -> Linear:
    return Linear(base, "default", ILoraConfig(**{"r": 4, "lora_alpha": 6, "init_weights": False, **settings}))


def loop(layer: Linear, x: Tensor, dropped: Tensor) -> Tensor:
    """The formula of the paper, head by head."""
    a, b, router = (group["default"] for group in (layer.ilora_A, layer.ilora_B, layer.ilora_router))
    r = a.shape[0]
    p = torch.softmax(x @ router.T, dim=-1)
    update = sum(p[..., i : i + 1] * (dropped @ a.T @ b[:, i * r : (i + 1) * r].T) for i in range(router.shape[0]))
    return layer.base_layer(x) + 6 / r * update


def test_formula_head_by_head(x: Tensor) -> None:
    layer = layer_of(nn.Linear(6, 9), num_heads=5)
    torch.testing.assert_close(layer(x), loop(layer, x, x))


def test_dropout_acts_before_a_and_not_on_the_router(x: Tensor) -> None:
    layer = layer_of(nn.Linear(6, 9), lora_dropout=0.5).train()
    torch.manual_seed(3)
    dropped = nn.functional.dropout(x, 0.5)
    torch.manual_seed(3)
    torch.testing.assert_close(layer(x), loop(layer, x, dropped))
    torch.testing.assert_close(layer.eval()(x), loop(layer, x, x))


def test_shapes_and_start() -> None:
    torch.manual_seed(0)
    layer = Linear(nn.Linear(6, 9), "default", ILoraConfig(r=4, num_heads=3))
    assert layer.ilora_A["default"].shape == (4, 6)
    assert layer.ilora_B["default"].shape == (9, 12)
    assert layer.ilora_router["default"].shape == (3, 6)
    assert not layer.ilora_B["default"].any()
    for drawn in (layer.ilora_A["default"], layer.ilora_router["default"]):
        assert 0.5 * 6**-0.5 < drawn.abs().max() <= 6**-0.5  # Kaiming-uniform with a = sqrt 5


def test_one_head_is_plain_lora(x: Tensor) -> None:
    torch.manual_seed(0)
    base = nn.Linear(6, 9)
    ours = Linear(base, "default", ILoraConfig(r=4, lora_alpha=8, num_heads=1, init_weights=False))
    lora = LoraLinear(base, "default", config=LoraConfig(r=4, lora_alpha=8), r=4, lora_alpha=8)
    with torch.no_grad():
        lora.lora_A["default"].weight.copy_(ours.ilora_A["default"])
        lora.lora_B["default"].weight.copy_(ours.ilora_B["default"])
    assert torch.equal(ours(x), lora(x))


def test_batch_mates_do_not_matter(x: Tensor) -> None:
    layer = layer_of(nn.Linear(6, 9))
    torch.testing.assert_close(torch.cat([layer(x[:1]), layer(x[1:])]), layer(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_base_with_float32_adapter(x: Tensor, dtype: torch.dtype) -> None:
    layer = layer_of(nn.Linear(6, 9).requires_grad_(False)).float()
    wanted = layer(x)
    layer.base_layer.to(dtype)
    half = x.to(dtype).requires_grad_()
    y = layer(half)
    y.float().sum().backward()
    assert y.dtype == dtype and half.grad.dtype == dtype
    assert layer.ilora_A["default"].grad.dtype == torch.float32
    torch.testing.assert_close(y.float(), wanted, atol=0.03, rtol=0.03)


def test_autocast_forward_and_backward(x: Tensor) -> None:
    layer = layer_of(nn.Linear(6, 9))
    wanted = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    y.float().sum().backward()
    assert y.dtype == torch.bfloat16
    assert layer.ilora_router["default"].grad.dtype == torch.float32
    torch.testing.assert_close(y.float(), wanted, atol=0.05, rtol=0.05)


def test_merge_is_refused_with_the_reason() -> None:
    layer = layer_of(nn.Linear(6, 9))
    with pytest.raises(ValueError, match="for every token"):
        layer.merge()
    with pytest.raises(ValueError, match="for every token"):
        layer.unmerge()

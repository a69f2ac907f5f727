"""What PEFT does with a method: wrap, train, save, load, switch, disable, unload, refuse."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftConfig, PeftModel, get_model_status, get_peft_model
from safetensors.torch import load_file
from torch import Tensor, nn

from crabplus.ilora import ILoraConfig, adapted_layers

Maker = Callable[[], nn.Module]


def config(**settings: object) -> ILoraConfig:
    return ILoraConfig(**{"r": 4, "target_modules": ["up", "down"], "init_weights": False, **settings})


def test_a_new_adapter_changes_nothing(toy: Maker, x: Tensor) -> None:
    model = get_peft_model(toy(), config(init_weights=True))
    assert torch.equal(model(x), toy()(x))
    assert adapted_layers(model) == ["base_model.model.up", "base_model.model.down"]


def test_only_the_adapter_is_trained_and_all_of_it_moves(toy: Maker, x: Tensor) -> None:
    model = get_peft_model(toy(), config(init_weights=True, lora_dropout=0.1)).train()
    trained = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    assert len(trained) == 6 and all(".ilora_" in name for name in trained)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(50):
        optimizer.zero_grad()
        (model(x) - 1).square().mean().backward()
        optimizer.step()
    now = dict(model.named_parameters())
    assert [name for name, before in trained.items() if torch.equal(before, now[name])] == []
    assert all(
        torch.equal(p, dict(toy().named_parameters())["up.weight"]) for n, p in now.items() if "up.base_layer.w" in n
    )


def test_save_and_load(toy: Maker, x: Tensor, tmp_path: Path) -> None:
    model = get_peft_model(toy(), config(num_heads=2, modules_to_save=["head"]))
    with torch.no_grad():
        model.base_model.model.head.modules_to_save["default"].bias.add_(1.0)
    model.save_pretrained(tmp_path)
    names = set(load_file(tmp_path / "adapter_model.safetensors"))
    assert {"base_model.model.up.ilora_A", "base_model.model.up.ilora_B", "base_model.model.up.ilora_router"} < names
    assert len(names) == 8
    loaded = PeftModel.from_pretrained(toy(), tmp_path)
    assert isinstance(PeftConfig.from_pretrained(tmp_path), ILoraConfig)
    assert loaded.peft_config["default"].num_heads == 2
    assert torch.equal(loaded(x), model(x))
    assert not torch.equal(loaded(x), toy()(x))
    assert not any(p.requires_grad for p in loaded.parameters())
    trainable = PeftModel.from_pretrained(toy(), tmp_path, is_trainable=True)
    assert sum(p.requires_grad for p in trainable.parameters()) == 8


def test_disable_unload_and_status(toy: Maker, x: Tensor) -> None:
    model = get_peft_model(toy(), config())
    wanted = toy()(x)
    with model.disable_adapter():
        assert torch.equal(model(x), wanted)
    assert not torch.equal(model(x), wanted)
    assert get_model_status(model).peft_types == {"default": "ILORA"}
    assert torch.equal(model.unload()(x), wanted)


def test_several_adapters(toy: Maker, x: Tensor, tmp_path: Path) -> None:
    model = get_peft_model(toy(), config())
    first = model(x)
    model.add_adapter("other", config(r=2, num_heads=5, target_modules=["up"]))
    assert torch.equal(model(x), first)
    model.set_adapter("other")
    second = model(x)
    assert not torch.equal(second, first)
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(toy(), tmp_path)
    loaded.load_adapter(tmp_path / "other", "other")
    assert torch.equal(loaded(x), first)
    loaded.set_adapter("other")
    assert torch.equal(loaded(x), second)
    loaded.delete_adapter("default")
    assert torch.equal(loaded(x), second)


def test_merge_is_refused_before_anything_changes(toy: Maker, x: Tensor) -> None:
    model = get_peft_model(toy(), config(target_modules=["down"], modules_to_save=["up"]))  # "up" is unloaded first
    before, names = model(x), list(model.state_dict())
    for merge in (model.merge_and_unload, model.merge_adapter):
        with pytest.raises(ValueError, match="cannot be merged"):
            merge()
    assert torch.equal(model(x), before) and list(model.state_dict()) == names


def test_adapter_stays_float32_on_a_half_precision_base(toy: Maker, x: Tensor) -> None:
    model = get_peft_model(toy().to(torch.bfloat16), config())
    assert {p.dtype for n, p in model.named_parameters() if "ilora_" in n} == {torch.float32}
    assert model(x.bfloat16()).dtype == torch.bfloat16


def test_only_linear_layers(toy: Maker) -> None:
    model = nn.Sequential(nn.Conv1d(3, 3, 1))
    with pytest.raises(ValueError, match="Target module Conv1d.* is not supported"):
        get_peft_model(model, ILoraConfig(target_modules=["0"]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"r": 0}, "r: a whole number"),
        ({"num_heads": 0}, "num_heads: a whole number"),
        ({"lora_dropout": 1.0}, "lora_dropout"),
        ({"router_temperature": 0.0}, "router_temperature"),
        ({"router_temperature": "1"}, "router_temperature"),
        ({"lora_alpha": 0}, "lora_alpha"),
        ({"lora_alpha": float("nan")}, "lora_alpha"),
        ({"r": True}, "r: a whole number"),
        ({"init_weights": "gaussian"}, "init_weights: True or False"),
        ({"share_a": "no"}, "share_a: True or False"),
        ({"target_modules": "as_published"}, "did you mean 'as-published'"),
        ({"target_modules": "as-published", "layers_to_transform": [0]}, "layers_to_transform"),
        ({"layers_pattern": "layers"}, "layers_pattern"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ILoraConfig(**settings)


def test_adapters_of_one_batch_are_refused(toy: Maker, x: Tensor) -> None:
    model = get_peft_model(toy(), config())
    with pytest.raises(ValueError, match="one adapter for a whole batch"):
        model(x, adapter_names=["default", "__base__"])

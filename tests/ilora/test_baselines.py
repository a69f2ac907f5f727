"""The adapters to compare with: the same layers and settings, and the number of parameters that is asked for."""

from collections.abc import Callable

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from crabplus.config import AdapterSettings
from crabplus.ilora import ILoraConfig, baselines
from crabplus.train.adapters import prepare

Maker = Callable[[], nn.Module]
CONFIG = ILoraConfig(r=4, lora_alpha=12, num_heads=3, lora_dropout=0.1, target_modules=["up", "down"])


def trained(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_lora_of_the_same_rank(toy: Maker) -> None:
    made = baselines.lora(CONFIG)
    assert isinstance(made, LoraConfig)
    assert (made.r, made.lora_alpha, made.lora_dropout, made.target_modules) == (4, 12, 0.1, {"up", "down"})
    assert trained(get_peft_model(toy(), made)) == 2 * 4 * (6 + 10)


def test_lora_of_equal_size_is_the_nearest_rank(toy: Maker, x: Tensor) -> None:
    model, wanted = toy(), trained(get_peft_model(toy(), CONFIG))
    made = baselines.equal_lora(CONFIG, model)
    assert torch.equal(model(x), toy()(x)) and not any("ilora" in name for name, _ in model.named_parameters())
    sizes = {
        rank: trained(get_peft_model(toy(), LoraConfig(r=rank, target_modules=["up", "down"]))) for rank in (8, 9, 10)
    }
    assert abs(sizes[made.r] - wanted) == min(abs(size - wanted) for size in sizes.values())
    assert made.lora_alpha / made.r == pytest.approx(3)
    assert trained(model) == sum(p.numel() for p in model.parameters())  # not frozen by being counted
    with pytest.raises(ValueError, match="an adapter already"):
        baselines.equal_lora(CONFIG, get_peft_model(model, CONFIG))


def test_experts_have_an_a_each(toy: Maker) -> None:
    model = get_peft_model(toy(), baselines.experts(CONFIG))
    assert model.base_model.model.up.ilora_A["default"].shape == (12, 6) and CONFIG.share_a


@pytest.mark.parametrize("kind", ["ilora", "lora", "lora-equal", "moe-lora", "none"])
def test_one_word_in_the_training_settings(kind: str, toy: Maker, x: Tensor) -> None:
    holder = type("Model", (), {"thinker": toy(), "parts": {}, "unused": ()})()
    size = {} if kind == "none" else {"r": 4, "alpha": 12, "heads": 3, "targets": "all-linear"}
    prepare(holder, AdapterSettings.model_validate({"kind": kind, **size}), ())
    model = holder.thinker
    assert torch.equal(model.eval()(x), toy()(x))
    kinds = {"ilora": "ILORA", "lora": "LORA", "lora-equal": "LORA", "moe-lora": "ILORA"}
    if kind == "none":
        assert trained(model) == sum(p.numel() for p in toy().parameters())
    else:
        assert model.peft_config["default"].peft_type.value == kinds[kind]

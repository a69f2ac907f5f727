"""An adapter is put on the model that it was trained on, or refused."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from crabplus.generate import load_adapter
from crabplus.loading import adapter_for, base_for
from crabplus.models import load_model

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A copy of the shipped adapter."""
    return Path(shutil.copytree(adapter_for("tiny", None), tmp_path / "adapter"))


@pytest.mark.parametrize("spoil", ["one lacks", "one too many", "other layers"])
def test_an_adapter_whose_weights_have_other_places_is_refused(adapter: Path, spoil: str) -> None:
    weights = load_file(adapter / WEIGHTS)
    name = next(iter(weights))
    if spoil == "one lacks":
        del weights[name]
    elif spoil == "one too many":
        weights[name.replace("layers.0", "layers.99")] = weights[name].clone()
    else:
        weights = {name.replace("language_model", "speaker"): value for name, value in weights.items()}
    save_file(weights, adapter / WEIGHTS)
    with pytest.raises(ValueError, match=r"this adapter is of another model: .* trained on .*: name that"):
        load_adapter(load_model("tiny", (160, 160)), adapter)


def test_the_right_one_fits(adapter: Path) -> None:
    model = load_model("tiny", (160, 160))
    assert load_adapter(model, adapter) is model and model.thinker.peft_config


def test_the_model_is_the_one_named_else_that_of_the_adapter_else_the_shipped_one(adapter: Path) -> None:
    file = adapter / "adapter_config.json"
    written = json.loads(file.read_text())
    file.write_text(json.dumps({**written, "base_model_name_or_path": "models/mine"}))
    assert base_for("other", adapter) == "other"
    assert base_for(None, adapter) == "models/mine"
    assert base_for(None, "none") == base_for(None, None) == "tiny"
    file.write_text(json.dumps({**written, "base_model_name_or_path": None}))
    with pytest.raises(ValueError, match=r"does not tell on which model it was trained; name that \(--model\)"):
        base_for(None, adapter)
    with pytest.raises(ValueError, match="no adapter_config.json in there"):
        base_for(None, adapter.parent)

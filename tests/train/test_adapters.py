"""What is trained, of which part: on the tiny model without weights, but for adapters that learn on."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from crabplus.config import AdapterSettings, ConfigError
from crabplus.models import family_of, load_model, load_skeleton, resolve
from crabplus.train.adapters import adapted_layers, check_start, part_of, prepare, summary

FAMILY = family_of("tiny")
SEVEN = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


class Skeleton:
    def __init__(self) -> None:
        self.thinker, self.parts, self.unused = load_skeleton("tiny"), FAMILY.PARTS, FAMILY.UNUSED


def prepared(trained: tuple[str, ...] = (), **settings: object) -> Skeleton:
    model = Skeleton()
    with torch.device("meta"):
        prepare(model, AdapterSettings.model_validate(settings), trained, weights=False)
    return model


def trained_names(model: Skeleton) -> list[str]:
    return [name for name, parameter in model.thinker.named_parameters() if parameter.requires_grad]


def test_language_model_only() -> None:
    model = prepared(r=4)
    assert summary(model)["layers"] == {"language": 4 * 7}
    assert {name.rpartition(".")[2] for name in adapted_layers(model.thinker)} == SEVEN
    assert all("ilora_" in name and "language_model" in name for name in trained_names(model))


def test_as_published_reaches_both_towers() -> None:
    layers = summary(prepared(r=4, targets="as-published"))["layers"]
    assert layers == {"language": 4 * 7, "vision": 4 * 3, "audio": 3 * 3}


@pytest.mark.parametrize(
    ("targets", "parts", "layers"),
    [
        ("as-published", ["audio"], {"audio": 9}),
        ("as-published", ["vision", "audio"], {"vision": 12, "audio": 9}),
        ("as-published", ["language"], {"language": 28}),
        (["q_proj", "proj"], ["audio"], {"audio": 3, "audio-projector": 1}),
        (["q_proj", "proj"], ["audio-projector"], {}),
        (r".*\.layers\.0\..*q_proj", ["language", "audio"], {"language": 1, "audio": 1}),
        (r".*merger\.mlp\.0", ["vision"], {"vision-merger": 1}),
        (["gate_proj"], None, {"language": 4, "vision": 4}),
        (["self_attn.q_proj"], ["language"], {"language": 4}),
    ],
)
def test_parts_confine_the_targets(targets: object, parts: object, layers: dict[str, int]) -> None:
    settings = {"r": 4, "targets": targets, "parts": parts}
    if layers:
        assert summary(prepared(**settings))["layers"] == layers
    else:  # the projector is itself the part, and has nothing inside
        with pytest.raises(ConfigError, match="adapter.targets: .* fits no layer"):
            prepared(**settings)


def test_parts_trained_whole_beside_an_adapter() -> None:
    model = prepared(("vision-merger", "audio-projector"), r=4)
    made, thinker = summary(model), load_skeleton("tiny")
    sizes = {part: sum(p.numel() for p in thinker.get_submodule(FAMILY.PARTS[part]).parameters())
             for part in ("vision-merger", "audio-projector")}  # fmt: skip
    alone = summary(prepared(r=4))
    assert made["parameters_by_part"] == {**alone["parameters_by_part"], **sizes}
    assert made["parameters"] == sum(made["parameters_by_part"].values())
    assert made["layers"] == alone["layers"]


def test_a_part_is_not_adapted_and_trained_whole() -> None:
    with pytest.raises(ConfigError, match="trained: vision has adapted layers; confine adapter.parts"):
        prepared(("vision",), r=4, targets="as-published")
    made = summary(prepared(("vision",), r=4, targets="as-published", parts=["language", "audio"]))
    assert made["layers"] == {"language": 28, "audio": 9} and made["parameters_by_part"]["vision"] > 0


def test_kind_none_trains_all_or_some_parts() -> None:
    model = prepared(kind="none")
    frozen = [name for name, parameter in model.thinker.named_parameters() if not parameter.requires_grad]
    assert frozen == list(FAMILY.UNUSED) and summary(model)["layers"] == {}
    some = prepared(("head", "audio-projector"), kind="none")
    assert summary(some)["parameters_by_part"].keys() == {"audio-projector", "language"}  # its head is its embedding
    assert summary(some)["parameters"] < summary(model)["parameters"]
    with pytest.raises(ConfigError, match="trained: no part 'tail'; the model has language"):
        prepared(("tail",), kind="none")


def test_kinds_are_of_the_sizes_that_they_say() -> None:
    sizes = {kind: summary(prepared(kind=kind, r=8, alpha=16, targets="as-published"))["parameters"] for kind in
             ("ilora", "lora", "lora-equal", "moe-lora")}  # fmt: skip
    assert sizes["lora"] < sizes["ilora"] < sizes["moe-lora"]
    assert abs(sizes["lora-equal"] / sizes["ilora"] - 1) < 0.05
    linear = [module for name, module in load_skeleton("tiny").named_modules() if name.rpartition(".")[2] in SEVEN]
    ends = [(layer.in_features, layer.out_features) for layer in linear if isinstance(layer, torch.nn.Linear)]
    assert sizes["lora"] == sum(8 * (width + out) for width, out in ends)
    assert sizes["ilora"] == sum(8 * (width + 3 * out) + 3 * width for width, out in ends)
    assert sizes["moe-lora"] == sum(8 * 3 * (width + out) + 3 * width for width, out in ends)


def test_the_settings_reach_the_adapter() -> None:
    given = {"r": 4, "alpha": 12, "heads": 2, "dropout": 0.25, "router_temperature": 0.5}
    config = prepared(**given).thinker.peft_config["default"]
    names = ("r", "lora_alpha", "num_heads", "lora_dropout", "router_temperature")
    assert [getattr(config, name) for name in names] == list(given.values())
    plain = prepared(kind="lora", r=4, alpha=12, dropout=0.25).thinker.peft_config["default"]
    assert (plain.peft_type, plain.r, plain.lora_alpha, plain.lora_dropout) == ("LORA", 4, 12, 0.25)


def test_an_adapter_learns_on_from_its_weights() -> None:
    start = Path(resolve("tiny")) / "adapter"
    check_start(start)
    model = load_model("tiny", (112, 112), dtype="float32")
    prepare(model, AdapterSettings(start=str(start)), ())
    made = summary(model)
    assert made == summary(prepared(start=str(start)))  # as it was tried without weights
    assert made["layers"] == {"language": 28} and all("ilora_" in name for name in trained_names(model))
    heads = [parameter for name, parameter in model.thinker.named_parameters() if "ilora_B" in name]
    assert all(head.abs().sum() > 0 for head in heads)  # a new one starts at zero


def test_an_adapter_with_weights_for_other_places_does_not_learn_on(tmp_path: Path) -> None:
    shutil.copytree(Path(resolve("tiny")) / "adapter", tmp_path / "start")
    weights = load_file(tmp_path / "start" / "adapter_model.safetensors")
    weights.popitem()
    save_file(weights, tmp_path / "start" / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="start: this adapter is of another model"):
        prepare(load_model("tiny", (112, 112), dtype="float32"), AdapterSettings(start=str(tmp_path / "start")), ())


def test_the_part_of_a_name_is_the_innermost() -> None:
    parts = FAMILY.PARTS
    assert part_of("base_model.model.model.visual.merger.mlp.0.weight", parts) == "vision-merger"
    assert part_of("model.visual.blocks.0.mlp", parts) == "vision"
    assert part_of("model.audio_tower.proj", parts) == "audio-projector"
    assert part_of("base_model.model.lm_head.weight", parts) == "head"
    assert part_of("model.visually", parts) == "other"

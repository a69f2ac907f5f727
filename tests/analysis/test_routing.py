"""The whole study on the shipped model: what it says follows from its predictions, and the model stays whole."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from crabplus import generate as module
from crabplus.analysis.routing import RoutingError, Settings, adapter_of, study
from crabplus.data import WithSource
from crabplus.evaluate import compare, evaluate
from crabplus.generate import predict
from crabplus.ilora import ILoraConfig
from crabplus.models import load_model
from crabplus.models.source import Files
from crabplus.schema import from_json


@pytest.fixture(scope="module")
def made(plus: Any, asked: Any, folder: Any) -> dict[str, Any]:
    settings = Settings(batch_size=3, show=1, rounds=50)
    before = {name: parameter.clone() for name, parameter in plus.model.thinker.named_parameters()}
    found = study(plus.model, asked, Files(folder), plus.pack, plus.origin, settings)
    assert all(torch.equal(parameter, before[name]) for name, parameter in plus.model.thinker.named_parameters())
    return found


def answers(plus: Any, samples: Any, folder: Any) -> Any:
    return list(predict(plus.model, WithSource(samples, Files(folder)), plus.pack, 3))


def test_it_is_json_and_all_of_it_is_there(made: dict[str, Any]) -> None:
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert list(made["keys"]) == ["ave", "arig"] and made["heads"] == 3 and len(made["places"]) == 28
    for of in made["keys"].values():
        assert (of["samples"], of["answered"]) == (3, 3) and all(of["tokens"])
        np.testing.assert_allclose(np.array(of["weights"]).sum(-1), 1, atol=1e-4)
        assert np.array(of["entropy"]).shape == (28, 4)
    assert {of["family"] for of in made["keys"].values()} == {"temporal localisation", "spatial localisation"}
    assert made["failures"] == []


def test_use_follows_from_all_tokens(made: dict[str, Any]) -> None:
    tokens = np.array([of["tokens"] for of in made["keys"].values()])
    weights = np.array([of["weights"] for of in made["keys"].values()])  # (key, P, K, H)
    pooled = (weights * tokens[:, None, :, None]).sum((0, 2)) / tokens.sum()
    np.testing.assert_allclose(made["use"]["weights"], pooled, atol=1e-4)
    assert set(made["use"]["tokens"]) == {int(tokens.sum())}
    np.testing.assert_allclose(np.array(made["use"]["largest"]).sum(-1), 1, atol=1e-4)
    bits = sum(np.array(part) for part in made["use"]["bits"].values())
    np.testing.assert_allclose(bits, -(pooled * np.log2(pooled)).sum(-1), atol=1e-3)


def test_likeness_of_keys_and_of_their_halves(made: dict[str, Any]) -> None:
    apart = np.array(made["similarity"]["divergence"])
    assert apart.shape == (2, 2) and (apart > 0).all() and apart[0, 1] == apart[1, 0]
    assert sorted(made["similarity"]["order"]) == ["arig", "ave"]


def test_scores_are_those_of_the_predictions(made: dict[str, Any], plus: Any, asked: Any, folder: Any) -> None:
    for key, samples in asked.items():
        said = answers(plus, samples, folder)
        score = evaluate(samples, said, rounds=50)[key]
        told = made["ablation"]["keys"][key]
        assert (told["score"], told["n"], told["metric"]) == (score.score, 3, score.metric)
        assert told["constant"] == score.constant and [one["head"] for one in told["changes"]] == [1, 2, 3]


def test_a_head_that_is_off_scores_as_an_adapter_without_it(
    made: dict[str, Any], plus: Any, asked: Any, folder: Any
) -> None:
    other = load_model("tiny", plus.pack.size, dtype="float32")
    other.thinker = get_peft_model(other.thinker, replace(plus.model.thinker.peft_config["default"])).eval()
    state = {name: value.clone() for name, value in plus.model.thinker.state_dict().items()}
    for name, value in state.items():
        if ".ilora_B." in name:
            value[:, 32:64] = 0  # the second of three heads of rank 32
    other.thinker.load_state_dict(state)
    by_hand = type(plus)(other, plus.pack, {})
    for key, samples in asked.items():
        found = compare(samples, answers(plus, samples, folder), answers(by_hand, samples, folder), rounds=50)[key]
        told = made["ablation"]["keys"][key]["changes"][1]
        assert (told["score"], told["change"], tuple(told["ci95"])) == (found.after, found.change, found.ci95)
        assert told["change"] < 0 and told["other_text"] == 1


def test_strips_hold_the_sample_and_what_was_said(made: dict[str, Any], asked: Any) -> None:
    assert [from_json(told["sample"]) for told in made["strips"]] == [samples[0] for samples in asked.values()]
    for told in made["strips"]:
        assert told["pieces"][-1]["kind"] == "generated" and told["prediction"]["text"] and told["credit"] is not None
        assert len(told["pieces"][-1]["words"][0]["weights"]) == len(made["views"]) == 3
    assert made["views"][0] == "mean over 28 adapted layers"


def test_without_ablation_no_truth_is_needed(plus: Any, asked: Any, folder: Any) -> None:
    blind = {"ave": [replace(asked["ave"][0], answer=None)]}
    found = study(plus.model, blind, Files(folder), plus.pack, settings=Settings(ablate="none", show=0))
    assert found["ablation"]["variants"] == [] and found["ablation"]["keys"] == {} and found["strips"] == []
    assert found["similarity"]["divergence"] == [[None]]  # one sample has no halves
    with pytest.raises(RoutingError, match=r"has no true answer.*--ablate none"):
        study(plus.model, blind, Files(folder), plus.pack)


def test_no_sample_is_lost_where_memory_is_short(plus: Any, asked: Any, folder: Any, monkeypatch: Any) -> None:
    answer = module.generate

    def short(model: Any, encoded: Any, max_new_tokens: int, patterns: Any = None) -> Any:
        said = answer(model, encoded, 2, patterns)
        if len(encoded) > 1:  # on the way, when the prompts have been read already
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.1 GiB.")
        return said

    monkeypatch.setattr(module, "generate", short)
    samples = {"arig": (asked["arig"] * 3)[:8]}
    settings = Settings(batch_size=2, ablate="none", show=0)
    found = study(plus.model, samples, Files(folder), plus.pack, settings=settings)["keys"]["arig"]
    assert (found["answered"], found["tokens"][3]) == (8, 8)  # of two tokens each the second is never read


def test_unreadable_samples_are_told(plus: Any, asked: Any, folder: Any, tmp_path: Any) -> None:
    found = study(plus.model, {"ave": asked["ave"][:1]}, Files(tmp_path), plus.pack, settings=Settings(ablate="none"))
    assert asked["ave"][0].id in found["failures"][0]["error"]
    assert found["keys"]["ave"]["answered"] == 0 and found["keys"]["ave"]["weights"][0] == [[None] * 3] * 4
    assert found["strips"] == []  # there is no layer whose tokens were seen


@pytest.mark.parametrize(
    ("config", "words"),
    [(None, "the model has no adapter"), (LoraConfig(r=2, target_modules=["q_proj"]), "the adapter is of kind LORA"),
     (ILoraConfig(r=2, num_heads=1, target_modules="language-model-only"), "two heads or more")],
)  # fmt: skip
def test_a_model_without_a_router(plus: Any, config: Any, words: str) -> None:
    model = load_model("tiny", plus.pack.size, dtype="float32")
    if config is not None:
        model.thinker = get_peft_model(model.thinker, config)
    with pytest.raises(RoutingError, match=words):
        adapter_of(model)


@pytest.mark.parametrize(
    ("samples", "settings", "words"),
    [({"ave": []}, {}, "ave: no samples"), ({}, {}, "no keys"), ({}, {"ablate": "all"}, "one of none, heads, layers")],
)
def test_what_cannot_be_studied(plus: Any, folder: Any, samples: Any, settings: Any, words: str) -> None:
    with pytest.raises(RoutingError, match=words):
        study(plus.model, samples, Files(folder), plus.pack, settings=Settings(**settings))

"""The tiny thinker: recorded logits and gradients, published weights, presets, batches, routing."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import Tensor, nn

from crabplus.ilora import ILoraConfig, adapted_layers, convert_published, load_published, record_routing
from crabplus.ilora.published import PublishedWeightsError

Maker = Callable[[], nn.Module]
Inputs = Callable[[str], dict[str, Tensor]]
CASES = ("text", "audio_video")
AUDIO = 390


@pytest.fixture(scope="module")
def model(thinker: Maker, golden: Path) -> nn.Module:
    """The thinker with the published adapter in it; no test changes it."""
    adapted = get_peft_model(thinker(), ILoraConfig(r=8, lora_alpha=16, target_modules="as-published")).eval()
    load_published(adapted, golden / "adapter" / "finetune_weights.bin")
    return adapted


@pytest.mark.parametrize("case", CASES)
def test_recorded_logits(case: str, model: nn.Module, inputs: Inputs, expected: dict[str, Tensor]) -> None:
    with torch.no_grad():
        adapted = model(**inputs(case)).logits
        with model.disable_adapter():
            base = model(**inputs(case)).logits
    torch.testing.assert_close(base, expected[f"base/{case}/logits"], atol=1e-4, rtol=0)
    torch.testing.assert_close(adapted, expected[f"ilora/{case}/logits"], atol=1e-4, rtol=0)
    assert (adapted - base).abs().max() > 0.1


def test_recorded_gradients(model: nn.Module, inputs: Inputs, expected: dict[str, Tensor], golden: Path) -> None:
    logits = model(**inputs("audio_video")).logits
    parameters = {name: p for name, p in model.named_parameters() if ".ilora_" in name}
    loss = (logits * expected["ilora/audio_video/weight_for_grad"]).mean()
    found = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
    recorded = load_file(golden / "adapter_grads.safetensors")
    for key, wanted in recorded.items():
        path, _, part = key.partition("base_model.model.")[2].removesuffix(".weight").rpartition(".lora_")
        tower = path.split(".")[0]
        path = (
            f"model.{path}"
            if tower in ("audio_tower", "visual")
            else path.replace("model.", "model.language_model.", 1)
        )
        name = f"base_model.model.{path}.ilora_{ {'route': 'router', 'A': 'A'}.get(part, 'B') }.default"
        grad = found[name]
        if part.startswith("B"):
            grad = grad[:, 8 * int(part[1]) : 8 * int(part[1]) + 8]
        torch.testing.assert_close(grad, wanted, atol=1e-6, rtol=1e-3)


def test_presets(model: nn.Module, thinker: Maker) -> None:
    published = adapted_layers(model)
    parts = [sum(f".{part}." in name for name in published) for part in ("language_model", "audio_tower", "visual")]
    assert parts == [14, 6, 6]
    only = adapted_layers(get_peft_model(thinker(), ILoraConfig(target_modules="language-model-only")))
    assert only == [name for name in published if ".language_model." in name]


def test_convert_published(thinker: Maker, golden: Path, inputs: Inputs, model: nn.Module, tmp_path: Path) -> None:
    made = convert_published(golden / "adapter" / "finetune_weights.bin", tmp_path / "out")
    assert (made.r, made.num_heads, made.lora_alpha) == (8, 3, 16)
    loaded = PeftModel.from_pretrained(thinker(), tmp_path / "out")
    assert adapted_layers(loaded) == adapted_layers(model)
    with torch.no_grad():
        assert torch.equal(loaded(**inputs("text")).logits, model(**inputs("text")).logits)


def test_convert_needs_an_alpha(golden: Path, tmp_path: Path) -> None:
    lonely = tmp_path / "finetune_weights.bin"
    lonely.write_bytes((golden / "adapter" / "finetune_weights.bin").read_bytes())
    with pytest.raises(PublishedWeightsError, match="lora_alpha"):
        convert_published(lonely, tmp_path / "out")
    assert convert_published(lonely, tmp_path / "out", lora_alpha=16, lora_dropout=0.1).lora_dropout == 0.1


def test_converted_weights_are_those_of_the_file(golden: Path, tmp_path: Path) -> None:
    convert_published(golden / "adapter" / "finetune_weights.bin", tmp_path)
    made = load_file(tmp_path / "adapter_model.safetensors")
    published = torch.load(golden / "adapter" / "finetune_weights.bin", weights_only=True)
    assert len(published) == 5 * len(made) / 3
    name = "model.visual.blocks.0.mlp.up_proj"
    old = "base_model.model.visual.blocks.0.mlp.up_proj.lora_"
    heads = torch.cat([published[f"{old}B{i}.weight"] for i in range(3)], dim=1)
    assert torch.equal(made[f"base_model.model.{name}.ilora_B"], heads)
    assert torch.equal(made[f"base_model.model.{name}.ilora_A"], published[f"{old}A.weight"])
    assert torch.equal(made[f"base_model.model.{name}.ilora_router"], published[f"{old}route.weight"])
    assert "import crabplus.ilora" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, k: s.pop(k), "do not make a layer"),
        (
            lambda s, k: [
                s.pop(name) for name in list(s) if "layers.1.self_attn.q_proj" in name and ".model.layers" in name
            ],
            "1 missing: model.language_model.layers.1.self_attn.q_proj",
        ),
        (lambda s, k: s.clear(), "no dictionary of tensors"),
        (lambda s, k: s.update({k: s[k].to(torch.int8)}), "not floating point"),
        (lambda s, k: s.update({k: s[k][:, :4].clone()}), r"misshapen: .*q_proj.B1 \(published \(64, 4\), wanted"),
    ],
)
def test_published_weights_that_cannot_be_converted(
    change: Callable[..., object], message: str, golden: Path, tmp_path: Path
) -> None:
    state = torch.load(golden / "adapter" / "finetune_weights.bin", weights_only=True)
    change(state, "base_model.model.model.layers.0.self_attn.q_proj.lora_B1.weight")
    torch.save(state, tmp_path / "weights.bin")
    with pytest.raises(PublishedWeightsError, match=message):
        convert_published(tmp_path / "weights.bin", tmp_path / "out", lora_alpha=16)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, k: s.pop(k), "1 missing: model.language_model.layers.0.self_attn.q_proj.B1"),
        (lambda s, k: s.update({k.replace("B1", "B3"): s[k]}), "1 unexpected: model.language_model.*q_proj.B3"),
        (lambda s, k: s.update({k: s[k][:, :4].clone()}), r"1 misshapen: .*q_proj.B1 \(published \(64, 4\), model"),
        (lambda s, k: s.update(other=s[k]), "not the keys of published weights: other"),
    ],
)
def test_published_weights_that_do_not_fit(
    change: Callable[..., object], message: str, golden: Path, model: nn.Module, tmp_path: Path
) -> None:
    state = torch.load(golden / "adapter" / "finetune_weights.bin", weights_only=True)
    change(state, "base_model.model.model.layers.0.self_attn.q_proj.lora_B1.weight")
    torch.save(state, tmp_path / "weights.bin")
    before = {name: p.clone() for name, p in model.named_parameters()}
    with pytest.raises(PublishedWeightsError, match=message):
        load_published(model, tmp_path / "weights.bin")
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_transformers_own_adapter_calls(thinker: Maker, golden: Path, inputs: Inputs, tmp_path: Path) -> None:
    convert_published(golden / "adapter" / "finetune_weights.bin", tmp_path)
    plain, given = thinker(), inputs("text")
    with torch.no_grad():
        base = plain(**given).logits
        plain.load_adapter(str(tmp_path))
        loaded = plain(**given).logits
        plain.disable_adapters()
        disabled = plain(**given).logits
        plain.delete_adapter("default")
    wanted = load_file(golden / "expected.safetensors")["ilora/text/logits"]
    torch.testing.assert_close(loaded, wanted, atol=1e-4, rtol=0)
    assert torch.equal(disabled, base)
    assert not any(".ilora_A." in name for name, _ in plain.named_parameters())


def test_left_padded_batch_mates_do_not_matter(model: nn.Module, inputs: Inputs) -> None:
    ids = inputs("text")["input_ids"]
    short = ids[:, :9]
    padded = torch.cat([torch.zeros(1, ids.shape[1] - 9, dtype=ids.dtype), short], dim=1)
    mask = torch.ones(2, ids.shape[1], dtype=torch.long)
    mask[1, :-9] = 0
    with torch.no_grad():
        alone = model(input_ids=short).logits
        together = model(input_ids=torch.cat([ids, padded]), attention_mask=mask).logits
    torch.testing.assert_close(together[1:, -9:], alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together[:1], model(input_ids=ids).logits, atol=1e-5, rtol=1e-4)


def test_routing_by_kind_of_token(model: nn.Module, inputs: Inputs) -> None:
    given = inputs("audio_video")
    with torch.no_grad(), record_routing(model, {AUDIO: "audio"}) as routing:
        model(**given)
    text, tower = "model.language_model.layers.1.mlp.up_proj", "model.audio_tower.layers.0.self_attn.q_proj"
    weights, audio = routing.weights(text), given["input_ids"] == AUDIO
    assert weights.shape == (*given["input_ids"].shape, 3)
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    kinds = routing.by_kind(text)
    assert set(kinds) == {"audio", "text"}
    torch.testing.assert_close(kinds["audio"], weights[audio].mean(0))
    torch.testing.assert_close(kinds["text"], weights[~audio].mean(0))
    assert routing.weights(tower).dim() == 2 and routing.by_kind(tower) == {}
    assert routing.mean(tower).shape == (3,)


def test_routing_under_cached_generation_and_free_afterwards(model: nn.Module, inputs: Inputs) -> None:
    given = inputs("text")
    with record_routing(model) as routing:
        model.generate(**given, max_new_tokens=4, min_new_tokens=4, do_sample=False)
    name = "model.language_model.layers.0.self_attn.q_proj"
    assert [call.shape[1] for call in routing.calls[name]] == [given["input_ids"].shape[1], 1, 1, 1]
    assert [given_ids.ids.shape[1] for given_ids in routing.passes] == [given["input_ids"].shape[1], 1, 1, 1]
    with torch.no_grad():
        model(**given)
    assert len(routing.calls[name]) == 4


def test_routing_rows_per_layer_projection_kind_and_sample(model: nn.Module, inputs: Inputs) -> None:
    ids = torch.stack([inputs("text")["input_ids"][0], inputs("text")["input_ids"][0].flip(0)])
    mask = torch.ones_like(ids)
    mask[0, :4] = 0  # padding on the left, which counts nowhere
    name = "model.language_model.layers.1.self_attn.v_proj"
    with record_routing(model, {int(ids[1, -1]): "last"}) as routing:
        model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=3, min_new_tokens=3, do_sample=False)
        with torch.no_grad():
            model(input_ids=ids[:1])
    rows = {(row.sample, row.kind): row for row in routing.rows(name)}
    assert {(row.number, row.projection, row.layer) for row in rows.values()} == {(1, "v_proj", name)}
    assert {sample for sample, _ in rows} == {0, 1, 2}  # cached steps belong to the samples that they go on with
    of_sample = [sum(row.tokens for key, row in rows.items() if key[0] == sample) for sample in range(3)]
    assert of_sample == [ids.shape[1] - 4 + 2, ids.shape[1] + 2, ids.shape[1]]
    prefill = routing.calls[name][0]
    generated = torch.cat([routing.calls[name][step][1] for step in (1, 2)])
    text = torch.cat([prefill[1][ids[1] != ids[1, -1]], generated])
    torch.testing.assert_close(torch.tensor(rows[1, "text"].weights), text.mean(0))
    assert len({row.layer for row in routing.rows()}) == len([layer for layer, calls in routing.calls.items() if calls])


def test_routing_rows_of_a_tower_know_no_sample(model: nn.Module, inputs: Inputs) -> None:
    with torch.no_grad(), record_routing(model) as routing:
        model(**inputs("audio_video"))
    (row,) = routing.rows("model.visual.blocks.1.mlp.down_proj")
    assert (row.number, row.projection, row.kind, row.sample) == (1, "down_proj", None, None) and row.tokens > 0


def test_what_was_not_recorded_says_why(model: nn.Module, inputs: Inputs) -> None:
    name = "model.language_model.layers.0.self_attn.q_proj"
    with torch.no_grad(), record_routing(model) as routing, model.disable_adapter():
        model(**inputs("text"))
    assert routing.rows() == []
    with pytest.raises(ValueError, match="nothing was recorded"):
        routing.weights(name)
    with pytest.raises(KeyError, match="no adapted layer 'typo'"):
        routing.mean("typo")
    with torch.no_grad(), record_routing(model) as routing:
        for count in (1, 2):
            model(input_ids=inputs("text")["input_ids"].expand(count, -1))
    with pytest.raises(ValueError, match="several sizes"):
        routing.weights(name)


def test_token_ids_are_numbers(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="token ids are whole numbers"), record_routing(model, {"7": "audio"}):
        pass


def test_layers_of_an_encoder_decoder_model_know_no_samples() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    small = T5Config(vocab_size=20, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0)
    t5 = get_peft_model(T5ForConditionalGeneration(small), ILoraConfig(r=2, target_modules=["q"])).eval()
    with torch.no_grad(), record_routing(t5, {9: "nine"}) as routing:
        t5(input_ids=torch.full((1, 6), 9), decoder_input_ids=torch.full((1, 6), 5))
    assert {(row.kind, row.sample) for row in routing.rows()} == {(None, None)}


def test_a_file_that_is_none_is_named(golden: Path, tmp_path: Path) -> None:
    whole = (golden / "adapter" / "finetune_weights.bin").read_bytes()
    for name, content in {"cut.bin": whole[: len(whole) // 2], "garbage.bin": b"abc" * 100, "empty.bin": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PublishedWeightsError, match=name):
            convert_published(tmp_path / name, tmp_path / "out", lora_alpha=16)


def test_routing_needs_an_adapter(thinker: Maker) -> None:
    with pytest.raises(ValueError, match="no I-LoRA layer"), record_routing(thinker()):
        pass

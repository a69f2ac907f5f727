"""What PEFT's own suite asks of every method, on two small language models: linear layers, and transformers' Conv1D."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from peft.helpers import disable_input_dtype_casting
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainingArguments,
)

from crabplus.ilora import ILoraConfig, ILoraLayer, adapted_layers

Maker = Callable[[], Any]
IDS = torch.randint(1, 90, (2, 7), generator=torch.Generator().manual_seed(4))


def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=90, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
                    num_key_value_heads=2, max_position_embeddings=64, pad_token_id=0, eos_token_id=None)
    ).eval()  # fmt: skip


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=90, n_embd=32, n_layer=3, n_head=4, n_positions=64, resid_pdrop=0.0, embd_pdrop=0.0,
                   attn_pdrop=0.0, bos_token_id=1, eos_token_id=None, pad_token_id=0)
    ).eval()  # fmt: skip


@pytest.fixture(params=[llama, gpt2], ids=["llama", "gpt2"])
def base(request: pytest.FixtureRequest) -> Maker:
    """Makes the same base model each time."""
    return request.param


def config(**settings: object) -> ILoraConfig:
    """Settings with heads drawn, so that the adapter does something; the layers are PEFT's defaults for the model."""
    return ILoraConfig(**{"r": 4, "task_type": "CAUSAL_LM", "init_weights": False, **settings})


def logits(model: Any, **given: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(input_ids=IDS, **given).logits
    return found


def other_than(one: Tensor, other: Tensor) -> bool:
    return not torch.allclose(one, other, atol=1e-5)


def adapter_gradients(model: nn.Module) -> dict[str, Tensor]:
    model.zero_grad(set_to_none=True)
    model(input_ids=IDS, labels=IDS).loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_default_layers_of_a_model_type(base: Maker) -> None:
    found = {name.rpartition(".")[2] for name in adapted_layers(get_peft_model(base(), config()))}
    assert found == ({"q_proj", "v_proj"} if base is llama else {"c_attn"})


def test_the_log_counts_layers_by_part(base: Maker, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "crabplus.ilora"):
        get_peft_model(base(), config())
    assert ("6 in model" if base is llama else "3 in transformer") in caplog.text and "1 in" not in caplog.text


@pytest.mark.parametrize(
    ("targets", "count"),
    [(["q_proj", "down_proj"], 6), (r".*layers\.[01]\.mlp\..*_proj", 6), ("all-linear", 21), ("as-published", 21)],
    ids=str,
)
def test_target_modules_as_list_pattern_all_linear_and_preset(targets: Any, count: int) -> None:
    assert len(adapted_layers(get_peft_model(llama(), config(target_modules=targets)))) == count


def test_preset_language_model_only_needs_one_beside_towers() -> None:
    with pytest.raises(ValueError, match="not found"):
        get_peft_model(llama(), config(target_modules="language-model-only"))


def test_exclude_modules() -> None:
    made = get_peft_model(llama(), config(target_modules=["q_proj", "v_proj"], exclude_modules=r".*layers\.1\..*"))
    assert len(adapted_layers(made)) == 4 and not any(".1." in name for name in adapted_layers(made))


def test_layer_indexing(base: Maker) -> None:
    made = get_peft_model(base(), config(layers_to_transform=[0, 2]))
    numbers = {int(next(part for part in name.split(".") if part.isdigit())) for name in adapted_layers(made)}
    assert numbers == {0, 2}
    assert set(adapter_gradients(made.train())) == {
        name for name, p in made.named_parameters() if p.requires_grad and ".ilora_" in name
    }


def test_save_and_load_one_adapter(base: Maker, tmp_path: Path) -> None:
    made = get_peft_model(base(), config())
    made.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(base(), tmp_path)
    assert torch.equal(logits(loaded), logits(made)) and other_than(logits(made), logits(base()))
    assert "import crabplus.ilora" in (tmp_path / "README.md").read_text()


def test_saved_state_is_complete_and_nothing_else(base: Maker, tmp_path: Path) -> None:
    made = get_peft_model(base(), config())
    made.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    wanted = {name.replace(".default", ""): p for name, p in made.named_parameters() if ".ilora_" in name}
    assert saved.keys() == wanted.keys()
    assert all(torch.equal(saved[name], wanted[name]) for name in wanted)


def test_save_and_load_several_adapters(base: Maker, tmp_path: Path) -> None:
    made = get_peft_model(base(), config())
    made.add_adapter("second", config(num_heads=2, share_a=False))
    answers = {}
    for name in ("default", "second"):
        made.set_adapter(name)
        answers[name] = logits(made)
    made.save_pretrained(tmp_path, selected_adapters=["second"])
    assert not (tmp_path / "adapter_model.safetensors").exists()
    made.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(base(), tmp_path)
    loaded.load_adapter(tmp_path / "second", "second")
    for name, answer in answers.items():
        loaded.set_adapter(name)
        assert torch.equal(logits(loaded), answer)
    assert other_than(*answers.values())
    assert "import crabplus.ilora" in (tmp_path / "second" / "README.md").read_text()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_load_onto_a_half_precision_base(base: Maker, dtype: torch.dtype, tmp_path: Path) -> None:
    made = get_peft_model(base().to(dtype), config())
    made.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(base().to(dtype), tmp_path)
    kept = PeftModel.from_pretrained(base().to(dtype), tmp_path, autocast_adapter_dtype=False)
    assert {p.dtype for n, p in loaded.named_parameters() if ".ilora_" in n} == {torch.float32}
    assert {p.dtype for n, p in kept.named_parameters() if ".ilora_" in n} == {dtype}
    assert logits(loaded).dtype == dtype and torch.equal(logits(loaded), logits(made))
    torch.testing.assert_close(logits(kept), logits(made), rtol=0.1, atol=0.05)


def test_load_by_way_of_the_meta_device(base: Maker, tmp_path: Path) -> None:
    made = get_peft_model(base(), config())
    made.save_pretrained(tmp_path)
    empty = get_peft_model(base(), config(), low_cpu_mem_usage=True)
    assert {p.device.type for n, p in empty.named_parameters() if ".ilora_" in n} == {"meta"}
    loaded = PeftModel.from_pretrained(base(), tmp_path, low_cpu_mem_usage=True)
    assert torch.equal(logits(loaded), logits(made))


def test_missing_weights_are_reported(base: Maker, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    get_peft_model(base(), config()).save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    gone = sorted(saved)[0]
    save_file({name: tensor for name, tensor in saved.items() if name != gone}, tmp_path / "adapter_model.safetensors")
    with pytest.warns(UserWarning, match="missing adapter keys"):
        PeftModel.from_pretrained(base(), tmp_path)


def test_disable(base: Maker) -> None:
    made, plain = get_peft_model(base(), config()), logits(base())
    with made.disable_adapter():
        assert torch.equal(logits(made), plain)
    assert other_than(logits(made), plain)
    with pytest.raises(ZeroDivisionError), made.disable_adapter():
        raise ZeroDivisionError
    assert other_than(logits(made), plain)  # an error inside of the block does not leave it off


@pytest.mark.parametrize("active", [True, False])
def test_delete_an_adapter(base: Maker, active: bool) -> None:
    made = get_peft_model(base(), config())
    first = logits(made)
    made.add_adapter("second", config())
    if active:
        made.set_adapter("second")
    made.delete_adapter("second")
    for layer in (module for module in made.modules() if isinstance(module, ILoraLayer)):
        for name in (*layer.adapter_layer_names, *layer.other_param_names):
            assert "second" not in getattr(layer, name)
    assert made.active_adapters == ["default"] and torch.equal(logits(made), first)
    with pytest.raises(ValueError, match="does not exist"):
        made.delete_adapter("third")


def test_unload(base: Maker) -> None:
    plain = get_peft_model(base(), config()).unload()
    assert torch.equal(logits(plain), logits(base()))
    assert plain.state_dict().keys() == base().state_dict().keys()


def test_merging_is_refused(base: Maker) -> None:
    made = get_peft_model(base(), config())
    before = logits(made)
    with pytest.raises(ValueError, match="for every token"):
        made.merge_and_unload()
    assert torch.equal(logits(made), before)


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing(base: Maker, reentrant: bool) -> None:
    made = get_peft_model(base(), config(lora_dropout=0.3)).train()
    torch.manual_seed(5)
    plain = adapter_gradients(made)
    made.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
    made.enable_input_require_grads()
    torch.manual_seed(5)
    checkpointed = adapter_gradients(made)
    assert plain.keys() == checkpointed.keys() and len(plain) == 3 * len(adapted_layers(made))
    for name, grad in plain.items():
        torch.testing.assert_close(checkpointed[name], grad)


def test_generate(base: Maker) -> None:
    made = get_peft_model(base(), config())
    ids = IDS[:1]
    for _ in range(5):  # without a cache, token by token
        with torch.no_grad():
            ids = torch.cat([ids, made(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    out = made.generate(input_ids=IDS[:1], attention_mask=torch.ones_like(IDS[:1]), max_new_tokens=5, do_sample=False)
    assert torch.equal(out, ids)


def test_modules_to_save(base: Maker, tmp_path: Path) -> None:
    made = get_peft_model(base(), config(modules_to_save=["lm_head"]))
    head = made.get_output_embeddings()
    with torch.no_grad():
        head.modules_to_save["default"].weight.add_(0.1)
    made.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(base(), tmp_path)
    assert torch.equal(logits(loaded), logits(made))
    with made.disable_adapter():
        assert torch.equal(logits(made), logits(base()))


def test_input_dtype_casts(base: Maker) -> None:
    made = get_peft_model(base().to(torch.bfloat16), config())
    wide = logits(made)
    with disable_input_dtype_casting(made):
        narrow = logits(made)
    assert wide.dtype == narrow.dtype == torch.bfloat16 and not torch.equal(narrow, wide)
    assert torch.equal(logits(made), wide)


def test_hot_switching_and_two_adapters_at_once(base: Maker) -> None:
    made = get_peft_model(base(), config())
    made.add_adapter("second", config())
    answers = []
    for name in ("default", "second", "default", "second"):
        made.set_adapter(name)
        answers.append(logits(made))
    assert torch.equal(answers[0], answers[2]) and torch.equal(answers[1], answers[3])
    made.base_model.set_adapter(["default", "second"])
    assert other_than(logits(made), answers[0]) and other_than(logits(made), answers[1])
    layer = next(module for module in made.modules() if isinstance(module, ILoraLayer))
    assert all(p.requires_grad for group in layer.parameter_groups() for p in group.values())


def test_transformers_own_calls(base: Maker, tmp_path: Path) -> None:
    plain, model = logits(base()), base()
    model.add_adapter(config(), "one")
    first = logits(model)
    model.save_pretrained(tmp_path)
    model.add_adapter(config(), "two")
    model.set_adapter("two")
    assert other_than(logits(model), first)
    model.delete_adapter("two")
    model.set_adapter("one")
    assert torch.equal(logits(model), first)
    model.disable_adapters()
    assert torch.equal(logits(model), plain)
    fresh = base()
    fresh.load_adapter(str(tmp_path))
    assert torch.equal(logits(fresh), first)
    fresh.delete_adapter("default")
    assert adapted_layers(fresh) == []


def test_trainer_moves_every_adapter_parameter(base: Maker, tmp_path: Path) -> None:
    made = get_peft_model(base(), config(init_weights=True, lora_dropout=0.1))
    before = {name: p.detach().clone() for name, p in made.named_parameters()}
    data = [{"input_ids": row, "labels": row} for row in IDS]
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=50, learning_rate=3e-3, report_to=[], use_cpu=True, disable_tqdm=True,
        save_strategy="no", logging_steps=50, gradient_checkpointing=True, per_device_train_batch_size=2,
    )  # fmt: skip
    trainer = Trainer(model=made, args=arguments, train_dataset=data)
    trainer.train()
    moved = {name for name, p in made.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {name for name in before if ".ilora_" in name}
    assert trainer.state.log_history[-1]["train_loss"] < 4.5  # log 90


def test_autocast(base: Maker) -> None:
    made = get_peft_model(base(), config()).train()
    exact = adapter_gradients(made)
    with torch.autocast("cpu", torch.bfloat16):
        loss = made(input_ids=IDS, labels=IDS).loss
    made.zero_grad(set_to_none=True)
    loss.backward()
    for name, grad in exact.items():
        found = dict(made.named_parameters())[name].grad
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, grad, rtol=0.3, atol=0.05 * grad.abs().max().item())


def test_an_answer_does_not_depend_on_batch_mates(base: Maker) -> None:
    made = get_peft_model(base(), config())
    with torch.no_grad():
        alone = torch.cat([made(input_ids=row[None]).logits for row in IDS])
    torch.testing.assert_close(logits(made), alone, rtol=1e-5, atol=1e-5)

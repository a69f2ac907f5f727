"""Tunes a text-only language model with I-LoRA, saves the adapter, loads it back, and shows what its router does.

The model is a small Llama made on the spot, which knows nothing: nothing is downloaded. It learns two tasks at once, to
repeat a word and to spell it backwards. On a model of yours, everything below ``# The adapter`` stays as it is:

    model = AutoModelForCausalLM.from_pretrained("...")

Run: python examples/ilora_text.py [--steps N] [--out FOLDER]     (about a minute on two cores)
"""

import argparse
import random
import string
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed

from crabplus.ilora import ILoraConfig, record_routing

LETTERS = string.ascii_lowercase
PAD, REPEAT, REVERSE, ANSWER, END = range(26, 31)
LENGTH = 4


def make_model() -> LlamaForCausalLM:
    set_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=31, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
                    max_position_embeddings=32, pad_token_id=PAD, eos_token_id=END, bos_token_id=None)
    )  # fmt: skip


def example(word: str, task: int) -> dict[str, list[int]]:
    """``<task> w o r d <answer> d r o w <end>``; only the answer carries a loss."""
    letters = [LETTERS.index(letter) for letter in word]
    prompt = [task, *letters, ANSWER]
    answer = [*(letters if task == REPEAT else reversed(letters)), END]
    return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}


def examples(count: int, seed: int) -> list[dict[str, list[int]]]:
    rng = random.Random(seed)
    return [example("".join(rng.choices(LETTERS, k=LENGTH)), rng.choice((REPEAT, REVERSE))) for _ in range(count)]


def share_right(model: torch.nn.Module, rows: list[dict[str, list[int]]]) -> float:
    """Share of examples whose whole answer is generated right."""
    prompts = torch.tensor([row["input_ids"][: LENGTH + 2] for row in rows])
    wanted = torch.tensor([row["input_ids"] for row in rows])
    made = model.generate(prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=LENGTH + 1, do_sample=False)
    return float((made == wanted[:, : made.shape[1]]).all(1).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("out/ilora_text"))
    options = parser.parse_args()
    unseen = examples(200, seed=2)

    # The adapter
    model = get_peft_model(
        make_model(),
        ILoraConfig(r=16, lora_alpha=32, num_heads=3, target_modules="all-linear",
                    modules_to_save=["embed_tokens", "lm_head"], task_type="CAUSAL_LM"),
    )  # fmt: skip
    model.print_trainable_parameters()
    arguments = TrainingArguments(
        output_dir=str(options.out / "checkpoints"), max_steps=options.steps, per_device_train_batch_size=64,
        learning_rate=5e-3, lr_scheduler_type="cosine", warmup_steps=20, logging_steps=50, save_strategy="no",
        report_to=[],
    )  # fmt: skip
    Trainer(model=model, args=arguments, train_dataset=examples(64 * options.steps, seed=1)).train()
    model.eval().save_pretrained(options.out / "adapter")

    loaded = PeftModel.from_pretrained(make_model(), options.out / "adapter").eval()
    print(f"right on unseen words: {share_right(loaded, unseen):.2f}; ", end="")
    with loaded.disable_adapter():
        print(f"without the adapter: {share_right(loaded, unseen):.2f}")

    kinds = {REPEAT: "task: repeat", REVERSE: "task: reverse", ANSWER: "answer"}
    with torch.no_grad(), record_routing(loaded, kinds) as routing:
        loaded(input_ids=torch.tensor([row["input_ids"] for row in unseen]))
    layer = "model.layers.1.mlp.up_proj"
    for kind, weights in routing.by_kind(layer).items():
        print(f"{layer}, {kind:14}", " ".join(f"{weight:.2f}" for weight in weights))


if __name__ == "__main__":
    main()

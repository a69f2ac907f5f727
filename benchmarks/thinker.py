"""Tokens per second and use of the arithmetic: a thinker of 7 B shape with random weights, I-LoRA against PEFT's LoRA.

Both in the same loop, one after the other: rank 128 on all seven projections of the language model, bfloat16,
activations computed again, AdamW on the adapter, logits only for the tokens of the answer. It needs an accelerator with
about 40 GiB; ``--small`` takes a model of two layers, to try the script on a CPU. Results go to
``benchmarks/results/thinker.json``.
Run: python benchmarks/thinker.py [--batch N] [--tokens N] [--rounds N] [--peak TFLOPS] [--small]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import processor
from peft import get_peft_model
from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

from crabplus.ilora import ILoraConfig, baselines
from crabplus.models.head import logits_at

RESULTS = Path(__file__).parent / "results"
TARGETS = 0.2  # share of tokens that are answer


def shape(small: bool) -> Any:
    """The 7 B shape, which is the default of transformers; towers are left small, for they are not timed."""
    config = Qwen2_5OmniThinkerConfig()
    config.vision_config.depth, config.audio_config.encoder_layers = 1, 1
    if small:
        text = config.text_config
        text.num_hidden_layers, text.hidden_size, text.intermediate_size, text.vocab_size = 2, 256, 512, 1024
        text.num_attention_heads, text.num_key_value_heads = 4, 2
        text.rope_scaling = {**(text.rope_scaling or {}), "mrope_section": [8, 12, 12]}
        config.vision_config.out_hidden_size = config.audio_config.output_dim = text.hidden_size
    return config


def adapted(kind: str, config: Any, device: str) -> Any:
    """A random thinker with an adapter, ready to train."""
    torch.manual_seed(0)
    with torch.device(device):
        thinker = Qwen2_5OmniThinkerForConditionalGeneration._from_config(config, dtype=torch.bfloat16)
    settings = ILoraConfig(
        r=128, lora_alpha=256, num_heads=3, lora_dropout=0.1, target_modules="language-model-only", init_weights=False
    )
    model = get_peft_model(thinker, settings if kind == "ilora" else baselines.lora(settings))
    thinker.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def step_of(model: Any, ids: torch.Tensor) -> Callable[[], None]:
    """One step of training on these tokens, the last of which are the answer."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4)
    where = torch.zeros_like(ids, dtype=torch.bool)
    where[:, -int(TARGETS * ids.shape[1]) - 1 : -1] = True
    targets = ids.roll(-1, 1)[where]
    head = model.get_base_model().lm_head

    def step() -> None:
        with logits_at(head, where), torch.autocast(ids.device.type, torch.bfloat16):
            logits = model(input_ids=ids).logits[0]
        torch.nn.functional.cross_entropy(logits.float(), targets).backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def work(model: Any, tokens: int) -> float:
    """Floating point operations of a step, without attention scores: frozen weights count 2 forward, 2 again and 2 for
    the gradient of their input, trained ones 2 more; the head only where there is an answer.
    """  # fmt: skip
    base = model.get_base_model()
    inside = base.model.language_model
    trained = sum(p.numel() for p in inside.parameters() if p.requires_grad)
    frozen = sum(p.numel() for n, p in inside.named_parameters() if not p.requires_grad and "embed_tokens" not in n)
    return tokens * (6 * frozen + 8 * trained + TARGETS * 4 * base.lm_head.weight.numel())


def measure(kind: str, options: Any, device: str) -> dict[str, Any]:
    model = adapted(kind, shape(options.small), device)
    vocabulary = model.get_base_model().config.text_config.vocab_size
    ids = torch.randint(5, min(vocabulary, 1000), (options.batch, options.tokens), device=device)
    step, wait = step_of(model, ids), torch.cuda.synchronize if device == "cuda" else lambda: None
    times = []
    for _ in range(options.rounds + 2):
        wait()
        start = time.perf_counter()
        step()
        wait()
        times.append(time.perf_counter() - start)
    median = statistics.median(times[2:])
    tokens = options.batch * options.tokens
    made = {"seconds": round(median, 4), "tokens_per_s": round(tokens / median, 1),
            "tflops": round(work(model, tokens) / median / 1e12, 2)}  # fmt: skip
    if options.peak:
        made["utilisation"] = round(made["tflops"] / options.peak, 3)
    if device == "cuda":
        made["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        torch.cuda.reset_peak_memory_stats()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("batch", 4), ("tokens", 1024), ("rounds", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--peak", type=float, default=0.0, help="dense bfloat16 TFLOPS of the device (H100 SXM: 989)")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = {kind: measure(kind, options, device) for kind in ("ilora", "lora")}
    facts = {
        "command": "python benchmarks/thinker.py " + " ".join(f"--{k} {v}" for k, v in vars(options).items()),
        "machine": torch.cuda.get_device_name() if device == "cuda" else processor(), "torch": torch.__version__,
        "small": options.small, **rows, "times_of_lora": round(rows["ilora"]["seconds"] / rows["lora"]["seconds"], 3),
    }  # fmt: skip
    print(json.dumps(facts, indent=1))
    if not options.small:
        (RESULTS / "thinker.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""A second small model, of the modular paradigm: SigLIP's vision encoder, Whisper's encoder, MLPs, and a Qwen2.

For the experiment on a second paradigm (runs/transfer). Its language model begins as that of crabplus-tiny, without
M-RoPE; its towers and connectors, new, learn to give what the towers of crabplus-tiny give (``towers``); then language
model and connectors learn from the perception prompts, as the base of crabplus-tiny did (``base``), and at last all of
it does, twice as long (``whole``, ``again``). No task key is among them. The model is checkpoints/tiny-modular then.

Run: python runs/tiny/modular.py parts; python runs/tiny/modular.py towers
     torchrun --nproc-per-node 2 runs/tiny/modular.py base   (then whole, again)
"""

import json
import shutil
import sys
import time
from pathlib import Path

import torch
from base import PHASES, repeat
from live import learn
from shape import FFT, HOP, MEL_BINS, RATE, SIDE, TOKENS_PER_SECOND
from torch import Tensor, nn
from torch.utils.data import DataLoader
from towers import GRID, Clips, Pictures
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from crabplus.models import load_model
from crabplus.models.modular import compose
from crabplus.tasks import load_pack
from crabplus.tidepool.live import LiveSamples
from crabplus.tidepool.perception import PERCEPTION
from crabplus.tidepool.world import SECONDS
from crabplus.train.muon import Muon

OUT = Path(__file__).parent / "checkpoints/modular"
MADE = OUT.parent / "tiny-modular"
LOGS = Path(__file__).parent / "logs"
PACK = Path(__file__).parents[2] / "src/crabplus/assets/tiny/pack.yaml"
SEED, STEPS, RATE_OF_TOWERS = 61, {"vision": 1200, "audio": 600}, 2e-3
BATCH = {"vision": 32, "audio": 24}
BASE_STEPS, BASE_BATCH, BASE_RATE = 800, 24, 2e-3
STAGES = {"base": ("towers", SEED), "whole": ("base/final", SEED + 1), "again": ("whole/final", SEED + 2)}
"""Where each begins, and its seed."""


def parts() -> None:
    """Write the three parts as such models are published, and compose them."""
    torch.manual_seed(SEED)
    tiny = load_model("tiny", (SIDE, SIDE), dtype="float32")
    state = tiny.thinker.state_dict()
    text = tiny.thinker.config.text_config
    config = Qwen2Config(
        vocab_size=text.vocab_size, hidden_size=text.hidden_size, intermediate_size=text.intermediate_size,
        num_hidden_layers=text.num_hidden_layers, num_attention_heads=text.num_attention_heads,
        num_key_value_heads=text.num_key_value_heads, max_position_embeddings=text.max_position_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": text.rope_parameters["rope_theta"]},
        tie_word_embeddings=True, pad_token_id=text.pad_token_id, eos_token_id=text.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    speaker = Qwen2ForCausalLM(config)
    old = "model.language_model."
    mine = {"model." + name.removeprefix(old): value for name, value in state.items() if name.startswith(old)}
    missing, unexpected = speaker.load_state_dict(mine, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    speaker.save_pretrained(OUT / "language")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tiny.processor.tokenizer.backend_tokenizer, pad_token="<|endoftext|>", eos_token="<|im_end|>"
    )
    tokenizer.chat_template = tiny.processor.chat_template
    tokenizer.save_pretrained(OUT / "language")
    SiglipVisionModel(SiglipVisionConfig(
        hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4, image_size=SIDE,
        patch_size=8,
    )).save_pretrained(OUT / "vision")  # fmt: skip
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(OUT / "vision")
    WhisperModel(WhisperConfig(
        num_mel_bins=MEL_BINS, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=256, d_model=128,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=8, vocab_size=8, max_target_positions=8,
        max_source_positions=SECONDS * RATE // HOP // 2, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1,
    )).save_pretrained(OUT / "audio")  # fmt: skip
    WhisperFeatureExtractor(
        feature_size=MEL_BINS, sampling_rate=RATE, hop_length=HOP, n_fft=FFT, chunk_length=SECONDS
    ).save_pretrained(OUT / "audio")
    names = [str(OUT / name) for name in ("vision", "audio", "language")]
    compose(*names, OUT / "parts", grid=GRID, tokens_per_second=TOKENS_PER_SECOND)


def towers() -> None:
    """Teach towers and connectors to give the tokens of crabplus-tiny; the language model is left alone."""
    torch.manual_seed(SEED)
    tiny, new = (load_model(name, (SIDE, SIDE), dtype="float32") for name in ("tiny", OUT / "parts"))

    def seen(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        pictures = list(batch["picture"].permute(0, 3, 1, 2))
        theirs = tiny.processor.image_processor(images=pictures, do_resize=False, return_tensors="pt")
        with torch.no_grad():
            wanted = tiny.thinker.model.visual(theirs["pixel_values"], grid_thw=theirs["image_grid_thw"]).pooler_output
        ours = new.processor.image_processor(images=pictures, return_tensors="pt")["pixel_values"]
        return new.thinker.see(ours).flatten(0, 1), wanted

    def heard(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        waves = list(batch["wave"].numpy())
        theirs = tiny.processor.feature_extractor(waves, sampling_rate=RATE, padding=False, return_tensors="pt")
        features = theirs["input_features"]
        lengths = torch.full((len(features),), features.shape[2])
        tower = tiny.thinker.model.audio_tower
        with torch.no_grad():
            wanted = tower(features.permute(1, 0, 2).flatten(1), feature_lens=lengths).last_hidden_state
        ours = new.processor.feature_extractor(waves, sampling_rate=RATE, return_tensors="pt")["input_features"]
        return new.thinker.hear(ours, torch.ones(len(ours)), torch.full((len(ours),), SECONDS)), wanted

    for kind, data, both in (("audio", Clips(), heard), ("vision", Pictures(), seen)):
        modules = [new.thinker.get_submodule(new.parts[part]) for part in (kind, f"{kind}-projector")]
        _imitate(kind, DataLoader(data, BATCH[kind], num_workers=1, prefetch_factor=4), both, nn.ModuleList(modules))
    new.thinker.save_pretrained(OUT / "towers")
    new.processor.save_pretrained(OUT / "towers")


def _imitate(kind: str, batches: DataLoader, both, learner: nn.Module) -> None:
    """AdamW on the squared error, in shares of the variance of what is wanted; a line of JSON every 25 steps."""
    optimiser = torch.optim.AdamW(learner.parameters(), lr=RATE_OF_TOWERS, weight_decay=0.02, betas=(0.9, 0.98))
    steps = STEPS[kind]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE_OF_TOWERS, total_steps=steps + 1, pct_start=0.08)
    begun, lines = time.time(), []
    learner.train()
    for step, batch in zip(range(1, steps + 1), batches, strict=False):
        got, wanted = both(batch)
        loss = (got - wanted).square().mean() / wanted.var()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 25 == 0:
            facts = {"step": step, "seconds": round(time.time() - begun), "left": round(float(loss.detach()), 4)}
            lines.append(json.dumps(facts))
            print(kind, lines[-1], flush=True)
            (LOGS / f"modular_{kind}.jsonl").write_text("\n".join(lines) + "\n")
    learner.eval()


def short(make):
    """The same questions about scenes of at most ten seconds: Whisper's encoder takes no more."""

    def draw(rng):
        asked = make(rng)
        while asked.scene.seconds > SECONDS:
            asked = make(rng)
        return asked

    return draw


def learn_stage(stage: str) -> None:
    """The perception prompts of the last phase of the base; in stage ``base`` the towers stay as they are."""
    start, seed = STAGES[stage]
    pack = load_pack(PACK)
    model = load_model(OUT / start, pack.size, dtype="float32")
    for part in ("vision", "audio"):
        model.thinker.get_submodule(model.parts[part]).requires_grad_(stage != "base")
    makers = {"repeat": repeat(model.processor.tokenizer)}
    makers |= {name: short(make) for name, make in PERCEPTION.items()}
    samples = LiveSamples(PHASES["e"].mixture, makers, seed, BASE_STEPS * BASE_BATCH)
    made = learn(
        model, samples, pack, OUT / stage, steps=BASE_STEPS, batch=BASE_BATCH, seed=seed, learning_rate=BASE_RATE,
        save_steps=100, optimizer=lambda thinker: Muon(thinker, BASE_RATE), warmup_steps=40,
    )  # fmt: skip
    model.processor.save_pretrained(made)
    shutil.copy(PACK, made / "pack.yaml")
    shutil.copy(OUT / stage / "log.jsonl", LOGS / f"modular_{stage}.jsonl")
    shutil.copytree(made, MADE, dirs_exist_ok=True)


if __name__ == "__main__":
    stage = sys.argv[1]
    learn_stage(stage) if stage in STAGES else {"parts": parts, "towers": towers}[stage]()

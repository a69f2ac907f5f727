"""Stage 2: what stage 3 starts from: the shipped base, with a tokenizer for all keys and the towers of stage 1.

Tokens that the shipped tokenizer has, too, keep what was learned of them. Run: python runs/tiny/create.py OUT
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from shape import FFT, HOP, MEL_BINS, RATE, SIDE, thinker_config
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    WhisperFeatureExtractor,
)

from crabplus.models import load_model
from crabplus.tasks import get_task, load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from crabplus.tidepool.perception import PERCEPTION

SEED = 0
CHECKPOINTS = Path(__file__).parent / "checkpoints"
VOCABULARY = 1024
SPECIAL = {
    "pad_token": "<|endoftext|>", "eos_token": "<|im_end|>", "image_token": "<|IMAGE|>", "video_token": "<|VIDEO|>",
    "audio_token": "<|AUDIO|>", "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>",
}  # fmt: skip
TEMPLATE = """{%- for turn in messages -%}
<|im_start|>{{ turn.role }}
{% if turn.content is string %}{{ turn.content }}{% else %}{% for part in turn.content -%}
{%- if part.type == 'image' %}<|vision_bos|><|IMAGE|><|vision_eos|>
{%- elif part.type == 'video' %}<|vision_bos|><|VIDEO|><|vision_eos|>
{%- elif part.type == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>
{%- else %}{{ part.text }}{% endif %}
{%- endfor %}{% endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}"""


def corpus(pack) -> list[str]:
    """Every wording of the pack with its answers, and the numbers up to 100 so that each is one token."""
    samples = LiveSamples(dict.fromkeys([*KEYS, *PERCEPTION], 1.0), {**KEYS, **PERCEPTION}, SEED, 8000)
    texts = [f"{n} ({n} {n},{n}) ({n}" for n in range(101) for _ in range(60)]
    for index in range(len(samples)):
        sample, _ = samples[index]
        task = get_task(sample.task)
        texts += [task.prompt(sample, pack)[-1].parts[-1].text, task.target(sample, pack)]
    return texts


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE: any text can be written, Tidepool's words take one token each."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", *[v for v in SPECIAL.values() if v != "<|endoftext|>"]]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=alphabet)
    bpe.train_from_iterator(texts, trainer)
    main = {key: SPECIAL[key] for key in ("pad_token", "eos_token")}
    extra = {key: value for key, value in SPECIAL.items() if key not in main}
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, **main, extra_special_tokens={**extra, "im_start_token": "<|im_start|>"}
    )


def make_processor(tokenizer: PreTrainedTokenizerFast) -> Qwen2_5OmniProcessor:
    sizes = dict(patch_size=8, temporal_patch_size=1, merge_size=2)
    pixels = {"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE}
    extractor = WhisperFeatureExtractor(
        feature_size=MEL_BINS, sampling_rate=RATE, hop_length=HOP, n_fft=FFT, chunk_length=300
    )
    return Qwen2_5OmniProcessor(
        image_processor=Qwen2VLImageProcessor(**sizes, size=pixels), feature_extractor=extractor, tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**sizes, size=pixels), chat_template=TEMPLATE,
    )  # fmt: skip


def take_over(thinker, tokenizer, pack) -> int:
    """Bring the weights of the shipped base into a thinker with other tokens; returns how many tokens were known."""
    shipped = load_model("tiny", pack.size, dtype="float32")
    old, known = shipped.processor.tokenizer.get_vocab(), tokenizer.get_vocab()
    state = shipped.thinker.state_dict()
    name = "model.language_model.embed_tokens.weight"
    rows = torch.randn(len(tokenizer), state[name].shape[1]) * state[name].std()
    both = [token for token in known if token in old]
    rows[[known[token] for token in both]] = state[name][[old[token] for token in both]]
    rest = {key: value for key, value in state.items() if key not in (name, "lm_head.weight")}
    missing, unexpected = thinker.load_state_dict({**rest, name: rows}, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    thinker.tie_weights()
    return len(both)


def main(out: Path) -> None:
    torch.manual_seed(SEED)
    pack = load_pack(Path(__file__).parents[2] / "src/crabplus/assets/tiny/pack.yaml")
    tokenizer = make_tokenizer(corpus(pack))
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in {
        "pad_token_id": "<|endoftext|>", "eos_token_id": "<|im_end|>", "audio_token_id": "<|AUDIO|>",
        "image_token_id": "<|IMAGE|>", "video_token_id": "<|VIDEO|>", "audio_start_token_id": "<|audio_bos|>",
        "audio_end_token_id": "<|audio_eos|>", "vision_start_token_id": "<|vision_bos|>",
        "vision_end_token_id": "<|vision_eos|>",
    }.items()}  # fmt: skip
    ids["user_token_id"] = tokenizer.convert_tokens_to_ids("<|im_start|>")
    thinker = Qwen2_5OmniThinkerForConditionalGeneration(thinker_config(len(tokenizer), ids))
    thinker.generation_config = GenerationConfig(
        eos_token_id=[ids["eos_token_id"]], pad_token_id=ids["pad_token_id"], do_sample=False
    )
    kept = take_over(thinker, tokenizer, pack)
    for name in ("vision", "audio"):
        _, unexpected = thinker.load_state_dict(load_file(CHECKPOINTS / f"{name}.safetensors"), strict=False)
        assert not unexpected, unexpected
    print(f"{kept} tokens are known")
    thinker.save_pretrained(out)
    make_processor(tokenizer).save_pretrained(out)
    print(f"{sum(p.numel() for p in thinker.parameters()):,} parameters, {len(tokenizer)} tokens, in {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

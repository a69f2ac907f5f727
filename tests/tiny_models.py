"""Tiny random models of every family, in transformers' own classes, saved as a published one is."""

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    Gemma4AudioFeatureExtractor,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4ImageProcessor,
    Gemma4Processor,
    Gemma4VideoProcessor,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3OmniMoeProcessor,
    Qwen3OmniMoeThinkerConfig,
    Qwen3OmniMoeThinkerForConditionalGeneration,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from crabplus.models import resolve
from crabplus.models.modular import compose

SIDE = 56
SIZE = (SIDE, SIDE)


def qwen2_5_omni(folder: Path) -> Path:
    tokenizer = Qwen2_5OmniProcessor.from_pretrained(resolve("tiny")).tokenizer
    config = Qwen2_5OmniThinkerConfig(
        vision_config=dict(
            depth=2, hidden_size=32, intermediate_size=48, num_heads=2, patch_size=14, spatial_merge_size=2,
            temporal_patch_size=2, window_size=SIDE, fullatt_block_indexes=[0, 1], out_hidden_size=48,
        ),
        audio_config=dict(
            num_mel_bins=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=48, d_model=32, n_window=50,
            max_source_positions=200, output_dim=48,
        ),
        text_config=dict(
            vocab_size=len(tokenizer), hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=3,
            num_key_value_heads=1, max_position_embeddings=2048, tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=1e4, mrope_section=[4, 2, 2]),
        ),
        tie_word_embeddings=False, **_ids(tokenizer),
    )  # fmt: skip
    extractor = WhisperFeatureExtractor(feature_size=32, sampling_rate=16000, hop_length=160)
    thinker = Qwen2_5OmniThinkerForConditionalGeneration(config)
    return _saved(folder, thinker, _qwen_processor(Qwen2_5OmniProcessor, tokenizer, extractor))


def qwen3_omni_moe(folder: Path) -> Path:
    tokenizer = Qwen2_5OmniProcessor.from_pretrained(resolve("tiny")).tokenizer
    config = Qwen3OmniMoeThinkerConfig(
        vision_config=dict(
            depth=3, hidden_size=32, intermediate_size=48, num_heads=2, patch_size=14, spatial_merge_size=2,
            temporal_patch_size=2, out_hidden_size=48, num_position_embeddings=16, deepstack_visual_indexes=[0, 1],
        ),
        audio_config=dict(
            num_mel_bins=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=48, d_model=32, n_window=50,
            max_source_positions=200, output_dim=48, n_window_infer=400, downsample_hidden_size=8,
        ),
        text_config=dict(
            vocab_size=len(tokenizer), hidden_size=48, num_hidden_layers=2, num_attention_heads=3, head_dim=16,
            num_key_value_heads=1, max_position_embeddings=2048, moe_intermediate_size=24, num_experts=4,
            num_experts_per_tok=2, tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=1e4, mrope_section=[4, 2, 2], mrope_interleaved=True),
        ),
        tie_word_embeddings=False, **_ids(tokenizer),
    )  # fmt: skip
    extractor = WhisperFeatureExtractor(feature_size=32, sampling_rate=16000, hop_length=160)
    thinker = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    return _saved(folder, thinker, _qwen_processor(Qwen3OmniMoeProcessor, tokenizer, extractor))


def gemma4(folder: Path) -> Path:
    tokenizer = _gemma_tokenizer()
    config = Gemma4Config(
        vision_config=dict(
            hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
            head_dim=16, pooling_kernel_size=2, patch_size=14, position_embedding_size=64,
        ),
        audio_config=dict(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, subsampling_conv_channels=[32, 8],
            output_proj_dims=32, conv_kernel_size=3,
        ),
        text_config=dict(
            vocab_size=len(tokenizer), hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=3,
            num_key_value_heads=1, head_dim=16, global_head_dim=16, max_position_embeddings=2048,
            layer_types=["sliding_attention", "full_attention"], vocab_size_per_layer_input=len(tokenizer),
            hidden_size_per_layer_input=8, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        ),
        image_token_id=tokenizer.image_token_id, audio_token_id=tokenizer.audio_token_id,
        video_token_id=tokenizer.convert_tokens_to_ids("<|video|>"), boi_token_id=tokenizer.boi_token_id,
        eoi_token_id=tokenizer.eoi_token_id, boa_token_id=tokenizer.boa_token_id,
        eoa_token_index=tokenizer.eoa_token_id,
    )  # fmt: skip
    sizes = dict(patch_size=14, pooling_kernel_size=2, max_soft_tokens=70)
    template = Qwen2_5OmniProcessor.from_pretrained(resolve("tiny")).chat_template
    for sign, kind in (("IMAGE", "image"), ("VIDEO", "video"), ("AUDIO", "audio")):
        bos = "audio" if kind == "audio" else "vision"
        template = template.replace(f"<|{bos}_bos|><|{sign}|><|{bos}_eos|>", f"<|{kind}|>")
    processor = Gemma4Processor(
        feature_extractor=Gemma4AudioFeatureExtractor(feature_size=32), tokenizer=tokenizer, chat_template=template,
        image_processor=Gemma4ImageProcessor(**sizes), video_processor=Gemma4VideoProcessor(**sizes),
    )  # fmt: skip
    return _saved(folder, Gemma4ForConditionalGeneration(config), processor)


def _gemma_tokenizer():
    known = Qwen2_5OmniProcessor.from_pretrained(resolve("tiny")).tokenizer
    signs = {"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>", "audio_token": "<|audio|>",
             "boa_token": "<|audio>", "eoa_token": "<audio|>", "video_sign": "<|video|>"}  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=known.backend_tokenizer, pad_token=known.pad_token, eos_token=known.eos_token,
        extra_special_tokens=signs,
    )  # fmt: skip


def modular(folder: Path, connector: str = "mlp", whisper: bool = True) -> Path:
    """Composed of parts that were saved as published ones are."""
    torch.manual_seed(0)
    parts = folder / "parts"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Qwen2_5OmniProcessor.from_pretrained(resolve("tiny")).tokenizer.backend_tokenizer,
        pad_token="<|endoftext|>", eos_token="<|im_end|>",
    )  # fmt: skip
    tokenizer.save_pretrained(parts / "language")
    LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=3,
        num_key_value_heads=1, max_position_embeddings=2048, initializer_range=0.3,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )).save_pretrained(parts / "language")  # fmt: skip
    seen = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE,
                patch_size=14)  # fmt: skip
    if whisper:
        words = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, vocab_size=64,
                     pad_token_id=0, bos_token_id=1, eos_token_id=2)  # fmt: skip
        SiglipModel(SiglipConfig(text_config=words, vision_config=seen)).save_pretrained(parts / "vision")
        SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(parts / "vision")
        WhisperModel(WhisperConfig(
            num_mel_bins=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=48, d_model=32,
            decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=48, vocab_size=64, max_source_positions=750,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        )).save_pretrained(parts / "audio")  # fmt: skip
        extractor = WhisperFeatureExtractor(feature_size=32, chunk_length=15)
    else:
        CLIPVisionModel(CLIPVisionConfig(**seen)).save_pretrained(parts / "vision")
        CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIDE).save_pretrained(parts / "vision")
        Wav2Vec2Model(Wav2Vec2Config(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, conv_dim=(16, 16),
            conv_stride=(20, 16), conv_kernel=(20, 16), num_feat_extract_layers=2, num_conv_pos_embeddings=4,
            num_conv_pos_embedding_groups=2, vocab_size=32, apply_spec_augment=False,
        )).save_pretrained(parts / "audio")  # fmt: skip
        extractor = Wav2Vec2FeatureExtractor()
    extractor.save_pretrained(parts / "audio")
    names = (str(parts / name) for name in ("vision", "audio", "language"))
    return compose(*names, folder / "made", connector=connector, grid=2, tokens_per_second=3)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen2_5_omni": qwen2_5_omni, "qwen3_omni_moe": qwen3_omni_moe, "gemma4": gemma4, "modular": modular,
    "modular-qformer": lambda folder: modular(folder, "qformer", whisper=False),
}  # fmt: skip


def _ids(tokenizer):
    return {
        "audio_token_id": tokenizer.audio_token_id, "image_token_id": tokenizer.image_token_id,
        "video_token_id": tokenizer.video_token_id, "user_token_id": tokenizer.convert_tokens_to_ids("<|im_start|>"),
        "vision_start_token_id": tokenizer.vision_bos_token_id, "audio_start_token_id": tokenizer.audio_bos_token_id,
        "vision_end_token_id": tokenizer.vision_eos_token_id, "audio_end_token_id": tokenizer.audio_eos_token_id,
    }  # fmt: skip


def _qwen_processor(kind, tokenizer, extractor):
    sizes = dict(patch_size=14, temporal_patch_size=2, merge_size=2)
    pixels = {"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE}
    template = Qwen2_5OmniProcessor.from_pretrained(resolve("tiny")).chat_template
    return kind(
        image_processor=Qwen2VLImageProcessor(**sizes, size=pixels), feature_extractor=extractor, tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**sizes, size=pixels), chat_template=template,
    )  # fmt: skip


def _saved(folder, thinker, processor):
    """Random weights of some size, so that every input changes the output."""
    generator = torch.Generator().manual_seed(0)
    for parameter in thinker.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(0, 0.15, generator=generator)
    tokenizer = processor.tokenizer
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    thinker.generation_config = GenerationConfig(eos_token_id=[end], pad_token_id=tokenizer.pad_token_id)
    thinker.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder

"""The shape of crabplus-tiny: a Qwen2.5-Omni thinker of 3.2 million parameters, in transformers' own classes."""

from transformers import Qwen2_5OmniThinkerConfig

CANVAS = 28  # units of a box coordinate across a picture
SIDE = 112  # pixels of a picture
MEL_BINS, HOP, FFT, RATE = 64, 800, 1600, 16000
TOKENS_PER_SECOND = RATE // HOP // 4  # the audio tower halves its input twice


def thinker_config(vocab_size: int, ids: dict[str, int]) -> Qwen2_5OmniThinkerConfig:
    """Config of the tiny thinker; ``ids`` gives the token ids of the media placeholders."""
    width = 192
    return Qwen2_5OmniThinkerConfig(
        vision_config=dict(
            depth=4, hidden_size=128, intermediate_size=256, num_heads=4, patch_size=8, spatial_merge_size=2,
            temporal_patch_size=1, window_size=SIDE, fullatt_block_indexes=[0, 1, 2, 3], out_hidden_size=width,
        ),
        audio_config=dict(
            num_mel_bins=MEL_BINS, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=256, d_model=128,
            n_window=100, max_source_positions=200, output_dim=width,
        ),
        text_config=dict(
            vocab_size=vocab_size, hidden_size=width, intermediate_size=512, num_hidden_layers=4,
            num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True,
            # A low base: the axes of a picture have only seven cells, and M-RoPE gives them the slow frequencies.
            rope_parameters=dict(rope_type="default", rope_theta=30.0, mrope_section=[4, 6, 6]),
            pad_token_id=ids["pad_token_id"], bos_token_id=None, eos_token_id=ids["eos_token_id"],
        ),
        position_id_per_seconds=TOKENS_PER_SECOND,
        tie_word_embeddings=True,
        **{key: value for key, value in ids.items() if key not in ("pad_token_id", "eos_token_id")},
    )  # fmt: skip

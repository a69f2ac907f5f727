"""Qwen2.5-Omni: the thinker and processor of transformers, for training and for generation."""

from typing import Any

from transformers import Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from crabplus.models.omni import PARTS as SHARED
from crabplus.models.omni import Omni
from crabplus.models.omni_encoder import MEDIA, OmniEncoder
from crabplus.models.stack import Stack

MODEL_TYPES = ("qwen2_5_omni", "qwen2_5_omni_thinker")
PARTS = {**SHARED, "audio-projector": "model.audio_tower.proj"}
UNUSED = ("model.audio_tower.audio_bos_eos_token.weight",)  # the thinker has them and never uses them
PROVEN = "the battery on tiny random weights; the shipped tiny model was trained as one"


class Qwen25OmniEncoder(OmniEncoder):
    """See :class:`OmniEncoder`."""

    PROCESSOR = Qwen2_5OmniProcessor

    def audio_tokens(self, frames: int) -> int:
        """A convolution and a pooling, each with stride 2."""
        return ((frames - 1) // 2 + 1 - 2) // 2 + 1


class Qwen25Omni(Omni, Qwen25OmniEncoder):
    """See :class:`Omni`."""

    THINKER = Qwen2_5OmniThinkerForConditionalGeneration
    ENCODER = Qwen25OmniEncoder
    parts, unused = PARTS, UNUSED


def stacks(config: Any, size: tuple[int, int]) -> tuple[Stack, ...]:
    """The transformers of a thinker with this config, for pictures of ``size`` (width, height) pixels."""
    text, eye, ear = config.text_config, config.vision_config, config.audio_config
    heads, seeing, hearing = text.num_attention_heads, eye.num_heads, ear.encoder_attention_heads
    return (
        Stack("language", ("text", "target", *MEDIA), 1, text.num_hidden_layers, text.hidden_size,
              text.intermediate_size, heads, text.num_key_value_heads, text.hidden_size // heads, True, True),
        Stack("vision", ("image", "video"), eye.spatial_merge_size**2, eye.depth, eye.hidden_size,
              eye.intermediate_size, seeing, seeing, eye.hidden_size // seeing, True, True,
              (size[0] // eye.patch_size) * (size[1] // eye.patch_size)),
        # its last step joins two rows; a chunk of 2 n_window mel frames is n_window rows, which see each other
        Stack("audio", ("audio",), 2, ear.encoder_layers, ear.d_model, ear.encoder_ffn_dim, hearing, hearing,
              ear.d_model // hearing, False, False, ear.n_window),
    )  # fmt: skip


load = Qwen25Omni.load
load_encoder = Qwen25OmniEncoder.load_encoder
skeleton = Qwen25Omni.skeleton
saved_dtype = Qwen25Omni.saved_dtype

"""Qwen3-Omni: the thinker of transformers, whose language model is a mixture of experts.

The adapter goes on the projections of attention. The experts are two three-dimensional parameters a layer, no linear
layers: PEFT's targets do not name them, and an adapter that wants ``gate_proj`` and the like there is refused.
"""

from pathlib import Path
from typing import Any

from transformers import Qwen3OmniMoeProcessor, Qwen3OmniMoeThinkerForConditionalGeneration

from crabplus.models.omni import PARTS as SHARED
from crabplus.models.omni import Omni
from crabplus.models.omni_encoder import MEDIA, OmniEncoder
from crabplus.models.stack import Stack

MODEL_TYPES = ("qwen3_omni_moe", "qwen3_omni_moe_thinker")
PARTS = {**SHARED, "vision-deepstack": "model.visual.merger_list", "audio-projector": "model.audio_tower.proj2"}
UNUSED: tuple[str, ...] = ()
PROVEN = "the battery on tiny random weights"


class Qwen3OmniEncoder(OmniEncoder):
    """See :class:`OmniEncoder`."""

    PROCESSOR = Qwen3OmniMoeProcessor

    def audio_tokens(self, frames: int) -> int:
        """Chunks of two windows of mel frames, each through three convolutions of stride 2 on its own."""
        chunk = 2 * self.processor.n_window
        whole, rest = divmod(frames, chunk)
        return whole * _thrice_halved(chunk) + _thrice_halved(rest)


class Qwen3Omni(Omni, Qwen3OmniEncoder):
    """See :class:`Omni`."""

    THINKER = Qwen3OmniMoeThinkerForConditionalGeneration
    ENCODER = Qwen3OmniEncoder
    parts, unused = PARTS, UNUSED

    def keep_outputs(self, folder: str | Path, limit: int) -> None:
        """Not possible here.

        Raises:
            ValueError: always; says why.
        """
        raise ValueError(
            "outputs of the towers cannot be kept: the language model of Qwen3-Omni also takes what its vision tower "
            "has between its layers (deepstack); leave data.encoded out"
        )


def _thrice_halved(frames: int) -> int:
    for _ in range(3):
        frames = (frames - 1) // 2 + 1
    return frames


def stacks(config: Any, size: tuple[int, int]) -> tuple[Stack, ...]:
    """The transformers of a thinker with this config, for pictures of ``size`` (width, height) pixels.

    Of the experts a token passes through ``num_experts_per_tok``, each as wide as ``moe_intermediate_size``.
    """
    text, eye, ear = config.text_config, config.vision_config, config.audio_config
    heads, seeing, hearing = text.num_attention_heads, eye.num_heads, ear.encoder_attention_heads
    head = getattr(text, "head_dim", None) or text.hidden_size // heads
    return (
        Stack("language", ("text", "target", *MEDIA), 1, text.num_hidden_layers, text.hidden_size,
              text.num_experts_per_tok * text.moe_intermediate_size, heads, text.num_key_value_heads, head, True, True),
        Stack("vision", ("image", "video"), eye.spatial_merge_size**2, eye.depth, eye.hidden_size,
              eye.intermediate_size, seeing, seeing, eye.hidden_size // seeing, False, False,
              (size[0] // eye.patch_size) * (size[1] // eye.patch_size)),
        Stack("audio", ("audio",), 1, ear.encoder_layers, ear.d_model, ear.encoder_ffn_dim, hearing, hearing,
              ear.d_model // hearing, False, False, ear.n_window_infer // 8),
    )  # fmt: skip


load = Qwen3Omni.load
load_encoder = Qwen3OmniEncoder.load_encoder
skeleton = Qwen3Omni.skeleton
saved_dtype = Qwen3Omni.saved_dtype

"""The net of the modular paradigm: a vision encoder, an audio encoder, connectors, and a causal language model.

Each of the three is any of transformers' own: a vision encoder that gives a sequence of patches (SigLIP, CLIP, DINOv2
and their like), an audio encoder that gives a sequence over time (Whisper, wav2vec 2.0, HuBERT, WavLM), a causal LM.

Shapes: N pictures or sounds, T tokens, D width of an encoder, H width of the language model, Q queries.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

CONNECTORS = ("mlp", "qformer")
WINDOW = 8  # steps of an audio encoder that the queries of a Q-Former look at, for each second
TOWERS = ("vision_config", "audio_config", "text_config")


class ModularConfig(PreTrainedConfig):
    """What such a model is made of.

    Args:
        vision_config, audio_config, text_config: of the parts, as transformers has them.
        connector: ``mlp``, over patches and steps that are averaged to the wanted number of tokens, or ``qformer``.
        grid: a picture becomes ``grid`` x ``grid`` tokens; tokens_per_second: a sound so many for each begun second.
        image_token_id, video_token_id, audio_token_id: that stand for pictures, pictures of films, and sounds.
    """

    model_type = "crabplus_modular"
    sub_configs = dict.fromkeys(TOWERS, AutoConfig)

    def __init__(self, vision_config: Any = None, audio_config: Any = None, text_config: Any = None,
                 connector: str = "mlp", grid: int = 8, tokens_per_second: int = 5, image_token_id: int | None = None,
                 video_token_id: int | None = None, audio_token_id: int | None = None,
                 **more: Any) -> None:  # fmt: skip
        if connector not in CONNECTORS:
            raise ValueError(f"connector: one of {', '.join(CONNECTORS)} wanted, got {connector!r}")
        self.vision_config, self.audio_config = _config(vision_config), _config(audio_config)
        self.text_config = _config(text_config)
        self.connector, self.grid, self.tokens_per_second = connector, grid, tokens_per_second
        self.image_token_id, self.video_token_id = image_token_id, video_token_id
        self.audio_token_id = audio_token_id
        super().__init__(**{"tie_word_embeddings": False, **more})


class ModularForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """The model; see :class:`ModularConfig`."""

    config_class = ModularConfig
    base_model_prefix = ""
    supports_gradient_checkpointing = True
    _supports_sdpa = _supports_flash_attn = _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]

    def __init__(self, config: ModularConfig) -> None:
        super().__init__(config)
        self.vision_tower = AutoModel.from_config(config.vision_config)
        self.audio_tower = hearing_part(AutoModel.from_config(config.audio_config))
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        width = config.text_config.hidden_size
        self.vision_projector = _connector(config, config.vision_config.hidden_size, width, config.grid**2)
        self.audio_projector = _connector(config, config.audio_config.hidden_size, width, config.tokens_per_second)
        self.post_init()

    def get_input_embeddings(self) -> Any:
        """Of the language model."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: Any) -> None:
        """Of the language model."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        """Of the language model."""
        return self.language_model.get_output_embeddings()

    def see(self, pixel_values: Tensor) -> Tensor:
        """Tokens (N, grid * grid, H) of pictures (N, 3, height, width)."""
        patches = self.vision_tower(pixel_values.to(self.vision_tower.dtype)).last_hidden_state
        side = math.isqrt(patches.shape[1])
        patches = patches[:, patches.shape[1] - side * side :]  # what stands before is no patch
        if isinstance(self.vision_projector, QFormer):
            return self.vision_projector(patches)
        square = patches.transpose(1, 2).unflatten(2, (side, side))
        pooled = nn.functional.adaptive_avg_pool2d(square, self.config.grid)
        return self.vision_projector(pooled.flatten(2).transpose(1, 2))

    def hear(self, features: Tensor, filled: Tensor, seconds: Tensor) -> Tensor:
        """Tokens (T, H) of sounds, one behind the other.

        Args:
            features: (N, ...) as the audio encoder takes them; filled: (N,) share of each that is sound, the rest being
                padding; seconds: (N,) begun seconds of each.
        """
        features, shares = features.to(self.audio_tower.dtype), filled.tolist()
        if features.dim() == 2:  # raw sound is heard at its own length: padding would change it
            rows = [row[None, : round(share * len(row))] for row, share in zip(features, shares, strict=True)]
            steps = [self.audio_tower(row).last_hidden_state[0] for row in rows]
        else:
            found = self.audio_tower(features).last_hidden_state
            steps = [row[: max(1, round(share * len(row)))] for row, share in zip(found, shares, strict=True)]
        made = []
        for row, length in zip(steps, seconds.tolist(), strict=True):
            heard = row.T[None]
            each = WINDOW if isinstance(self.audio_projector, QFormer) else self.config.tokens_per_second
            pooled = nn.functional.adaptive_avg_pool1d(heard, int(length) * each)[0].T
            made.append(self.audio_projector(pooled.unflatten(0, (int(length), each))).flatten(0, 1))
        return torch.cat(made)

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, position_ids: Tensor | None = None,
        past_key_values: Any = None, inputs_embeds: Tensor | None = None, labels: Tensor | None = None,
        pixel_values: Tensor | None = None, pixel_values_videos: Tensor | None = None,
        input_features: Tensor | None = None, audio_filled: Tensor | None = None, audio_seconds: Tensor | None = None,
        **more: Any,
    ) -> CausalLMOutputWithPast:  # fmt: skip
        """Tokens, with what the encoders make of pictures and sounds at their places, through the language model.

        Raises:
            ValueError: as many places as tokens of the media are wanted.
        """
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        if input_ids is not None:
            if pixel_values is not None:
                inputs_embeds = _place(inputs_embeds, input_ids == self.config.image_token_id, self.see(pixel_values))
            if pixel_values_videos is not None:
                seen = self.see(pixel_values_videos)
                inputs_embeds = _place(inputs_embeds, input_ids == self.config.video_token_id, seen)
            if input_features is not None and audio_filled is not None and audio_seconds is not None:
                heard = self.hear(input_features, audio_filled, audio_seconds)
                inputs_embeds = _place(inputs_embeds, input_ids == self.config.audio_token_id, heard)
        made = self.language_model(
            inputs_embeds=inputs_embeds, attention_mask=attention_mask, position_ids=position_ids,
            past_key_values=past_key_values, **more,
        )  # fmt: skip
        loss = None
        if labels is not None:
            size = self.config.text_config.vocab_size
            loss = self.loss_function(logits=made.logits, labels=labels, vocab_size=size, **more)
        return CausalLMOutputWithPast(loss=loss, logits=made.logits, past_key_values=made.past_key_values,
                                      hidden_states=made.hidden_states, attentions=made.attentions)  # fmt: skip

    def _init_weights(self, module: Any) -> None:
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(0.0, 0.02)
            if module.bias is not None:
                module.bias.data.zero_()
        elif isinstance(module, QFormer):
            module.queries.data.normal_(0.0, 0.02)


class MLP(nn.Module):
    """Two layers, from the width of an encoder to that of the language model."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, out), nn.GELU(), nn.Linear(out, out))

    def forward(self, rows: Tensor) -> Tensor:
        """(..., D) to (..., H)."""
        return self.layers(rows)


class QFormer(nn.Module):
    """Queries that look at what an encoder gives, by BLIP-2's Q-Former."""

    def __init__(self, width: int, out: int, queries: int, layers: int = 2) -> None:
        super().__init__()
        from transformers import Blip2QFormerConfig, Blip2QFormerModel

        heads = max(1, out // 64) if out % 64 == 0 else 1
        self.former = Blip2QFormerModel(Blip2QFormerConfig(
            hidden_size=out, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * out,
            cross_attention_frequency=1, encoder_hidden_size=width, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ))  # fmt: skip
        self.queries = nn.Parameter(torch.zeros(1, queries, out))

    def forward(self, rows: Tensor) -> Tensor:
        """(N, T, D) to (N, Q, H)."""
        asked = self.queries.expand(len(rows), -1, -1)
        return self.former(query_embeds=asked, encoder_hidden_states=rows).last_hidden_state


def hearing_part(model: Any) -> Any:
    """The encoder of a model that has a decoder, too; else the model."""
    return model.get_encoder() if model.config.is_encoder_decoder else model


def _connector(config: ModularConfig, width: int, out: int, queries: int) -> nn.Module:
    return MLP(width, out) if config.connector == "mlp" else QFormer(width, out, queries)


def _config(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    content = dict(given)
    return AutoConfig.for_model(content.pop("model_type"), **content)


def _place(embedded: Tensor, where: Tensor, rows: Tensor) -> Tensor:
    rows = rows.reshape(-1, rows.shape[-1])
    if int(where.sum()) != len(rows):
        raise ValueError(f"{len(rows)} tokens of media for {int(where.sum())} places")
    return embedded.masked_scatter(where[..., None], rows.to(embedded.device, embedded.dtype))


AutoConfig.register(ModularConfig.model_type, ModularConfig)

"""Gemma 4: pictures, sound and text in one decoder.

Chosen among transformers' own models that see and hear for its upkeep: processors for pictures, films and sound are
kept beside it, and it comes in many sizes, of which those with an audio tower hear. A film is shown picture by picture,
each behind its time as ``mm:ss``. The models of this family are called thinkers here, as everywhere.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Gemma4ForConditionalGeneration, Gemma4Processor

from crabplus.models.omni import Omni
from crabplus.models.omni_encoder import MEDIA, Encoded, OmniEncoder, pad_rows, seconds_of
from crabplus.models.source import MediaSource
from crabplus.models.stack import Stack
from crabplus.schema import Message, Part

MODEL_TYPES = ("gemma4",)
PARTS = {
    "language": "model.language_model", "vision": "model.vision_tower", "vision-projector": "model.embed_vision",
    "audio": "model.audio_tower", "audio-projector": "model.embed_audio", "head": "lm_head",
}  # fmt: skip
UNUSED: tuple[str, ...] = ()
PROVEN = "the battery on tiny random weights"
_KINDS = {"image": 1, "video": 2, "audio": 3}  # as transformers numbers them


class Gemma4Encoder(OmniEncoder):
    """See :class:`OmniEncoder`.

    The tensors are ``pixel_values`` (N, P, patch) and ``image_position_ids`` (N, P, 2) of pictures,
    ``pixel_values_videos``, ``video_position_ids`` and ``num_frames_per_video`` (1,) of films.
    """

    PROCESSOR = Gemma4Processor

    def audio_tokens(self, frames: int) -> int:
        """Two convolutions of stride 2."""
        for _ in range(2):
            frames = (frames - 1) // 2 + 1
        return frames

    def count(self, messages: Sequence[Message], target: str | None, unknown: float) -> dict[str, int]:
        """See :class:`OmniEncoder`; what stands around media is text."""
        lengths: dict[str, list[int]] = {kind: [] for kind in MEDIA}
        clocks: Encoded = {"_clock": []}
        for part in (part for message in messages for part in message.parts if part.media is not None):
            for kind in self._kinds(part):
                lengths[kind].append(self._length(kind, part, unknown))
                if kind == "video":
                    clocks["_clock"].append(_clock(part.frames or 1, seconds_of(part.media, unknown)))
        ids = self._expanded(self._text(messages, self._shown), lengths, clocks)
        media = {kind: sum(lengths[kind]) for kind in MEDIA}
        answer = 0 if target is None else len(self._tokens(target)) + 1
        return {**media, "text": len(ids) - sum(media.values()), "target": answer}

    def collate(self, batch: Sequence[Encoded], side: str = "right") -> dict[str, torch.Tensor]:
        """See :class:`OmniEncoder`; with ``mm_token_type_ids`` (B, T)."""
        out = super().collate([{**item, "input_features": []} for item in batch], side)
        for key in ("image_position_ids", "video_position_ids", "num_frames_per_video"):
            if found := [item[key] for item in batch if key in item]:
                out[key] = torch.cat(found)
        if features := [feature for item in batch for feature in item["input_features"]]:
            frames = max(len(feature) for feature in features)
            out["input_features"] = pad_rows(features, frames, 0, "right")
            out["input_features_mask"] = pad_rows(
                [torch.ones(len(feature), dtype=torch.bool) for feature in features], frames, False, "right"
            )
        kinds = torch.zeros_like(out["input_ids"])
        for kind, number in _KINDS.items():
            kinds[out["input_ids"] == self._placeholder(kind)] = number
        out["mm_token_type_ids"] = kinds
        return out

    def read(self, kind: str, part: Part, source: MediaSource) -> Encoded:
        """See :class:`OmniEncoder`."""
        assert part.media, "a part with media"
        if kind == "video":
            pictures, seconds = source.frames(part.media, part.frames or 1, self.size)
            return {**self._see(pictures, kind), "_clock": _clock(len(pictures), seconds)}
        return super().read(kind, part, source)

    def _placeholder(self, kind: str) -> int:
        return int(getattr(self.processor, f"{kind}_token_id"))

    def _side(self) -> int:
        """Pixels of a picture for one token."""
        of = self.processor.image_processor
        return int(of.patch_size * of.pooling_kernel_size)

    def _see(self, pictures: NDArray[np.uint8], kind: str) -> Encoded:
        if self.size[0] % self._side() or self.size[1] % self._side():
            width, height = self.size
            raise ValueError(
                f"pictures of {width} x {height}: this model takes multiples of {self._side()}; set size in the pack"
            )
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
        if kind == "image":
            made = self.processor.image_processor(images=[tensor[0]], do_resize=False, return_tensors="pt")
            return {name: made[name] for name in ("pixel_values", "image_position_ids")}
        made = self.processor.video_processor(videos=[tensor], do_resize=False, do_sample_frames=False,
                                              return_tensors="pt")  # fmt: skip
        shown = {name: made[name] for name in ("pixel_values_videos", "video_position_ids")}
        return {**shown, "num_frames_per_video": torch.tensor([len(pictures)])}

    def _hear(self, wave: NDArray[np.float32], part: Part) -> Encoded:
        extractor = self.processor.feature_extractor
        made = extractor([wave], padding=False, truncation=False, pad_to_multiple_of=None, return_tensors="np")
        feature, mask = made["input_features"][0], made["input_features_mask"][0]
        if mask.sum() < 4:
            path = part.media.path if part.media else "sound"
            seconds = len(wave) / extractor.sampling_rate
            raise ValueError(f"{path}: {seconds:.3f} s of sound are too short for the model")
        return {"input_features": torch.from_numpy(feature[mask])}

    def _places(self, kind: str, made: Encoded) -> int:
        if kind == "audio":
            return self.audio_tokens(len(made["input_features"]))
        positions = made["image_position_ids" if kind == "image" else "video_position_ids"]
        return int((positions[..., 0] >= 0).sum()) // self.processor.image_processor.pooling_kernel_size**2

    def _length(self, kind: str, part: Part, unknown: float) -> int:
        if kind == "audio":
            extractor = self.processor.feature_extractor
            samples = int(seconds_of(part.media, unknown) * extractor.sampling_rate)
            window = extractor.frame_length + 1 - extractor.frame_length // 2
            return self.audio_tokens((samples - window) // extractor.hop_length + 1)
        grids = 1 if kind == "image" else part.frames or 1
        return grids * (self.size[0] // self._side()) * (self.size[1] // self._side())

    def _expanded(self, text: str, lengths: dict[str, list[int]], encoded: Encoded) -> list[int]:
        """Media stand between their own signs, and each picture of a film behind its time."""
        of = self.processor
        for places in lengths["image"]:
            text = text.replace(of.image_token, f"{of.boi_token}{_HELD['image'] * places}{of.eoi_token}", 1)
        for places, clock in zip(lengths["video"], encoded.get("_clock", ()), strict=True):
            each = places // len(clock)
            shown = " ".join(f"{time} {of.boi_token}{_HELD['video'] * each}{of.eoi_token}" for time in clock)
            text = text.replace(of.video_token, shown, 1)
        for places in lengths["audio"]:
            text = text.replace(of.audio_token, f"{of.boa_token}{_HELD['audio'] * places}{of.eoa_token}", 1)
        for kind, sign in _HELD.items():
            text = text.replace(sign, getattr(of, f"{kind}_token"))
        return self._tokens(text)


class Gemma4(Omni, Gemma4Encoder):
    """See :class:`Omni`."""

    THINKER = Gemma4ForConditionalGeneration
    ENCODER = Gemma4Encoder
    parts, unused = PARTS, UNUSED

    @classmethod
    def attentions(cls, wanted: str) -> str | dict[str, str]:
        """The audio tower has none but its own."""
        return {"": wanted, "text_config": wanted, "vision_config": wanted, "audio_config": "eager"}

    def keep_outputs(self, folder: str | Path, limit: int) -> None:
        """Not done yet.

        Raises:
            ValueError: always.
        """
        raise ValueError("outputs of the towers are not kept for Gemma 4; leave data.encoded out")

    def run_every_tower(self) -> None:
        """Make a training batch that lacks pictures, or sound, run that tower on a blank input with weight zero."""

        def blank(module: Any, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
            if module.training:
                pictures = any(kwargs.get(name) is not None for name in ("pixel_values", "pixel_values_videos"))
                for missing, tower, made in (
                    (not pictures, module.vision_tower, _blank_picture),
                    (kwargs.get("input_features") is None, module.audio_tower, _blank_sound),
                ):
                    if missing and tower is not None and any(p.requires_grad for p in tower.parameters()):
                        output.last_hidden_state = output.last_hidden_state + 0.0 * made(module).sum()
            return output

        self.base.model.register_forward_hook(blank, with_kwargs=True)


_HELD = {"image": "\ue000", "video": "\ue001", "audio": "\ue002"}
"""Stand for the signs of media while others are replaced: characters that Unicode leaves to private use."""


def _clock(frames: int, seconds: float) -> list[str]:
    """The times of evenly spaced pictures as ``mm:ss``."""
    middles = [(number + 0.5) * seconds / frames for number in range(frames)]
    return [f"{int(at // 60):02d}:{int(at % 60):02d}" for at in middles]


def _blank_picture(model: Any) -> torch.Tensor:
    """What the smallest picture becomes, all zeros."""
    config, like = model.config.vision_config, next(model.vision_tower.parameters())
    side = config.pooling_kernel_size
    pixels = torch.zeros(1, side * side, 3 * config.patch_size**2, dtype=like.dtype, device=like.device)
    rows = torch.arange(side, device=like.device)
    positions = torch.stack(torch.meshgrid(rows, rows, indexing="xy"), -1).reshape(1, -1, 2)
    return torch.cat(model.get_image_features(pixels, positions, return_dict=True).pooler_output)


def _blank_sound(model: Any) -> torch.Tensor:
    """What the shortest sound becomes, all zeros."""
    # its convolutions take as many mel bins as the first has channels
    like, bins = next(model.audio_tower.parameters()), model.config.audio_config.subsampling_conv_channels[0]
    feature = torch.zeros(1, 8, bins, dtype=like.dtype, device=like.device)
    mask = torch.ones(1, 8, dtype=torch.bool, device=like.device)
    return model.get_audio_features(feature, mask, return_dict=True).pooler_output


def stacks(config: Any, size: tuple[int, int]) -> tuple[Stack, ...]:
    """The transformers of a model with this config, for pictures of ``size`` (width, height) pixels.

    Layers that attend to a window of the text are counted as if they attended to all of it.
    """
    text, eye, ear = config.text_config, config.vision_config, config.audio_config
    found = [Stack("language", ("text", "target", *MEDIA), 1, text.num_hidden_layers, text.hidden_size,
                   text.intermediate_size, text.num_attention_heads, text.num_key_value_heads, text.head_dim, True,
                   True)]  # fmt: skip
    if eye is not None:
        found.append(Stack("vision", ("image", "video"), eye.pooling_kernel_size**2, eye.num_hidden_layers,
                           eye.hidden_size, eye.intermediate_size, eye.num_attention_heads, eye.num_key_value_heads,
                           eye.head_dim, True, True,
                           (size[0] // eye.patch_size) * (size[1] // eye.patch_size)))  # fmt: skip
    if ear is not None:
        heads = ear.num_attention_heads
        found.append(Stack("audio", ("audio",), 1, ear.num_hidden_layers, ear.hidden_size, 4 * ear.hidden_size, heads,
                           heads, ear.hidden_size // heads, False, True,
                           ear.attention_chunk_size + ear.attention_context_left))  # fmt: skip
    return tuple(found)


load = Gemma4.load
load_encoder = Gemma4Encoder.load_encoder
skeleton = Gemma4.skeleton
saved_dtype = Gemma4.saved_dtype

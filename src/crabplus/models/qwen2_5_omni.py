"""Qwen2.5-Omni: the thinker and processor of transformers, for training and for generation.

Shapes: B batch, T tokens, P picture patches, F mel frames, M mel bins.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from crabplus.models.source import MediaSource
from crabplus.schema import Message, Part

MODEL_TYPES = ("qwen2_5_omni", "qwen2_5_omni_thinker")
PARTS = {"language": "model.language_model", "vision": "model.visual", "audio": "model.audio_tower", "head": "lm_head"}
IGNORED = -100  # label of tokens that carry no loss

Encoded = dict[str, Any]


class Qwen25Omni:
    """A loaded thinker with its processor.

    Attributes:
        thinker: the transformers model; processor: its processor; size: pixels (width, height) to which pictures are
            brought; parts: names of the parts and the modules that hold them.
    """

    parts = PARTS

    def __init__(self, thinker: Any, processor: Qwen2_5OmniProcessor, size: tuple[int, int]) -> None:
        self.thinker, self.processor, self.size = thinker, processor, size

    @classmethod
    def load(cls, name_or_path: str | Path, size: tuple[int, int], dtype: str = "auto", device: str = "cpu",
             attention: str = "sdpa") -> "Qwen25Omni":  # fmt: skip
        """Load from a hub name or a folder.

        Args:
            name_or_path: what ``from_pretrained`` takes: a whole Qwen2.5-Omni or a thinker alone.
            size: width and height of pictures in pixels; multiples of patch times merge size.
            dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``; attention: ``sdpa``, ``eager``, ...
        """
        processor = Qwen2_5OmniProcessor.from_pretrained(name_or_path)
        thinker: Any = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
            name_or_path, dtype=dtype, attn_implementation=attention
        )
        processor.position_id_per_seconds = thinker.config.position_id_per_seconds  # it saves only its own default
        return cls(thinker.to(device).eval(), processor, size)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.thinker.parameters()).device

    @cached_property
    def stop_token_ids(self) -> list[int]:
        """Tokens that end an answer: the end of a turn, and the end of text."""
        tokenizer = self.processor.tokenizer
        ids = {tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.eos_token_id}
        return sorted(number for number in ids if number is not None)

    def encode(self, messages: Sequence[Message], source: MediaSource, target: str | None = None) -> Encoded:
        """Tensors of one conversation.

        Args:
            messages: system and user turns; source: where their media come from; target: the answer to learn.

        Returns:
            ``input_ids`` and ``labels`` (T,), and for the media that occur ``pixel_values`` (P, patch),
            ``image_grid_thw`` (1, 3), ``pixel_values_videos``, ``video_grid_thw``, ``video_second_per_grid`` (1,) and a
            list ``input_features`` of (M, F).

        Raises:
            ValueError: text that holds a special token, or a sound too short for the model.
        """
        encoded: Encoded = {"input_features": []}
        lengths: dict[str, list[int]] = {"image": [], "video": [], "audio": []}
        chat: Any = [
            {"role": m.role, "content": [x for p in m.parts for x in self._part(p, source, encoded, lengths)]}
            for m in messages
        ]
        text = self.processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        ids = self._expand(self._tokens(text), lengths)
        labels = [IGNORED] * len(ids)
        if target is not None:
            answer = [
                *self._tokens(self._checked(target)),
                self.processor.tokenizer.convert_tokens_to_ids("<|im_end|>"),
            ]
            ids, labels = ids + answer, labels + answer
        merged = {key: torch.cat(value) if key != "input_features" else value for key, value in encoded.items()}
        return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels), **merged}

    def collate(self, batch: Sequence[Encoded], side: str = "right") -> dict[str, torch.Tensor]:
        """One padded batch; ``side`` is ``right`` for training and ``left`` for generation."""
        pad = self.processor.tokenizer.pad_token_id
        width = max(len(item["input_ids"]) for item in batch)
        out = {
            "input_ids": _pad([item["input_ids"] for item in batch], width, pad, side),
            "labels": _pad([item["labels"] for item in batch], width, IGNORED, side),
            "attention_mask": _pad([torch.ones_like(item["input_ids"]) for item in batch], width, 0, side),
        }
        for key in ("pixel_values", "image_grid_thw", "pixel_values_videos", "video_grid_thw", "video_second_per_grid"):
            if found := [item[key] for item in batch if key in item]:
                out[key] = torch.cat(found)
        if features := [feature for item in batch for feature in item["input_features"]]:
            frames = max(feature.shape[1] for feature in features)
            out["input_features"] = torch.stack([_pad_frames(feature, frames) for feature in features])
            lengths = torch.tensor([feature.shape[1] for feature in features])
            out["feature_attention_mask"] = (torch.arange(frames) < lengths[:, None]).long()
        return out

    def _part(
        self, part: Part, source: MediaSource, encoded: Encoded, lengths: dict[str, list[int]]
    ) -> list[dict[str, Any]]:
        if part.media is None:
            return [{"type": "text", "text": self._checked(part.text or "")}]
        shown = [{"type": part.kind, part.kind: part.media.path}]
        if part.kind == "image":
            self._see(source.image(part.media, self.size)[None], "image", encoded, lengths)
        elif part.kind == "video":
            pictures, seconds = source.frames(part.media, part.frames or 1, self.size)
            grids = self._see(pictures, "video", encoded, lengths)
            encoded.setdefault("video_second_per_grid", []).append(torch.tensor([seconds / grids]))
        if part.kind == "audio" or (part.kind == "video" and part.media.sound == "track"):
            self._hear(source.wave(part.media, self.processor.feature_extractor.sampling_rate), part, encoded, lengths)
            if part.kind == "video":
                shown.append({"type": "audio", "audio": part.media.path})
        return shown

    def _see(self, pictures: NDArray[np.uint8], kind: str, encoded: Encoded, lengths: dict[str, list[int]]) -> int:
        """Add pictures (N, H, W, 3); gives the number of temporal grids."""
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
        if kind == "image":
            made = self.processor.image_processor(images=[tensor[0]], do_resize=False, return_tensors="pt")
            values, grid = "pixel_values", "image_grid_thw"
        else:
            made = self.processor.video_processor(
                videos=[tensor],
                do_resize=False,
                do_sample_frames=False,
                cap_pixels_per_frame=False,
                return_tensors="pt",
            )
            values, grid = "pixel_values_videos", "video_grid_thw"
        encoded.setdefault(values, []).append(made[values])
        encoded.setdefault(grid, []).append(made[grid])
        merge = self.processor.image_processor.merge_size
        lengths[kind].append(int(made[grid].prod()) // merge**2)
        return int(made[grid][0, 0])

    def _hear(self, wave: NDArray[np.float32], part: Part, encoded: Encoded, lengths: dict[str, list[int]]) -> None:
        """Add a sound at its true length: the extractor would pad or cut it to its ``chunk_length``."""
        extractor = self.processor.feature_extractor
        if len(wave) < 4 * extractor.hop_length:
            path = part.media.path if part.media else "sound"
            raise ValueError(
                f"{path}: {len(wave) / extractor.sampling_rate:.3f} s of sound are too short for the model"
            )
        made = extractor(
            wave, sampling_rate=extractor.sampling_rate, padding=False, truncation=False, return_tensors="pt"
        )
        feature = made["input_features"][0]
        encoded["input_features"].append(feature)
        halved = (feature.shape[1] - 1) // 2 + 1
        lengths["audio"].append((halved - 2) // 2 + 1)

    def _expand(self, ids: list[int], lengths: dict[str, list[int]]) -> list[int]:
        """Repeat each media placeholder as often as the media have tokens."""
        tokenizer = self.processor.tokenizer
        waiting = {
            tokenizer.image_token_id: iter(lengths["image"]),
            tokenizer.video_token_id: iter(lengths["video"]),
            tokenizer.audio_token_id: iter(lengths["audio"]),
        }
        out: list[int] = []
        for number in ids:
            out.extend([number] * next(waiting[number]) if number in waiting else [number])
        return out

    def _tokens(self, text: str) -> list[int]:
        return list(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _checked(self, text: str) -> str:
        found = [token for token in self.processor.tokenizer.all_special_tokens if token in text]
        if found:
            raise ValueError(
                f"text holds the special token {found[0]!r}, which would be read as a command: {text!r:.120}"
            )
        return text


def _pad(rows: list[torch.Tensor], width: int, value: int, side: str) -> torch.Tensor:
    out = torch.full((len(rows), width), value, dtype=rows[0].dtype)
    for row, tensor in zip(out, rows, strict=True):
        row[slice(width - len(tensor), None) if side == "left" else slice(0, len(tensor))] = tensor
    return out


def _pad_frames(feature: torch.Tensor, frames: int) -> torch.Tensor:
    return torch.nn.functional.pad(feature, (0, frames - feature.shape[1]))


load = Qwen25Omni.load

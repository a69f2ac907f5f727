"""What the omni models of the Qwen family share without weights: from messages to tensors.

Shapes: B batch, T tokens, P picture patches, F mel frames, M mel bins.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crabplus.models.head import IGNORED
from crabplus.models.source import MediaSource
from crabplus.schema import Message, Part

MEDIA = ("image", "video", "audio")

Encoded = dict[str, Any]


class OmniEncoder(ABC):
    """From messages to tensors: what needs the processor and no weights. It travels by pickle to other processes.

    Attributes:
        PROCESSOR: class of its processor; processor: of transformers.
        size: pixels (width, height) to which pictures are brought.
    """

    PROCESSOR: type[Any]

    def __init__(self, processor: Any, size: tuple[int, int]) -> None:
        self.processor, self.size = processor, size

    @abstractmethod
    def audio_tokens(self, frames: int) -> int:
        """Tokens of a sound of so many mel frames."""

    @classmethod
    def load_encoder(cls, name_or_path: str | Path, size: tuple[int, int]) -> "OmniEncoder":
        """The processor alone.

        Raises:
            ValueError: it cannot be loaded; says which files it takes.
        """
        try:
            return cls(cls.PROCESSOR.from_pretrained(name_or_path), size)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{name_or_path}: its processor cannot be loaded. Beside config.json belong processor_config.json (or "
                "preprocessor_config.json), tokenizer.json, tokenizer_config.json and chat_template.jinja (or .json): "
                f"{str(error).splitlines()[0]}"
            ) from error

    @cached_property
    def stop_token_ids(self) -> list[int]:
        """Tokens that end an answer: the end of a turn, and the end of text."""
        ids = {self.turn_end, self.processor.tokenizer.eos_token_id}
        return sorted(number for number in ids if number is not None)

    @cached_property
    def turn_end(self) -> int:
        """The special token that the chat template puts behind what the assistant says.

        Raises:
            ValueError: it puts none.
        """
        said = "0815"
        turns = [{"role": role, "content": [{"type": "text", "text": said}]} for role in ("user", "assistant")]
        text = str(self.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=False))
        known = self.processor.tokenizer.added_tokens_decoder
        for number in self._tokens(text[text.rindex(said) + len(said) :]):
            if number in known and known[number].special:
                return number
        raise ValueError("the chat template ends what the assistant says with no special token")

    def count(self, messages: Sequence[Message], target: str | None, unknown: float) -> dict[str, int]:
        """Tokens of a prompt with its target, by kind, without reading the media; together the T of :meth:`encode`.

        Args:
            messages, target: as for :meth:`encode`; unknown: seconds of media whose record has no duration.

        Returns:
            Numbers of ``image``, ``video``, ``audio``, ``text`` and ``target`` tokens.
        """
        lengths: dict[str, int] = dict.fromkeys(MEDIA, 0)
        shown = 0
        for part in (part for message in messages for part in message.parts if part.media is not None):
            kinds = self._kinds(part)
            shown += len(kinds)
            for kind in kinds:
                lengths[kind] += self._length(kind, part, unknown)
        text = len(self._tokens(self._text(messages, self._shown))) - shown  # each placeholder is one token so far
        return {**lengths, "text": text, "target": 0 if target is None else len(self._tokens(target)) + 1}

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
        text = self._text(messages, lambda part: self._part(part, source, encoded, lengths))
        ids = self._expanded(text, lengths, encoded)
        labels = [IGNORED] * len(ids)
        if target is not None:
            answer = [*self._tokens(self._checked(target)), self.turn_end]
            ids, labels = ids + answer, labels + answer
        merged = {
            key: value if key == "input_features" else torch.cat(value)
            for key, value in encoded.items()
            if not key.startswith("_")  # that is for the text alone
        }
        return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels), **merged}

    def collate(self, batch: Sequence[Encoded], side: str = "right") -> dict[str, torch.Tensor]:
        """One padded batch; ``side`` is ``right`` for training and ``left`` for generation."""
        pad = self.processor.tokenizer.pad_token_id
        width = max(len(item["input_ids"]) for item in batch)
        out = {
            "input_ids": pad_rows([item["input_ids"] for item in batch], width, pad, side),
            "labels": pad_rows([item["labels"] for item in batch], width, IGNORED, side),
            "attention_mask": pad_rows([torch.ones_like(item["input_ids"]) for item in batch], width, 0, side),
        }
        for key in ("pixel_values", "image_grid_thw", "pixel_values_videos", "video_grid_thw", "video_second_per_grid"):
            if found := [item[key] for item in batch if key in item]:
                out[key] = torch.cat(found)
        if features := [feature for item in batch for feature in item["input_features"]]:
            frames = max(feature.shape[1] for feature in features)
            out["input_features"] = torch.stack([_pad_frames(feature, frames) for feature in features])
            out["feature_attention_mask"] = mask_of(torch.tensor([feature.shape[1] for feature in features]))
        return out

    def _part(
        self, part: Part, source: MediaSource, encoded: Encoded, lengths: dict[str, list[int]]
    ) -> list[dict[str, Any]]:
        """Read the media of a part; gives what is shown of it."""
        for kind in self._kinds(part) if part.media is not None else ():
            made = self.read(kind, part, source)
            lengths[kind].append(self._places(kind, made))
            for name, value in made.items():
                encoded.setdefault(name, []).append(value)
        return self._shown(part)

    def read(self, kind: str, part: Part, source: MediaSource) -> Encoded:
        """Tensors of the ``image``, ``video`` or ``audio`` of a part, named as by :meth:`encode`."""
        assert part.media, "a part with media"
        if kind == "audio":
            return self._hear(source.wave(part.media, self.processor.feature_extractor.sampling_rate), part)
        if kind == "image":
            return self._see(source.image(part.media, self.size)[None], kind)
        pictures, seconds = source.frames(part.media, part.frames or 1, self.size)
        made = self._see(pictures, kind)
        return {**made, "video_second_per_grid": torch.tensor([seconds / int(made["video_grid_thw"][0, 0])])}

    def _places(self, kind: str, made: Encoded) -> int:
        """Tokens that stand for what :meth:`read` gave."""
        if kind == "audio":
            return self.audio_tokens(made["input_features"].shape[1])
        grid = made["image_grid_thw" if kind == "image" else "video_grid_thw"]
        return int(grid.prod()) // self.processor.image_processor.merge_size**2

    def _text(self, messages: Sequence[Message], shown: Callable[[Part], list[dict[str, Any]]]) -> str:
        """The chat as text, with one placeholder for each of the media that ``shown`` gives for a part."""
        chat: Any = [{"role": m.role, "content": [item for part in m.parts for item in shown(part)]} for m in messages]
        return str(self.processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))

    def _kinds(self, part: Part) -> tuple[str, ...]:
        """What the model is shown of a part: a video with a sound track is a video and an audio."""
        with_track = part.kind == "video" and part.media is not None and part.media.sound == "track"
        return ("video", "audio") if with_track else (part.kind,)

    def _shown(self, part: Part) -> list[dict[str, Any]]:
        if part.media is None:
            return [{"type": "text", "text": self._checked(part.text or "")}]
        return [{"type": kind, kind: part.media.path} for kind in self._kinds(part)]

    def _length(self, kind: str, part: Part, unknown: float) -> int:
        """Tokens of one of the media."""
        if kind == "audio":
            extractor = self.processor.feature_extractor
            return self.audio_tokens(
                int(seconds_of(part.media, unknown) * extractor.sampling_rate) // extractor.hop_length
            )
        of = self.processor.image_processor if kind == "image" else self.processor.video_processor
        grids = 1 if kind == "image" else -(-(part.frames or 1) // of.temporal_patch_size)
        side = of.patch_size * of.merge_size
        return grids * (self.size[0] // side) * (self.size[1] // side)

    def _see(self, pictures: NDArray[np.uint8], kind: str) -> Encoded:
        """Patches and grid of pictures (N, H, W, 3)."""
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
        if kind == "image":
            made = self.processor.image_processor(images=[tensor[0]], do_resize=False, return_tensors="pt")
            return {name: made[name] for name in ("pixel_values", "image_grid_thw")}
        made = self.processor.video_processor(
            videos=[tensor], do_resize=False, do_sample_frames=False, cap_pixels_per_frame=False, return_tensors="pt",
        )  # fmt: skip
        return {name: made[name] for name in ("pixel_values_videos", "video_grid_thw")}

    def _hear(self, wave: NDArray[np.float32], part: Part) -> Encoded:
        """Features of a sound at its true length: the extractor would pad or cut it to its ``chunk_length``."""
        extractor = self.processor.feature_extractor
        if len(wave) < 4 * extractor.hop_length:
            path = part.media.path if part.media else "sound"
            raise ValueError(
                f"{path}: {len(wave) / extractor.sampling_rate:.3f} s of sound are too short for the model"
            )
        made = extractor(
            wave, sampling_rate=extractor.sampling_rate, padding=False, truncation=False, return_tensors="pt"
        )
        return {"input_features": made["input_features"][0]}

    def _expanded(self, text: str, lengths: dict[str, list[int]], encoded: Encoded) -> list[int]:
        """Tokens of a chat, in which each media placeholder is repeated as often as the media have tokens."""
        tokenizer, ids = self.processor.tokenizer, self._tokens(text)
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


def pad_rows(rows: list[torch.Tensor], width: int, value: int, side: str) -> torch.Tensor:
    """Rows (T, ...) of different lengths as one tensor (B, width, ...)."""
    out = torch.full((len(rows), width, *rows[0].shape[1:]), value, dtype=rows[0].dtype)
    for row, tensor in zip(out, rows, strict=True):
        row[slice(width - len(tensor), None) if side == "left" else slice(0, len(tensor))] = tensor
    return out


def mask_of(lengths: torch.Tensor) -> torch.Tensor:
    """1 for the frames that each sound has, 0 for those behind them: (S, frames of the longest)."""
    return (torch.arange(int(lengths.max())) < lengths[:, None]).long()


def _pad_frames(feature: torch.Tensor, frames: int) -> torch.Tensor:
    return torch.nn.functional.pad(feature, (0, frames - feature.shape[1]))


def seconds_of(media: Any, unknown: float) -> float:
    """How long a medium is shown; ``unknown`` where its record does not say."""
    end = media.end if media.end is not None else media.duration
    return unknown if end is None else end - (media.start or 0.0)

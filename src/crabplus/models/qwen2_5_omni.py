"""Qwen2.5-Omni: the thinker and processor of transformers, for training and for generation.

Shapes: B batch, T tokens, P picture patches, F mel frames, M mel bins.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    AutoConfig,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from crabplus.models.head import IGNORED
from crabplus.models.source import Files, MediaSource
from crabplus.models.stack import Stack
from crabplus.models.towers import GIVEN, OutputCache, place_outputs, weights_mark
from crabplus.schema import Message, Part

MODEL_TYPES = ("qwen2_5_omni", "qwen2_5_omni_thinker")
PARTS = {
    "language": "model.language_model", "vision": "model.visual", "vision-merger": "model.visual.merger",
    "audio": "model.audio_tower", "audio-projector": "model.audio_tower.proj", "head": "lm_head",
}  # fmt: skip
UNUSED = ("model.audio_tower.audio_bos_eos_token.weight",)  # the thinker has them and never uses them
MEDIA = ("image", "video", "audio")

Encoded = dict[str, Any]


class Qwen25OmniEncoder:
    """From messages to tensors: what needs the processor and no weights. It travels by pickle to other processes.

    Attributes:
        processor: of transformers; size: pixels (width, height) to which pictures are brought.
    """

    def __init__(self, processor: Qwen2_5OmniProcessor, size: tuple[int, int]) -> None:
        self.processor, self.size = processor, size

    @cached_property
    def stop_token_ids(self) -> list[int]:
        """Tokens that end an answer: the end of a turn, and the end of text."""
        tokenizer = self.processor.tokenizer
        ids = {tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.eos_token_id}
        return sorted(number for number in ids if number is not None)

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
            out["feature_attention_mask"] = _mask(torch.tensor([feature.shape[1] for feature in features]))
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
            return _audio_tokens(made["input_features"].shape[1])
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
            return _audio_tokens(int(_seconds(part.media, unknown) * extractor.sampling_rate) // extractor.hop_length)
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


class Qwen25OmniKept(Qwen25OmniEncoder):
    """Gives, in place of patches and mel features, what the towers of ``model`` make of them, each made once.

    A conversation has, in place of ``pixel_values`` and ``input_features``, ``image_outputs``, ``video_outputs`` and
    ``audio_outputs`` (N, D), with the numbers of mel frames in ``audio_frames``. It stays in its process.
    """

    def __init__(self, model: "Qwen25Omni", kept: OutputCache) -> None:
        super().__init__(model.processor, model.size)
        self.model, self.kept = model, kept

    def __reduce__(self) -> Any:
        raise TypeError("outputs of towers are made where the model is: 0 workers wanted")

    def read(self, kind: str, part: Part, source: MediaSource) -> Encoded:
        """See :class:`Qwen25OmniEncoder`; media that lie in no file are not kept."""
        if part.media is None or not isinstance(source, Files):
            return self._run(kind, part, source)
        path, *window = source.place(part.media)
        wanted = (kind, *window, part.frames if kind == "video" else 1, self.size)
        return self.kept.get(path, wanted, lambda: self._run(kind, part, source))

    def collate(self, batch: Sequence[Encoded], side: str = "right") -> dict[str, Any]:
        """See :class:`Qwen25OmniEncoder`; all outputs stand in one entry."""
        out: dict[str, Any] = super().collate(batch, side)
        if frames := [item["audio_frames"] for item in batch if "audio_frames" in item]:
            out["feature_attention_mask"] = _mask(torch.cat(frames))
        named = {kind: [item[f"{kind}_outputs"] for item in batch if f"{kind}_outputs" in item] for kind in MEDIA}
        outputs = {kind: torch.cat(found) for kind, found in named.items() if found}
        return {**out, GIVEN: outputs} if outputs else out

    def _places(self, kind: str, made: Encoded) -> int:
        return len(made[f"{kind}_outputs"])

    def _run(self, kind: str, part: Part, source: MediaSource) -> Encoded:
        made = super().read(kind, part, source)
        outputs = {f"{kind}_outputs": self.model.run_tower(kind, made)}
        if kind == "audio":
            return {**outputs, "audio_frames": torch.tensor([made["input_features"].shape[1]])}
        return {**outputs, **{name: value for name, value in made.items() if not name.startswith("pixel_values")}}


class Qwen25Omni(Qwen25OmniEncoder):
    """A loaded thinker with its processor.

    Attributes:
        thinker: the transformers model, perhaps with an adapter around it; parts: names of the parts and the modules
            that hold them.
    """

    parts, unused = PARTS, UNUSED

    def __init__(self, thinker: Any, processor: Qwen2_5OmniProcessor, size: tuple[int, int]) -> None:
        super().__init__(processor, size)
        self.thinker = thinker
        self.kept: OutputCache | None = None

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

    @property
    def encoder(self) -> Qwen25OmniEncoder:
        """The part that makes tensors: without the weights, unless outputs of the towers are kept."""
        return Qwen25OmniKept(self, self.kept) if self.kept else Qwen25OmniEncoder(self.processor, self.size)

    @property
    def base(self) -> Any:
        """The thinker itself, without what is wrapped around it."""
        return self.thinker.get_base_model() if hasattr(self.thinker, "get_base_model") else self.thinker

    @property
    def head(self) -> Any:
        """The layer that makes logits."""
        return self.base.get_submodule(PARTS["head"])

    @property
    def token_kinds(self) -> dict[int, str]:
        """Tokens that stand for media, and their kinds; all others are text."""
        tokenizer = self.processor.tokenizer
        return {getattr(tokenizer, f"{kind}_token_id"): kind for kind in MEDIA}

    def collate(self, batch: Sequence[Encoded], side: str = "right") -> dict[str, Any]:
        """See :class:`Qwen25OmniEncoder`."""
        return self.encoder.collate(batch, side) if self.kept else super().collate(batch, side)

    def keep_outputs(self, folder: str | Path, limit: int) -> None:
        """From now on keep what the towers make of files, in a folder of at most ``limit`` bytes, and run on that.

        The towers are frozen, and run without gradient and autocast, as in evaluation, each file alone. An adapter has
        to be there before.

        Raises:
            ValueError: a tower has an adapter, with which it does not stay as it is.
        """
        config = self.base.config
        towers = {part: self.base.get_submodule(PARTS[part]) for part in ("vision", "audio")}
        for part, tower in towers.items():
            if any(hasattr(module, "base_layer") for module in tower.modules()):
                raise ValueError(f"outputs of the {part} tower cannot be kept: it has an adapter, which may change")
            tower.requires_grad_(False)
        steps = (self.processor.image_processor, self.processor.video_processor, self.processor.feature_extractor)
        settings = [step.to_dict() for step in steps], [tower.config.to_dict() for tower in towers.values()]
        if self.kept is None:
            self.base.model.register_forward_pre_hook(place_outputs, with_kwargs=True)
        self.kept = OutputCache(folder, limit, weights_mark(towers, settings, config._attn_implementation))

    @torch.no_grad()
    def run_tower(self, kind: str, made: Encoded) -> torch.Tensor:
        """What a tower makes of one picture, film or sound.

        Args:
            kind: ``image``, ``video`` or ``audio``; made: what :meth:`read` gave of it.

        Returns:
            (N, D) on the CPU: a row for each of its tokens.
        """
        model = self.base.model
        tower = model.audio_tower if kind == "audio" else model.visual
        training = tower.training
        tower.eval()
        if kind == "audio":
            feature = made["input_features"][None].to(self.device)
            mask = torch.ones(1, feature.shape[2], dtype=torch.long, device=self.device)
            rows = model.get_audio_features(feature, mask, return_dict=True).last_hidden_state
        elif kind == "image":
            pixels, grid = (made[name].to(self.device) for name in ("pixel_values", "image_grid_thw"))
            rows = torch.cat(model.get_image_features(pixels, grid, return_dict=True).pooler_output)
        else:
            pixels, grid = (made[name].to(self.device) for name in ("pixel_values_videos", "video_grid_thw"))
            rows = torch.cat(model.get_video_features(pixels, grid, return_dict=True).pooler_output)
        tower.train(training)
        return rows.cpu()

    def run_every_tower(self) -> None:
        """Make a training batch that lacks pictures, or sound, run that tower on a blank input with weight zero.

        Only towers of which something is trained. So all processes exchange the same gradients, whatever they hold.
        """

        def blank(module: Any, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
            if module.training:
                pictures = any(kwargs.get(name) is not None for name in ("pixel_values", "pixel_values_videos"))
                if not pictures and _trained(module.visual):
                    output.last_hidden_state = output.last_hidden_state + 0.0 * _blank_picture(module.visual).sum()
                if kwargs.get("input_features") is None and _trained(module.audio_tower):
                    output.last_hidden_state = output.last_hidden_state + 0.0 * _blank_sound(module).sum()
            return output

        self.base.model.register_forward_hook(blank, with_kwargs=True)


def _trained(tower: Any) -> bool:
    return any(parameter.requires_grad for parameter in tower.parameters())


def _blank_picture(tower: Any) -> torch.Tensor:
    """What the vision tower makes of the smallest picture, all zeros."""
    config, like = tower.config, next(tower.parameters())
    side = config.spatial_merge_size
    width = config.in_channels * config.temporal_patch_size * config.patch_size**2
    pixels = torch.zeros(side * side, width, dtype=tower.dtype, device=like.device)
    return tower(pixels, grid_thw=torch.tensor([[1, side, side]], device=like.device)).pooler_output


def _blank_sound(model: Any) -> torch.Tensor:
    """What the audio tower makes of the shortest sound, all zeros."""
    tower = model.audio_tower
    like = next(tower.parameters())
    feature = torch.zeros(1, tower.config.num_mel_bins, 8, dtype=tower.dtype, device=like.device)
    mask = torch.ones(1, 8, dtype=torch.long, device=like.device)
    return model.get_audio_features(feature, mask, return_dict=True).last_hidden_state


def _pad(rows: list[torch.Tensor], width: int, value: int, side: str) -> torch.Tensor:
    out = torch.full((len(rows), width), value, dtype=rows[0].dtype)
    for row, tensor in zip(out, rows, strict=True):
        row[slice(width - len(tensor), None) if side == "left" else slice(0, len(tensor))] = tensor
    return out


def _mask(lengths: torch.Tensor) -> torch.Tensor:
    """1 for the frames that each sound has, 0 for those behind them: (S, frames of the longest)."""
    return (torch.arange(int(lengths.max())) < lengths[:, None]).long()


def _pad_frames(feature: torch.Tensor, frames: int) -> torch.Tensor:
    return torch.nn.functional.pad(feature, (0, frames - feature.shape[1]))


def _audio_tokens(frames: int) -> int:
    """Tokens of a sound of so many mel frames: a convolution and a pooling, each with stride 2."""
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


def _seconds(media: Any, unknown: float) -> float:
    end = media.end if media.end is not None else media.duration
    return unknown if end is None else end - (media.start or 0.0)


def load_encoder(name_or_path: str | Path, size: tuple[int, int]) -> Qwen25OmniEncoder:
    """The processor alone.

    Raises:
        ValueError: it cannot be loaded; says which files it takes.
    """
    try:
        return Qwen25OmniEncoder(Qwen2_5OmniProcessor.from_pretrained(name_or_path), size)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{name_or_path}: its processor cannot be loaded. Beside config.json belong processor_config.json (or "
            "preprocessor_config.json), tokenizer.json, tokenizer_config.json and chat_template.jinja (or .json): "
            f"{str(error).splitlines()[0]}"
        ) from error


def skeleton(name_or_path: str | Path) -> Any:
    """The thinker without weights, on the ``meta`` device: for counting and for trying where an adapter fits."""
    config = AutoConfig.from_pretrained(name_or_path)
    with torch.device("meta"):
        return Qwen2_5OmniThinkerForConditionalGeneration(getattr(config, "thinker_config", config))


def saved_dtype(name_or_path: str | Path) -> torch.dtype | None:
    """The dtype that ``auto`` loads, as config.json has it; None: it names none."""
    found = Qwen2_5OmniThinkerConfig.from_pretrained(name_or_path).dtype
    return getattr(torch, found) if isinstance(found, str) else found


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

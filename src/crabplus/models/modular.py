"""The modular paradigm of VideoLLaMA2 and Crab: encoders of one's choice, connectors, and a language model.

:func:`compose` puts pretrained parts together into one folder, which then is a model like any other. Its connectors are
new; the stage that aligns them trains nothing else: ``adapter: {kind: none}``, ``trained: [vision-projector,
audio-projector]``.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoModel, AutoModelForCausalLM, AutoTokenizer

from crabplus.models.modular_net import ModularConfig, ModularForConditionalGeneration, hearing_part
from crabplus.models.omni import Omni
from crabplus.models.omni_encoder import Encoded, OmniEncoder, seconds_of
from crabplus.models.source import MediaSource
from crabplus.models.stack import Stack
from crabplus.schema import Part

MODEL_TYPES = (ModularConfig.model_type,)
PARTS = {
    "language": "language_model", "vision": "vision_tower", "vision-projector": "vision_projector",
    "audio": "audio_tower", "audio-projector": "audio_projector", "head": "language_model.lm_head",
}  # fmt: skip
UNUSED: tuple[str, ...] = ()
PROVEN = (
    "the battery on tiny random weights: SigLIP, Whisper, Llama with an MLP; CLIP, wav2vec 2.0, Llama with a Q-Former"
)
SIGNS = {"image": "<|picture|>", "video": "<|film|>", "audio": "<|sound|>"}
"""Tokens that stand for media, added to the tokenizer of the language model."""
SETTINGS = "modular.json"
PLAIN = (
    "{% for turn in messages %}{{ turn.role + ': ' + turn.content }}{% if turn.role == 'assistant' %}{{ eos_token }}"
    "{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
"""Chat template for a language model that has none."""


class ModularProcessor:
    """Image processor, feature extractor and tokenizer side by side, and how many tokens media have.

    Attributes:
        grid, tokens_per_second: see :class:`ModularConfig`.
    """

    def __init__(self, image_processor: Any, feature_extractor: Any, tokenizer: Any, grid: int,
                 tokens_per_second: int) -> None:  # fmt: skip
        self.image_processor, self.feature_extractor, self.tokenizer = image_processor, feature_extractor, tokenizer
        self.grid, self.tokens_per_second = grid, tokens_per_second
        for kind, sign in SIGNS.items():
            setattr(tokenizer, f"{kind}_token_id", tokenizer.convert_tokens_to_ids(sign))

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "ModularProcessor":
        """Read what :meth:`save_pretrained` wrote."""
        folder = Path(path)
        if not (folder / SETTINGS).is_file():
            raise OSError(f"no {SETTINGS} in there, which crabplus compose writes")
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        return cls(
            AutoImageProcessor.from_pretrained(folder / "vision"),
            AutoFeatureExtractor.from_pretrained(folder / "audio"), AutoTokenizer.from_pretrained(folder), **settings,
        )  # fmt: skip

    def save_pretrained(self, path: str | Path) -> None:
        """Write all three, and the numbers of tokens."""
        folder = Path(path)
        self.image_processor.save_pretrained(folder / "vision")
        self.feature_extractor.save_pretrained(folder / "audio")
        self.tokenizer.save_pretrained(folder)
        settings = {"grid": self.grid, "tokens_per_second": self.tokens_per_second}
        (folder / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    def apply_chat_template(self, turns: Sequence[dict[str, Any]], **more: Any) -> Any:
        """As processors do; templates of language models take texts, so signs stand for media."""
        texts = [{**turn, "content": "".join(map(_said, turn["content"]))} for turn in turns]
        return self.tokenizer.apply_chat_template(texts, **more)


def _said(part: dict[str, Any]) -> str:
    return str(part["text"]) if part["type"] == "text" else SIGNS[part["type"]]


class ModularEncoder(OmniEncoder):
    """See :class:`OmniEncoder`.

    The tensors are ``pixel_values`` and ``pixel_values_videos`` (N, 3, height, width), ``input_features``, and of each
    sound the share that is no padding and its begun seconds.
    """

    PROCESSOR = ModularProcessor

    def audio_tokens(self, frames: int) -> int:
        """Tokens of a sound of so many begun seconds."""
        return frames * int(self.processor.tokens_per_second)

    def collate(self, batch: Sequence[Encoded], side: str = "right") -> dict[str, torch.Tensor]:
        """See :class:`OmniEncoder`."""
        out = super().collate([{**item, "input_features": []} for item in batch], side)
        if features := [feature for item in batch for feature in item["input_features"]]:
            longest = max(feature.shape[-1] for feature in features)
            padded = [torch.nn.functional.pad(feature, (0, longest - feature.shape[-1])) for feature in features]
            own = torch.tensor([feature.shape[-1] / longest for feature in features])
            out["input_features"] = torch.stack(padded)
            out["audio_filled"] = torch.cat([item["audio_filled"] for item in batch if "audio_filled" in item]) * own
            out["audio_seconds"] = torch.cat([item["audio_seconds"] for item in batch if "audio_seconds" in item])
        return out

    def read(self, kind: str, part: Part, source: MediaSource) -> Encoded:
        """See :class:`OmniEncoder`."""
        assert part.media, "a part with media"
        if kind == "video":
            return self._see(source.frames(part.media, part.frames or 1, self.size)[0], kind)
        return super().read(kind, part, source)

    def _see(self, pictures: NDArray[np.uint8], kind: str) -> Encoded:
        made = self.processor.image_processor(images=list(pictures), return_tensors="pt")["pixel_values"]
        return {"pixel_values" if kind == "image" else "pixel_values_videos": made}

    def _hear(self, wave: NDArray[np.float32], part: Part) -> Encoded:
        extractor, path = self.processor.feature_extractor, part.media.path if part.media else "sound"
        rate = extractor.sampling_rate
        if len(wave) < rate // 10:
            raise ValueError(f"{path}: {len(wave) / rate:.3f} s of sound are too short for the model")
        longest = getattr(extractor, "chunk_length", None)
        if longest and len(wave) > longest * rate:
            raise ValueError(f"{path}: {len(wave) / rate:.1f} s of sound, and its audio encoder takes {longest} s")
        made = extractor(wave, sampling_rate=rate, return_tensors="pt")
        name = next(name for name in ("input_features", "input_values") if name in made)
        filled = len(wave) / (longest * rate) if longest else 1.0
        return {"input_features": made[name][0], "audio_filled": torch.tensor([filled]),
                "audio_seconds": torch.tensor([math.ceil(len(wave) / rate)])}  # fmt: skip

    def _places(self, kind: str, made: Encoded) -> int:
        if kind == "audio":
            return self.audio_tokens(int(made["audio_seconds"][0]))
        return self.processor.grid**2 * len(made["pixel_values" if kind == "image" else "pixel_values_videos"])

    def _length(self, kind: str, part: Part, unknown: float) -> int:
        if kind == "audio":
            return self.audio_tokens(math.ceil(seconds_of(part.media, unknown)))
        return self.processor.grid**2 * (1 if kind == "image" else part.frames or 1)


class Modular(Omni, ModularEncoder):
    """See :class:`Omni`."""

    THINKER = ModularForConditionalGeneration
    ENCODER = ModularEncoder
    parts, unused = PARTS, UNUSED

    def keep_outputs(self, folder: str | Path, limit: int) -> None:
        """Not done yet.

        Raises:
            ValueError: always.
        """
        raise ValueError("outputs of the towers are not kept for modular models; leave data.encoded out")

    def run_every_tower(self) -> None:
        """Make a training batch that lacks pictures, or sound, run that tower and its connector on a blank input."""
        picture = self._see(np.zeros((1, self.size[1], self.size[0], 3), np.uint8), "image")["pixel_values"]
        silence = np.zeros(self.processor.feature_extractor.sampling_rate, np.float32)
        sound = self._hear(silence, Part(kind="text", text="silence"))

        def blank(module: Any, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
            if module.training and output.loss is not None:
                if all(kwargs.get(name) is None for name in ("pixel_values", "pixel_values_videos")):
                    output.loss = output.loss + 0.0 * module.see(picture.to(module.device)).sum()
                if kwargs.get("input_features") is None:
                    heard = (sound["input_features"][None], sound["audio_filled"], sound["audio_seconds"])
                    output.loss = output.loss + 0.0 * module.hear(*(one.to(module.device) for one in heard)).sum()
            return output

        self.base.register_forward_hook(blank, with_kwargs=True)


def compose(vision: str, audio: str, language: str, out: str | Path, connector: str = "mlp", grid: int = 8,
            tokens_per_second: int = 5) -> Path:  # fmt: skip
    """Put pretrained parts together; the connectors are new.

    Args:
        vision, audio, language: hub names or folders; of a model that sees and reads, the part that sees is taken, of
            one that encodes and decodes the part that encodes. The rest: see :class:`ModularConfig`.

    Returns:
        The folder, which :func:`crabplus.models.load_model` takes.

    Raises:
        ValueError: a part cannot be had, or is none of its kind; names it. Nothing is written then.
    """
    see = _part("vision", vision, "image processor", AutoImageProcessor)
    hear = _part("audio", audio, "feature extractor", AutoFeatureExtractor)
    tokenizer = _part("language", language, "tokenizer", AutoTokenizer)
    eye = _part("vision", vision, "vision encoder", AutoModel)
    eye = getattr(eye, "vision_model", eye)
    ear = _part("audio", audio, "audio encoder", AutoModel)
    speaker = _part("language", language, "causal language model", AutoModelForCausalLM)
    _check_senses("vision", vision, eye, ("pixel_values",))
    _check_senses("audio", audio, ear, ("input_features", "input_values"))
    if not tokenizer.encode("a", add_special_tokens=False):
        raise ValueError(f"language: {language} holds no tokenizer that knows a letter; save one beside the model")
    tokenizer.add_special_tokens({"additional_special_tokens": list(SIGNS.values())})
    tokenizer.chat_template = tokenizer.chat_template or PLAIN
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    if len(tokenizer) > len(speaker.get_input_embeddings().weight):  # type: ignore[arg-type]
        speaker.resize_token_embeddings(len(tokenizer))
    ids = {f"{kind}_token_id": tokenizer.convert_tokens_to_ids(sign) for kind, sign in SIGNS.items()}
    config = ModularConfig(
        eye.config, ear.config, speaker.config, connector, grid, tokens_per_second, **ids  # type: ignore[arg-type]
    )  # fmt: skip
    made = ModularForConditionalGeneration(config)
    for name, part in (("vision_tower", eye), ("audio_tower", hearing_part(ear)), ("language_model", speaker)):
        getattr(made, name).load_state_dict(part.state_dict())
    made.generation_config = speaker.generation_config
    made.save_pretrained(out)
    processor = ModularProcessor(see, hear, tokenizer, grid, tokens_per_second)
    processor.save_pretrained(out)
    return Path(out)


def _part(option: str, name: str, what: str, kind: Any) -> Any:
    """A part of a model, or an error that names the option that was meant."""
    try:
        return kind.from_pretrained(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        missing = "" if Path(name).exists() else "no such folder here; "
        why = " ".join(str(error).split())[:200]  # transformers goes on to list all classes that it has
        raise ValueError(f"{option}: no {what} can be had from {name}: {missing}{why}") from error


def _check_senses(option: str, name: str, part: Any, taken: Sequence[str]) -> None:
    """Raise unless an encoder takes what its sense gives."""
    if part.main_input_name not in taken:
        raise ValueError(
            f"{option}: {name} is a {type(part).__name__}, which takes {part.main_input_name}: no {option} encoder"
        )


def stacks(config: Any, size: tuple[int, int]) -> tuple[Stack, ...]:
    """The transformers of a model with this config; encoders are counted by the names that most of them share."""
    text, eye, ear = config.text_config, config.vision_config, config.audio_config
    side = getattr(eye, "image_size", size[0]) // getattr(eye, "patch_size", 16)
    heads = text.num_attention_heads
    steps = 50 // config.tokens_per_second  # of Whisper and of wav2vec 2.0 in a second
    return (
        Stack("language", ("text", "target", "image", "video", "audio"), 1, text.num_hidden_layers, text.hidden_size,
              text.intermediate_size, heads, getattr(text, "num_key_value_heads", heads), text.hidden_size // heads,
              True, True),
        _tower("vision", ("image", "video"), eye, max(1, side * side // config.grid**2), side * side),
        _tower("audio", ("audio",), ear, max(1, steps), None),
    )  # fmt: skip


def _tower(part: str, reads: tuple[str, ...], config: Any, shown: int, span: int | None) -> Stack:
    width = config.hidden_size
    inner = getattr(config, "encoder_ffn_dim", None) or config.intermediate_size
    heads = getattr(config, "encoder_attention_heads", None) or config.num_attention_heads
    layers = getattr(config, "encoder_layers", None) or config.num_hidden_layers
    return Stack(part, reads, shown, layers, width, inner, heads, heads, width // heads, False, False, span)


load = Modular.load
load_encoder = ModularEncoder.load_encoder
skeleton = Modular.skeleton
saved_dtype = Modular.saved_dtype

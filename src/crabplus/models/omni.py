"""What the omni models of the Qwen family share: a loaded thinker with its processor and towers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from crabplus.models.omni_encoder import MEDIA, Encoded, OmniEncoder, mask_of
from crabplus.models.source import Files, MediaSource
from crabplus.models.towers import GIVEN, OutputCache, place_outputs, weights_mark
from crabplus.schema import Part

PARTS = {
    "language": "model.language_model", "vision": "model.visual", "vision-merger": "model.visual.merger",
    "audio": "model.audio_tower", "head": "lm_head",
}  # fmt: skip


class Kept(OmniEncoder):
    """Gives, in place of patches and mel features, what the towers of ``model`` make of them, each made once.

    A conversation has, in place of ``pixel_values`` and ``input_features``, ``image_outputs``, ``video_outputs`` and
    ``audio_outputs`` (N, D), with the numbers of mel frames in ``audio_frames``. It stays in its process.
    """

    def __init__(self, model: "Omni", kept: OutputCache) -> None:
        super().__init__(model.processor, model.size)
        self.model, self.kept = model, kept

    def audio_tokens(self, frames: int) -> int:
        """See :class:`OmniEncoder`."""
        return self.model.audio_tokens(frames)

    def __reduce__(self) -> Any:
        raise TypeError("outputs of towers are made where the model is: 0 workers wanted")

    def read(self, kind: str, part: Part, source: MediaSource) -> Encoded:
        """See :class:`OmniEncoder`; media that lie in no file are not kept."""
        if part.media is None or not isinstance(source, Files):
            return self._run(kind, part, source)
        path, *window = source.place(part.media)
        wanted = (kind, *window, part.frames if kind == "video" else 1, self.size)
        return self.kept.get(path, wanted, lambda: self._run(kind, part, source))

    def collate(self, batch: Sequence[Encoded], side: str = "right") -> dict[str, Any]:
        """See :class:`OmniEncoder`; all outputs stand in one entry."""
        out: dict[str, Any] = super().collate(batch, side)
        if frames := [item["audio_frames"] for item in batch if "audio_frames" in item]:
            out["feature_attention_mask"] = mask_of(torch.cat(frames))
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


class Omni(OmniEncoder):
    """A loaded thinker with its processor.

    Attributes:
        THINKER: class of its thinker; ENCODER: of what it is without weights.
        parts: names of the parts and the modules that hold them; unused: parameters that no gradient ever reaches.
        thinker: the transformers model, perhaps with an adapter around it.
    """

    THINKER: type[Any]
    ENCODER: type[OmniEncoder]
    parts: dict[str, str]
    unused: tuple[str, ...] = ()

    def __init__(self, thinker: Any, processor: Any, size: tuple[int, int]) -> None:
        super().__init__(processor, size)
        self.thinker = thinker
        self.kept: OutputCache | None = None

    @classmethod
    def load(cls, name_or_path: str | Path, size: tuple[int, int], dtype: str = "auto", device: str = "cpu",
             attention: str = "sdpa") -> "Omni":  # fmt: skip
        """Load from a hub name or a folder.

        Args:
            name_or_path: what ``from_pretrained`` takes: a whole model or a thinker alone.
            size: width and height of pictures in pixels; multiples of patch times merge size.
            dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``; attention: ``sdpa``, ``eager``, ...
        """
        processor = cls.PROCESSOR.from_pretrained(name_or_path)
        thinker = cls.THINKER.from_pretrained(name_or_path, dtype=dtype, attn_implementation=cls.attentions(attention))
        if (rate := getattr(thinker.config, "position_id_per_seconds", None)) is not None:
            processor.position_id_per_seconds = rate  # it saves only its own default
        return cls(thinker.to(device).eval(), processor, size)

    @classmethod
    def attentions(cls, wanted: str) -> str | dict[str, str]:
        """The implementation of attention for the model, or for each of its parts."""
        return wanted

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.thinker.parameters()).device

    @property
    def encoder(self) -> OmniEncoder:
        """The part that makes tensors: without the weights, unless outputs of the towers are kept."""
        return Kept(self, self.kept) if self.kept else self.ENCODER(self.processor, self.size)

    @property
    def base(self) -> Any:
        """The thinker itself, without what is wrapped around it."""
        return self.thinker.get_base_model() if hasattr(self.thinker, "get_base_model") else self.thinker

    @property
    def head(self) -> Any:
        """The layer that makes logits."""
        return self.base.get_submodule(self.parts["head"])

    @property
    def token_kinds(self) -> dict[int, str]:
        """Tokens that stand for media, and their kinds; all others are text."""
        tokenizer = self.processor.tokenizer
        return {getattr(tokenizer, f"{kind}_token_id"): kind for kind in MEDIA}

    @classmethod
    def skeleton(cls, name_or_path: str | Path) -> Any:
        """The thinker without weights, on the ``meta`` device: for counting and for trying where an adapter fits."""
        config = cls.THINKER.config_class.from_pretrained(name_or_path)
        with torch.device("meta"):
            return cls.THINKER(config)

    @classmethod
    def saved_dtype(cls, name_or_path: str | Path) -> torch.dtype | None:
        """The dtype that ``auto`` loads, as config.json has it; None: it names none."""
        found = cls.THINKER.config_class.from_pretrained(name_or_path).dtype
        return getattr(torch, found) if isinstance(found, str) else found

    def collate(self, batch: Sequence[Encoded], side: str = "right") -> dict[str, Any]:
        """See :class:`OmniEncoder`."""
        return self.encoder.collate(batch, side) if self.kept else super().collate(batch, side)

    def keep_outputs(self, folder: str | Path, limit: int) -> None:
        """From now on keep what the towers make of files, in a folder of at most ``limit`` bytes, and run on that.

        The towers are frozen, and run without gradient and autocast, as in evaluation, each file alone. An adapter has
        to be there before.

        Raises:
            ValueError: a tower has an adapter, with which it does not stay as it is.
        """
        config = self.base.config
        towers = {part: self.base.get_submodule(self.parts[part]) for part in ("vision", "audio")}
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
                    output.last_hidden_state = output.last_hidden_state + 0.0 * _blank_picture(module.visual)
                if kwargs.get("input_features") is None and _trained(module.audio_tower):
                    output.last_hidden_state = output.last_hidden_state + 0.0 * _blank_sound(module)
            return output

        self.base.model.register_forward_hook(blank, with_kwargs=True)


def _trained(tower: Any) -> bool:
    return any(parameter.requires_grad for parameter in tower.parameters())


def _blank_picture(tower: Any) -> torch.Tensor:
    """All that the vision tower makes of the smallest picture, all zeros, as one sum."""
    config, like = tower.config, next(tower.parameters())
    side = config.spatial_merge_size
    width = config.in_channels * config.temporal_patch_size * config.patch_size**2
    pixels = torch.zeros(side * side, width, dtype=tower.dtype, device=like.device)
    made = tower(pixels, grid_thw=torch.tensor([[1, side, side]], device=like.device))
    return sum((rows.sum() for rows in getattr(made, "deepstack_features", ())), made.pooler_output.sum())


def _blank_sound(model: Any) -> torch.Tensor:
    """What the audio tower makes of the shortest sound, all zeros, as one sum."""
    tower = model.audio_tower
    like = next(tower.parameters())
    feature = torch.zeros(1, tower.config.num_mel_bins, 8, dtype=tower.dtype, device=like.device)
    mask = torch.ones(1, 8, dtype=torch.long, device=like.device)
    return model.get_audio_features(feature, mask, return_dict=True).last_hidden_state.sum()

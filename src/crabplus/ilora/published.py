"""Reads the published weights (GeWu-Lab/Crab_Plus, ``finetune_weights.bin``).

Its keys are ``base_model.model.<thinker path>.<module>.{lora_route,lora_A,lora_B0,lora_B1,...}.weight``, with module
paths of an older transformers: ``audio_tower.``, ``visual.`` and ``model.`` have since moved under ``model.``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from crabplus.ilora.config import ILoraConfig
from crabplus.ilora.layer import ILoraLayer
from crabplus.ilora.model import bare_model
from crabplus.ilora.presets import AS_PUBLISHED, LANGUAGE_MODEL_ONLY

_KEY = re.compile(r"base_model\.model\.(?P<path>.+)\.lora_(?P<part>route|A|B(?P<head>\d+))\.weight")
_MOVED = {"audio_tower.": "model.audio_tower.", "visual.": "model.visual.", "model.": "model.language_model."}
_SETTLED = tuple(_MOVED.values())
_NUMBERED = re.compile(r"(.+?)\.(\d+)\.(.+)")
_SHOWN = 20
_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64"}


class PublishedWeightsError(ValueError):
    """Published weights that do not fit.

    Attributes:
        missing, unexpected, misshapen: every key that is wrong; the message names the first ones of each.
    """

    def __init__(self, message: str, **wrong: list[str]) -> None:
        super().__init__(message)
        self.missing, self.unexpected, self.misshapen = (
            wrong.get(kind, []) for kind in ("missing", "unexpected", "misshapen")
        )


def load_published(model: nn.Module, path: str | PathLike[str], adapter_name: str = "default") -> None:
    """Copy published weights into the I-LoRA adapter of a model; nothing is copied unless every key fits.

    Args:
        model: a thinker with an I-LoRA adapter, wrapped by PEFT or not.
        path: the ``finetune_weights.bin``, read with ``weights_only=True``.
        adapter_name: the adapter to fill.

    Raises:
        PublishedWeightsError: keys that are missing, unexpected or of another shape.
    """
    state = _read(path)
    root = bare_model(model)
    slots = {
        key: slot
        for name, module in root.named_modules()
        if isinstance(module, ILoraLayer) and adapter_name in module.ilora_A
        for key, slot in _slots(name, module, adapter_name).items()
    }
    if not slots:
        raise PublishedWeightsError(
            f"the model has no I-LoRA adapter named {adapter_name!r}; give it one of the published shape first: "
            'ILoraConfig(r=128, lora_alpha=256, num_heads=3, target_modules="as-published")'
        )
    _check(state, slots, Path(path))
    with torch.no_grad():
        for key, slot in slots.items():
            slot.copy_(state[key])


def convert_published(path: str | PathLike[str], out_folder: str | PathLike[str], **config: Any) -> ILoraConfig:
    """Turn published weights into a PEFT adapter folder (``adapter_config.json`` and safetensors, in the same dtype).

    Rank and number of heads are read from the shapes, alpha and dropout from an ``adapter_config.json`` beside the
    weights; ``config`` goes to :class:`ILoraConfig` and overrides them. The weights (1.74 GB for 7 B) are mapped, not
    read, and written layer by layer.

    Raises:
        PublishedWeightsError: a key that is not understood, heads that are missing, or no alpha to be found.
    """
    state = _read(path)
    tensors = {f"base_model.model.{key}": parts for key, parts in _join(state).items()}
    settings = {**_settings(state, Path(path)), **config}
    if "lora_alpha" not in settings:
        raise PublishedWeightsError(f"{path}: no adapter_config.json beside it; pass lora_alpha (published: 256)")
    adapter = ILoraConfig(**settings)
    adapter.inference_mode = True
    folder = Path(out_folder)
    adapter.save_pretrained(folder)
    _write(folder / "adapter_model.safetensors", tensors)
    return adapter


def _read(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The published tensors by ``<module path of today>.<part>`` with part ``route``, ``A``, ``B0``, ``B1``, ..."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, EOFError, UnpicklingError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise PublishedWeightsError(f"{path}: not a whole file of tensors as torch.save writes it: {error}") from error
    tensors = isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())
    if not tensors or not state:
        raise PublishedWeightsError(f"{path}: holds no dictionary of tensors")
    strange = [str(key) for key in state if not _KEY.fullmatch(str(key))]
    if strange:
        raise PublishedWeightsError(f"{path}: not the keys of published weights: {_first(strange)}")
    if odd := [key for key, tensor in state.items() if tensor.dtype not in _DTYPES]:
        raise PublishedWeightsError(f"{path}: not floating point: {_first(odd)}")
    return {_renamed(key): tensor for key, tensor in state.items()}


def _renamed(key: str) -> str:
    match = _KEY.fullmatch(key)
    assert match is not None
    path = match["path"]
    if not path.startswith(_SETTLED):
        old = next((old for old in _MOVED if path.startswith(old)), "")
        path = _MOVED.get(old, "") + path.removeprefix(old)
    return f"{path}.{match['part']}"


def _slots(name: str, layer: ILoraLayer, adapter_name: str) -> dict[str, Tensor]:
    """Where each published tensor of one layer belongs: a view of the parameter, of the same shape."""
    heads = layer.ilora_B[adapter_name].data.split(layer.r[adapter_name], dim=1)
    slots = {f"{name}.B{i}": head for i, head in enumerate(heads)}
    slots[f"{name}.A"] = layer.ilora_A[adapter_name].data
    slots[f"{name}.route"] = layer.ilora_router[adapter_name].data
    return slots


def _check(state: Mapping[str, Tensor], slots: Mapping[str, Tensor], path: Path) -> None:
    both = state.keys() & slots.keys()
    misshapen = [
        f"{key} (published {tuple(state[key].shape)}, model {tuple(slots[key].shape)})"
        for key in sorted(both)
        if state[key].shape != slots[key].shape
    ]
    wrong = {
        "missing": sorted(slots.keys() - state.keys()),
        "unexpected": sorted(state.keys() - slots.keys()),
        "misshapen": misshapen,
    }
    problems = [f"{len(keys)} {kind}: {_first(keys)}" for kind, keys in wrong.items() if keys]
    if problems:
        raise PublishedWeightsError(f"{path}: does not fit the adapter of the model; " + "; ".join(problems), **wrong)


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")


def _join(state: Mapping[str, Tensor]) -> dict[str, list[Tensor]]:
    """``<path>.ilora_A``, ``.ilora_B`` and ``.ilora_router`` of each layer, each as tensors to stand side by side."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        path, _, part = key.rpartition(".")
        layers.setdefault(path, {})[part] = tensor
    _check_layers(list(layers))
    joined: dict[str, list[Tensor]] = {}
    sizes: dict[tuple[int, int], str] = {}
    for path, parts in layers.items():
        heads = len(parts) - 2
        missing = [name for name in ("A", "route", *(f"B{i}" for i in range(heads))) if name not in parts]
        if missing or heads < 1:
            raise PublishedWeightsError(
                f"{path}: its parts do not make a layer: {sorted(parts)}",
                missing=[f"{path}.{name}" for name in missing],
            )
        rank, inside = parts["A"].shape
        fitting = {"A": (rank, inside), "route": (heads, inside)}
        outside = parts["B0"].shape[0]
        wrong = [
            f"{path}.{name} (published {tuple(part.shape)}, wanted {fitting.get(name, (outside, rank))})"
            for name, part in parts.items()
            if part.shape != fitting.get(name, (outside, rank))
        ]
        if wrong:
            raise PublishedWeightsError(f"misshapen: {_first(wrong)}", misshapen=wrong)
        sizes.setdefault((rank, heads), path)
        joined[f"{path}.ilora_A"] = [parts["A"]]
        joined[f"{path}.ilora_B"] = [parts[f"B{i}"] for i in range(heads)]
        joined[f"{path}.ilora_router"] = [parts["route"]]
    if len(sizes) > 1:
        listed = [f"{path} has rank {rank} and {heads} heads" for (rank, heads), path in sizes.items()]
        raise PublishedWeightsError(f"layers of several sizes: {_first(listed)}", misshapen=list(sizes.values()))
    return joined


def _check_layers(paths: list[str]) -> None:
    """A stack has each of its modules in all of its layers: else one that is left out would go unseen."""
    stacks: dict[str, set[int]] = {}
    modules: dict[tuple[str, str], set[int]] = {}
    for path in paths:
        if numbered := _NUMBERED.fullmatch(path):
            stack, number, module = numbered.groups()
            stacks.setdefault(stack, set()).add(int(number))
            modules.setdefault((stack, module), set()).add(int(number))
    missing = [
        f"{stack}.{number}.{module}"
        for (stack, module), found in modules.items()
        for number in sorted(set(range(max(stacks[stack]) + 1)) - found)
    ]
    if missing:
        raise PublishedWeightsError(f"{len(missing)} missing: {_first(missing)}", missing=missing)


def _write(path: Path, tensors: Mapping[str, Sequence[Tensor]]) -> None:
    """A safetensors file, tensor by tensor: the library writes only what is in memory all at once.

    Format: length of the header (8 bytes, little endian), header as JSON, then the bytes of the tensors in its order.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, parts in tensors.items():
        shape, start = [parts[0].shape[0], sum(part.shape[1] for part in parts)], end
        end += shape[0] * shape[1] * parts[0].element_size()
        header[name] = {"dtype": _DTYPES[parts[0].dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for parts in tensors.values():
            file.write(torch.cat(list(parts), dim=1).view(torch.uint8).numpy().data)


def _settings(state: Mapping[str, Tensor], path: Path) -> dict[str, Any]:
    shapes = {key.rpartition(".")[2]: tensor.shape for key, tensor in state.items()}
    towers = any(key.startswith(("model.audio_tower.", "model.visual.")) for key in state)
    settings: dict[str, Any] = {
        "r": shapes["A"][0],
        "num_heads": shapes["route"][0],
        "target_modules": AS_PUBLISHED if towers else LANGUAGE_MODEL_ONLY,
    }
    beside = path.with_name("adapter_config.json")
    if beside.exists():
        published = json.loads(beside.read_text(encoding="utf-8"))
        settings |= {key: published[key] for key in ("lora_alpha", "lora_dropout") if key in published}
    return settings

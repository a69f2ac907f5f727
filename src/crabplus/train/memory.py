"""The memory of training, by formula: weights, gradients, optimiser, and what is kept for the backward pass.

The count follows the code that runs: transformers' thinker with sdpa, PEFT's layers and :mod:`crabplus.ilora.fused`, in
the manner of Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models" (arXiv 2205.05198,
section 4.1): every operation keeps what its gradient needs, and a tensor that several of them need counts once. Not
counted: what the accelerator's own context takes (half a GiB and more), fragments, and what lives within one operation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from crabplus.ilora.layer import ILoraLayer
from crabplus.models.stack import Stack
from crabplus.train.adapters import part_of
from crabplus.train.muon import is_matrix

FLOAT32 = 4  # bytes

OPTIMISERS: dict[str, tuple[float, float | None]] = {
    "adamw_torch": (2, None), "adamw_torch_fused": (2, None), "adagrad": (1, None), "rmsprop": (1, None),
    "sgd": (0, None), "paged_adamw_32bit": (2, 4), "lion_32bit": (1, 4), "paged_lion_32bit": (1, 4),
    "adamw_bnb_8bit": (2, 1), "adamw_8bit": (2, 1), "paged_adamw_8bit": (2, 1), "adamw_torch_8bit": (2, 1),
    "adamw_torch_4bit": (2, 0.5), "lion_8bit": (1, 1), "paged_lion_8bit": (1, 1), "rmsprop_bnb_8bit": (1, 1),
}  # fmt: skip
"""Numbers that each keeps of a trained parameter, and their bytes; None: those of the parameter's own dtype."""
_SMALL, _BLOCK = 4096, 256  # bitsandbytes: smaller tensors stay in float32, and a float32 scale for so many numbers


@dataclass(frozen=True)
class Pass:
    """A micro-batch, and how it goes through the model.

    Attributes:
        tokens: of each kind, of all samples together; longest: tokens of the longest; padded: whether others are padded
            to it; targets: tokens that carry loss; vocabulary: how many logits each of them has.
        stream: bytes of a number of the residual stream; value: of what linear layers give (autocast's dtype).
        every: of so many layers one is made anew in the backward pass; 0: none; offload: its input waits elsewhere.
        eager: attention that keeps its T x T weights.
    """

    samples: int
    longest: int
    tokens: Mapping[str, int]
    vocabulary: int
    stream: int
    value: int
    every: int = 0
    offload: bool = False
    eager: bool = False

    @property
    def padded(self) -> bool:
        """Whether samples are padded."""
        return self.samples > 1

    def rows(self, stack: Stack) -> int:
        """Rows that pass through a stack; only the language model works on padding."""
        if stack.span is None:
            return self.samples * self.longest
        return stack.rows * sum(self.tokens[kind] for kind in stack.reads)


def weights(thinker: nn.Module) -> int:
    """Bytes of all parameters and buffers, those of the adapter among them."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*thinker.parameters(), *thinker.buffers()))


def gradients(thinker: nn.Module) -> int:
    """Bytes of the gradients: as many as the trained parameters have."""
    return sum(parameter.numel() * parameter.element_size() for parameter in _trained(thinker))


def optimiser(thinker: nn.Module, name: str) -> int:
    """Bytes that an optimiser of transformers' ``optim`` keeps; one that is unknown counts as AdamW.

    From torch.optim (AdamW: two moments like the parameter, and a float32 count of steps), from bitsandbytes, and for
    Adafactor from Shazeer and Stern (arXiv 1804.04235, section 3): of a matrix one number for each row and column.
    """
    if name == "muon":
        return sum(
            _of_muon(name, parameter) for name, parameter in thinker.named_parameters() if parameter.requires_grad
        )
    if name == "adafactor":
        return sum(_factored(parameter) for parameter in _trained(thinker))
    numbers, size = OPTIMISERS.get(name, OPTIMISERS["adamw_torch"])
    count = 0.0
    for parameter in _trained(thinker):
        small = size is not None and size < FLOAT32 and parameter.numel() < _SMALL
        width = FLOAT32 if small else size or parameter.element_size()
        scales = 0 if small or size is None or size == FLOAT32 else FLOAT32 / _BLOCK
        count += numbers * parameter.numel() * (width + scales) + (FLOAT32 if size is None and numbers else 0)
    return round(count)


def _of_muon(name: str, parameter: nn.Parameter) -> int:
    """Bytes of one moment of a matrix, or of two and a count of steps."""
    size = parameter.numel() * parameter.element_size()
    return size if is_matrix(name, parameter) else 2 * size + FLOAT32


def activations(thinker: nn.Module, parts: Mapping[str, str], stacks: Sequence[Stack], given: Pass) -> dict[str, int]:
    """Bytes that are kept for the backward pass of a micro-batch, by part of the model.

    Returns:
        Bytes of each stack that a gradient reaches; of ``logits``, the target tokens' in float32, twice (logarithms of
        probabilities, and their gradient); and with activation checkpointing of the layer ``made anew``.
    """
    adapted, whole = _adapted(thinker, parts), _whole(thinker, parts)
    copies = _copies(thinker, parts) if given.value < given.stream else {}
    kept, anew = {}, 0
    for stack in stacks:
        learns = stack.part in adapted or stack.part in whole
        # what the language model reads comes from the towers, so a gradient for them passes through all of it; with
        # activation checkpointing transformers lets the inputs of the towers, too, have gradients
        if not (learns or given.every or (stack.span is None and (adapted or whole))):
            continue
        rows = given.rows(stack)
        layer = rows * _base(stack, given, learns, stack.part in whole) + copies.get(stack.part, 0) // stack.layers
        layer += rows * sum(_adapter(module, given) for module in adapted.get(stack.part, ())) // stack.layers
        light = -(-stack.layers // given.every) if given.every else 0
        entrance = 0 if given.offload else rows * stack.width * given.stream
        kept[stack.part] = (light + bool(light)) * entrance + (stack.layers - light) * layer  # the answer waits too
        anew = max(anew, layer if light and rows else 0)
    made = {**kept, "logits": 2 * given.tokens["target"] * given.vocabulary * FLOAT32}
    return {**made, "made anew": anew} if given.every else made


def _base(stack: Stack, given: Pass, learns: bool, whole: bool) -> int:
    """Bytes that one layer keeps of a row, without its adapters.

    Linear layers that are frozen keep nothing of what they read. Where something ``learns``, the answers of both norms
    and of the feed-forward layer inside are counted once for all that reads them; ``whole``: the layer itself does.
    """
    value, inside = given.value, stack.heads * stack.head
    autocast = value != given.stream
    norms = 2 * stack.width * (FLOAT32 if stack.upcast or autocast else given.stream)
    read = learns * 2 * stack.width * value + (2 * stack.width * given.stream if whole and stack.upcast else 0)
    # a mask keeps sdpa from sharing keys and values among heads, so that they are repeated (sdpa_attention.py), and
    # stands beside each layer's in the dtype of the values (torch turns it from bool)
    masked = stack.span is None and given.padded
    keys = stack.heads if masked else stack.key_heads
    attention = (2 * inside + 2 * keys * stack.head) * value + FLOAT32 * stack.heads
    attention += given.longest * value if masked else 0
    if given.eager:
        reach = given.longest if stack.span is None else stack.span
        attention += stack.heads * reach * (FLOAT32 + (value if value != FLOAT32 else 0))
    inner = 3 + learns if stack.gated else 1 + whole  # gate, its activation, up, and the product of the two
    return norms + read + attention + inner * stack.inner * value


def _adapter(module: BaseTunerLayer, given: Pass) -> int:
    """Bytes that an adapter keeps of a row, beside what it reads."""
    if isinstance(module, ILoraLayer):
        (name, a), *_ = module.ilora_A.items()
        width = given.value if given.value != given.stream else a.element_size()
        mask = module.in_features if module.ilora_dropout[name] else 0
        return mask + a.shape[0] * width + module.num_heads[name] * FLOAT32
    assert isinstance(module, LoraLayer)
    (name, down), *_ = module.lora_A.items()
    width = given.value if given.value != given.stream else down.weight.element_size()
    dropped = isinstance(module.lora_dropout[name], nn.Dropout)
    own = dropped or width != given.value  # an x of its own: dropped, or in another dtype
    return module.in_features * (own * width + dropped) + down.weight.shape[0] * width


def _trained(thinker: nn.Module) -> Iterator[Tensor]:
    return (parameter for parameter in thinker.parameters() if parameter.requires_grad)


def _factored(parameter: Tensor) -> int:
    """Bytes of Adafactor's second moment, and of the mean square of the parameter that transformers' keeps with it."""
    if parameter.dim() < 2:
        return FLOAT32 * (parameter.numel() + 1)
    return FLOAT32 * (parameter[..., 0].numel() + parameter[..., 0, :].numel() + 1)


def _adapted(thinker: nn.Module, parts: Mapping[str, str]) -> dict[str, list[BaseTunerLayer]]:
    """Adapted layers by part."""
    made: dict[str, list[BaseTunerLayer]] = {}
    for name, module in thinker.named_modules():
        if isinstance(module, BaseTunerLayer):
            made.setdefault(part_of(name, parts), []).append(module)
    return made


def _whole(thinker: nn.Module, parts: Mapping[str, str]) -> set[str]:
    """Parts of which something is trained that is no adapter."""
    layers = [module for module in thinker.modules() if isinstance(module, BaseTunerLayer)]
    groups = [getattr(layer, name) for layer in layers for name in layer.adapter_layer_names]
    of_adapters = {id(parameter) for group in groups for parameter in _parameters(group)}
    trained = [(n, p) for n, p in thinker.named_parameters() if p.requires_grad and id(p) not in of_adapters]
    return {part_of(name, parts) for name, _ in trained}


def _parameters(group: Any) -> Iterator[Any]:
    return group.parameters() if isinstance(group, nn.Module) else iter(())


def _copies(thinker: nn.Module, parts: Mapping[str, str]) -> dict[str, int]:
    """Bytes of the copies of linear weights that autocast makes and the backward pass needs, by part."""
    made: dict[str, int] = {}
    for name, module in thinker.named_modules():
        if isinstance(module, nn.Linear) and not any(word in name for word in ("lora_A", "lora_B")):
            part = part_of(name, parts)
            made[part] = made.get(part, 0) + module.weight.numel() * torch.finfo(torch.bfloat16).bits // 8
    return made

"""The pieces of what is trained: of each adapted layer A, the B of each head, and the router."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from crabplus.ilora.layer import ILoraLayer
from crabplus.train.adapters import part_of

_ADAPTER = re.compile(r"\.(?:ilora|lora)_(A|B|router)\.")
_NUMBER = re.compile(r"\.(\d+)\.(?=.)")
_SAVED = re.compile(r"(?:^|\.)modules_to_save\.[^.]+")


@dataclass(frozen=True)
class Piece:
    """One piece of one trained matrix.

    Attributes:
        part: of the model, such as ``language``; layer: its number in that part, None where layers have none.
        projection: path of the adapted module in its layer, such as ``self_attn.q_proj``, or of one trained whole.
        kind: ``A``, ``B``, ``router``, with the head where heads have their own (``B of head 1``); else ``weight`` or
            ``bias``.
        size: numbers in it.
    """

    part: str
    layer: int | None
    projection: str
    kind: str
    size: int

    @property
    def place(self) -> str:
        """Part and layer in words."""
        return self.part if self.layer is None else f"{self.part} {self.layer}"

    @property
    def module(self) -> str:
        """Last name of the path, by which the layers of all places are put together."""
        return self.projection.rpartition(".")[2]


@dataclass(frozen=True)
class Cut:
    """Where a piece lies in its matrix (O, I): rows, or columns, from ``start`` to ``stop``; None: all of it."""

    axis: int | None = None
    start: int = 0
    stop: int = 0

    def of(self, rows: Tensor, shape: Sequence[int]) -> Tensor:
        """The piece's numbers (N, size), of N flattened matrices (N, O * I)."""
        if self.axis is None:
            return rows
        return rows.view(-1, *shape).narrow(1 + self.axis, self.start, self.stop - self.start).flatten(1)


def pieces_of(name: str, parameter: Tensor, thinker: Any, parts: Mapping[str, str]) -> list[tuple[Piece, Cut]]:
    """The pieces of a trained parameter, with their places in it.

    Args:
        name: dotted, from ``thinker.named_parameters()``; parts: of the model, with the modules that hold them.
    """
    found = _ADAPTER.search(name)
    owner, _, last = (name[: found.start()], "", "") if found else name.rpartition(".")
    place = _place(_SAVED.sub("", owner), parts)
    if not found:
        return [(Piece(*place, last, parameter.numel()), Cut())]
    kind, module = found[1], thinker.get_submodule(owner)
    heads = _heads(module, name.rpartition(".")[2], kind) if isinstance(module, ILoraLayer) else 1
    if heads == 1:
        return [(Piece(*place, kind, parameter.numel()), Cut())]
    axis = 1 if kind == "B" else 0
    width = parameter.shape[axis] // heads
    return [
        (Piece(*place, f"{kind} of head {n + 1}", parameter.numel() // heads), Cut(axis, n * width, (n + 1) * width))
        for n in range(heads)
    ]


def _place(owner: str, parts: Mapping[str, str]) -> tuple[str, int | None, str]:
    """Part, layer, and the path from there."""
    part = part_of(owner, parts)
    number = _NUMBER.search(owner)
    if number:
        return part, int(number[1]), owner[number.end() :]
    inside = f".{owner}".rpartition(f".{parts[part]}.")[2] if part in parts else owner
    return part, None, inside


def _heads(module: ILoraLayer, adapter: str, kind: str) -> int:
    """How many heads have a share of a matrix: of the router all together, of A one unless each has its own."""
    heads = module.num_heads[adapter]
    if kind == "A":
        return module.ilora_A[adapter].shape[0] // module.r[adapter]
    return heads if kind == "B" else 1

"""Running sums of router weights: their memory depends on the number of layers, not on that of tokens."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crabplus.ilora import Pass, place_of

__all__ = ["KINDS", "Place", "Sums", "Tally", "Tokens", "kind_of", "places_of"]

KINDS = ("text", "audio", "vision", "generated")
"""Kinds of token: the words of the prompt, what stands for sound and pictures in it, and what the model has said."""
_NOTHING = -1
FloatArray = NDArray[np.float64]


def kind_of(name: str) -> str:
    """The kind of what a model family calls ``image``, ``video`` or ``audio``, and of its parts of those names."""
    return (
        "audio" if name.startswith("audio") else "vision" if name.startswith(("image", "video", "vision")) else "text"
    )


class Place(NamedTuple):
    """One adapted layer: its name, the part of the model, its number in the list of layers, and its last name."""

    layer: str
    part: str
    number: int | None
    projection: str


def places_of(layers: Sequence[str], parts: Mapping[str, str]) -> list[Place]:
    """Where adapted layers stand.

    Args:
        layers: their names; parts: name of each part of the model and of the module that holds it.
    """
    places = []
    for layer in layers:
        within = [(len(path), part) for part, path in parts.items() if layer == path or layer.startswith(f"{path}.")]
        places.append(Place(layer, max(within)[1] if within else "other", *place_of(layer)))
    return places


@dataclass
class Sums:
    """Sums over tokens, for each of P places and K kinds of token; H heads.

    Attributes:
        weights: router weights (P, K, H); largest: how often a head had the largest one (P, K, H).
        entropy: of the router weights of a token, in nats (P, K); tokens: how many (P, K).
    """

    weights: FloatArray
    largest: FloatArray
    entropy: FloatArray
    tokens: FloatArray

    @classmethod
    def empty(cls, places: int, heads: int) -> "Sums":
        """No token so far."""
        shape = (places, len(KINDS))
        return cls(np.zeros((*shape, heads)), np.zeros((*shape, heads)), np.zeros(shape), np.zeros(shape))

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


class Tokens:
    """Which kind of token each row of a pass holds, while a model answers one prompt after the other.

    Padding counts nowhere, and neither does what a finished answer is fed while others of its batch go on.

    Args:
        token_kinds: token id to what the model family calls its kind; stops: tokens that end an answer.
    """

    def __init__(self, token_kinds: Mapping[int, str], stops: Collection[int]) -> None:
        self.ids = {KINDS.index(kind): [n for n, name in token_kinds.items() if kind_of(name) == kind]
                    for kind in KINDS[1:3]}  # fmt: skip
        self.stops = sorted(stops)
        self._over = torch.zeros(0, dtype=torch.bool)

    def read(self, given: Pass) -> Tensor | None:
        """Numbers of kinds (B, T), below 0 where a token does not count; None without ids."""
        ids = given.ids
        if ids is None:
            return None
        if given.goes_on:
            self._over = self._over | torch.isin(ids, _like(self.stops, ids)).any(-1)
            codes = torch.full_like(ids, KINDS.index("generated"))
            return codes.masked_fill(self._over[:, None], _NOTHING)
        self._over = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        codes = torch.zeros_like(ids)
        for code, members in self.ids.items():
            codes[torch.isin(ids, _like(members, ids))] = code
        return codes if given.attended is None else codes.masked_fill(~given.attended, _NOTHING)


def _like(numbers: Collection[int], ids: Tensor) -> Tensor:
    return torch.tensor(list(numbers), dtype=ids.dtype, device=ids.device)


class Tally:
    """Sums up what it is shown of the router weights; a watcher for :func:`crabplus.ilora.watch_routing`.

    A layer that does not work on the tokens of the prompt, as those of the towers, counts each of its rows, as kind of
    the part that it stands in.

    Attributes:
        answered: number of prompts that were read.
    """

    def __init__(self, places: Sequence[Place], heads: int, tokens: Tokens) -> None:
        self.places, self.heads, self.tokens, self.answered = places, heads, tokens, 0
        self._at = {place.layer: number for number, place in enumerate(places)}
        self._codes: Tensor | None = None
        self._sums: dict[str, Tensor] = {}

    def begin(self, given: Pass) -> None:
        """See :class:`crabplus.ilora.Watcher`."""
        self._codes = self.tokens.read(given)
        self.answered += len(given.ids) if given.ids is not None and not given.goes_on else 0

    def see(self, layer: str, weights: Tensor) -> None:
        """See :class:`crabplus.ilora.Watcher`."""
        codes = self._codes
        if codes is None or codes.shape != weights.shape[:-1]:
            kind = KINDS.index(kind_of(self.places[self._at[layer]].part))
            codes = torch.full(weights.shape[:-1], kind, device=weights.device)
        rows, codes = weights.flatten(0, -2).float(), codes.flatten().to(weights.device)
        largest = torch.nn.functional.one_hot(rows.argmax(-1), self.heads).float()
        entropy = torch.special.entr(rows).sum(-1, keepdim=True)
        member = (codes == torch.arange(len(KINDS), device=codes.device)[:, None]).float()
        found = member @ torch.cat([rows, largest, entropy, torch.ones_like(entropy)], dim=-1)  # (K, 2 H + 2)
        # summed where the model is: to bring it over at each of some hundred layers and steps would take its time
        self._sums[layer] = self._sums[layer] + found if layer in self._sums else found

    def sums(self) -> Sums:
        """All that was seen."""
        made, h = Sums.empty(len(self.places), self.heads), self.heads
        for layer, found in self._sums.items():
            n, numbers = self._at[layer], found.cpu().double().numpy()
            made.weights[n], made.largest[n] = numbers[:, :h], numbers[:, h : 2 * h]
            made.entropy[n], made.tokens[n] = numbers[:, 2 * h], numbers[:, 2 * h + 1]
        return made

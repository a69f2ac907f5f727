"""Records which heads the router chose for which token."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from crabplus.ilora.watch import Pass, place_of, watch_routing


@dataclass(frozen=True)
class RoutingRow:
    """Mean router weights of one layer over the tokens of one kind in one sample.

    Attributes:
        layer: name of the layer; number: its number in the list of layers, None outside one; projection: its last name.
        kind: kind of token, and sample: number of the sample; both None for a layer that works on no token ids, as
            those of the towers do.
        weights: mean weight of each head; tokens: over how many tokens.
    """

    layer: str
    number: int | None
    projection: str
    kind: str | None
    sample: int | None
    weights: tuple[float, ...]
    tokens: int


@dataclass
class Routing:
    """Router weights as they were recorded.

    Attributes:
        calls: layer name to the router weights of its calls in order, each float32 on the CPU, of shape (B, T, H), or
            (T, H) where the layer works without a batch axis, as in the towers.
        passes: what each forward pass of the model was given, in order.
        token_kinds: token id to the name of its kind; every other token is ``text``.
    """

    token_kinds: dict[int, str] = field(default_factory=dict)
    calls: dict[str, list[Tensor]] = field(default_factory=dict)
    passes: list[Pass] = field(default_factory=list)
    _during: dict[str, list[int]] = field(default_factory=dict, repr=False)

    def weights(self, layer: str) -> Tensor:
        """Router weights of one layer, its calls joined along the tokens: (B, T, H) or (T, H).

        Raises:
            KeyError: no such layer; ValueError: it was not called, or with another number of samples each time.
        """
        if len({call.shape[:-2] for call in self._recorded(layer)}) > 1:
            raise ValueError(f"{layer}: batches of several sizes do not join; take rows() or calls")
        return torch.cat(self._recorded(layer), dim=-2)

    def mean(self, layer: str) -> Tensor:
        """Mean router weight of each head of one layer over all tokens of all calls, padding included: (H,)."""
        return torch.cat([call.flatten(0, -2) for call in self._recorded(layer)]).mean(0)

    def by_kind(self, layer: str) -> dict[str, Tensor]:
        """Mean router weight of each head per kind of token: kind to (H,). Empty for a layer that sees no token ids."""
        kinds: dict[str, list[RoutingRow]] = {}
        for row in self.rows(layer):
            if row.kind is not None:
                kinds.setdefault(row.kind, []).append(row)
        return {kind: _mean(rows) for kind, rows in kinds.items()}

    def rows(self, layer: str | None = None) -> list[RoutingRow]:
        """Mean weights per layer, kind of token and sample; of one layer where one is named."""
        names = self.calls if layer is None else [layer]
        return [row for name in names if self.calls[name] for row in self._rows(name)]

    def begin(self, given: Pass) -> None:
        """Keep what a pass was given; see :class:`~crabplus.ilora.watch.Watcher`."""
        ids, attended = (None if part is None else part.cpu() for part in (given.ids, given.attended))
        self.passes.append(replace(given, ids=ids, attended=attended))

    def see(self, layer: str, weights: Tensor) -> None:
        """Keep the router weights of a layer."""
        self.calls[layer].append(weights.to("cpu", torch.float32))
        self._during[layer].append(len(self.passes) - 1)

    def _recorded(self, layer: str) -> list[Tensor]:
        if layer not in self.calls:
            raise KeyError(
                f"no adapted layer {layer!r} in the model without its PEFT wrapper; such as {min(self.calls)!r}"
            )
        if not self.calls[layer]:
            raise ValueError(
                f"{layer}: nothing was recorded; was the model run in the block, with the adapter enabled?"
            )
        return self.calls[layer]

    def _rows(self, layer: str) -> Iterator[RoutingRow]:
        found: dict[tuple[str, int], list[Tensor]] = {}
        for call, given in self._with_ids(layer):
            for sample in range(len(call)):
                for kind, mask in self._masks(given, sample):
                    found.setdefault((kind, given.first + sample), []).append(call[sample][mask])
        if not found:
            yield _row(layer, None, None, self.calls[layer])
        for (kind, number), weights in sorted(found.items(), key=lambda item: item[0][1]):
            yield _row(layer, kind, number, weights)

    def _with_ids(self, layer: str) -> Iterator[tuple[Tensor, Pass]]:
        """The calls of a layer that works on the tokens of the model's input, each with its pass."""
        for call, number in zip(self.calls[layer], self._during[layer], strict=True):
            given = self.passes[number] if number >= 0 else None
            if given and given.ids is not None and given.ids.shape == call.shape[:-1]:
                yield call, given

    def _masks(self, given: Pass, sample: int) -> Iterator[tuple[str, Tensor]]:
        assert given.ids is not None
        ids = given.ids[sample]
        left = torch.ones_like(ids, dtype=torch.bool) if given.attended is None else given.attended[sample].clone()
        for kind in dict.fromkeys(self.token_kinds.values()):
            members = [token for token, name in self.token_kinds.items() if name == kind]
            mask = left & torch.isin(ids, torch.tensor(members, dtype=ids.dtype))
            left &= ~mask
            if mask.any():
                yield kind, mask
        if left.any():
            yield "text", left


@contextmanager
def record_routing(model: nn.Module, token_kinds: Mapping[int, str] | None = None) -> Iterator[Routing]:
    """Record the router weights of every I-LoRA layer while the block runs; costs nothing outside of it.

    Args:
        model: a model with I-LoRA layers, wrapped by PEFT or not.
        token_kinds: token id to the name of its kind, such as ``{audio_token_id: "audio"}``.

    Samples are numbered as they come in; beams and several answers to one prompt are samples too. The layers of an
    encoder-decoder model work on two sequences and have neither kinds nor samples.

    Raises:
        ValueError: the model has no I-LoRA layer, or a token id that is no number.
    """
    if strange := [token for token in token_kinds or {} if not isinstance(token, int)]:
        raise ValueError(f"record_routing: token ids are whole numbers, got {strange[0]!r}")
    routing = Routing(token_kinds=dict(token_kinds or {}))
    with watch_routing(model, routing) as layers:
        for layer in layers:
            routing.calls[layer], routing._during[layer] = [], []
        yield routing


def _row(layer: str, kind: str | None, sample: int | None, weights: list[Tensor]) -> RoutingRow:
    joined = torch.cat([part.flatten(0, -2) for part in weights])
    return RoutingRow(layer, *place_of(layer), kind, sample, tuple(joined.mean(0).tolist()), len(joined))


def _mean(rows: list[RoutingRow]) -> Tensor:
    """Mean over tokens of what the rows hold: (H,)."""
    counts = torch.tensor([float(row.tokens) for row in rows])
    return (torch.tensor([row.weights for row in rows]) * counts[:, None]).sum(0) / counts.sum()

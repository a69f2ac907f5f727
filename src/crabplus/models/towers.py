"""What the towers of a model make of pictures and sounds, kept on disk: towers that stay as they are run once.

An entry is named by all that went into it: the content of the file and what was asked of it, the processor, and the
towers themselves, weights and all.
"""

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from crabplus.media import cache
from crabplus.media.contents import Contents
from crabplus.media.store import Store

__all__ = ["OutputCache", "place_outputs", "weights_mark"]

VERSION = 1  # to be raised when a family makes other tensors of the same decoded media
GIVEN = "mm_encoder_outputs"
"""Argument of a model under which a batch carries outputs: kind of media to (N, D), in the order of their tokens."""

Entry = dict[str, Tensor]
logger = logging.getLogger(__name__)


class OutputCache:
    """Entries of tensors in a folder that any number of processes may use; see :class:`crabplus.media.store.Store`.

    What cannot be kept, because the disk or the cache is full, is made each time, and the log says so. A damaged entry
    is noticed, removed and made anew.

    Args:
        folder, limit: where it lies, and how many bytes it may take; mark: of the towers and all their settings.
    """

    def __init__(self, folder: str | Path, limit: int, mark: str) -> None:
        self._store, self._mark = Store(folder, limit), mark
        self._contents = Contents(self._store)

    def get(self, path: Path, wanted: tuple[Any, ...], make: Callable[[], Entry]) -> Entry:
        """The entry of a file: what ``make`` gave when it was first asked for.

        Args:
            path: of the file; wanted: what is asked of it, such as window, number of pictures and their size.
        """
        where = os.path.abspath(path)
        content = self._contents.of(where)
        ending = os.path.splitext(where)[1].lower()  # a name that belies its content is refused
        parts = (content, ending, wanted, self._mark, VERSION, cache.VERSION, cache.decoders())
        key = hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()
        found = None if content is None else self._read(key)
        if found is not None:
            return found
        made = make()
        if content and self._store.taking and self._contents.of(where) == content:  # it may have changed meanwhile
            self._store.write(f"{key}.safetensors", _pack(key, made))
        return made

    def _read(self, key: str) -> Entry | None:
        """What an entry holds; None where there is none, or a damaged one, which is removed."""
        name = f"{key}.safetensors"
        data = self._store.read(name)
        try:
            return None if data is None else _unpack(key, data)
        except ValueError as error:
            logger.warning("entry %s of the cache of tower outputs is damaged (%s) and made anew", name, error)
            self._store.remove(name)
            return None


def weights_mark(modules: Mapping[str, Any], *settings: Any) -> str:
    """A hash of all parameters and buffers of some modules, and of settings that go with them."""
    total = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for part, module in modules.items():
        for name, tensor in sorted(module.state_dict().items()):
            total.update(repr((part, name, str(tensor.dtype), tuple(tensor.shape))).encode())
            total.update(_bytes(tensor))
    return total.hexdigest()


def place_outputs(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """Pre-hook of a model: puts outputs that a batch carries where their tokens stand, in place of running the towers.

    Raises:
        ValueError: as many outputs as tokens are wanted.
    """
    given = kwargs.get(GIVEN) or {}
    if not given or not all(isinstance(value, Tensor) for value in given.values()):
        return None  # there are none, or the model's own, made in generation
    ids = kwargs["input_ids"]
    embedded = module.get_input_embeddings()(ids)
    for kind, values in given.items():
        places = ids == getattr(module.config, f"{kind}_token_id")
        if int(places.sum()) != len(values):
            raise ValueError(f"{len(values)} outputs of {kind} for {int(places.sum())} tokens")
        embedded = embedded.masked_scatter(places[..., None], values.to(embedded.device, embedded.dtype))
    return args, {**kwargs, "inputs_embeds": embedded, GIVEN: None}


def _pack(key: str, made: Entry) -> bytes:
    return save({name: value.contiguous() for name, value in made.items()}, {"checksum": _checksum(key, made)})


def _unpack(key: str, data: bytes) -> Entry:
    """The inverse of :func:`_pack`.

    Raises:
        ValueError: damaged, cut short, or written for another key.
    """
    try:
        made = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        checksum = header["__metadata__"]["checksum"]
    except (SafetensorError, LookupError, TypeError) as error:
        raise ValueError(str(error)) from error
    if checksum != _checksum(key, made):
        raise ValueError("the checksum does not fit")
    return made


def _checksum(key: str, made: Entry) -> str:
    shapes = sorted((name, str(value.dtype), tuple(value.shape)) for name, value in made.items())
    total = zlib.crc32(repr((key, shapes)).encode())
    for name in sorted(made):
        total = zlib.crc32(_bytes(made[name]), total)
    return f"{total:08x}"


def _bytes(tensor: Tensor) -> Any:
    """The bytes of a tensor of any type."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()

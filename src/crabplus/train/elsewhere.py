"""Going on elsewhere: from a checkpoint of another number of processes, or of a model divided in another way."""

import json
import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

from crabplus.config import ConfigError

Way = Literal["whole", "FSDP", "DeepSpeed"]
"""How a model lies on its processes: whole on each (alone, or DDP), or divided by FSDP2 or by ZeRO."""


class Writers(NamedTuple):
    """Who wrote a checkpoint: how many processes, and how the model lay on them."""

    processes: int
    way: Way


def writers_of(folder: Path) -> Writers:
    """Who wrote a checkpoint, by its files: each process leaves the state of its random numbers."""
    several = [path for path in folder.glob("rng_state_*.pth") if re.fullmatch(r"rng_state_\d+\.pth", path.name)]
    if (folder / "latest").is_file():
        return Writers(max(len(several), 1), "DeepSpeed")
    return Writers(max(len(several), 1), "FSDP" if (folder / "pytorch_model_fsdp.bin").is_file() else "whole")


def check_writers(folder: Path, now: Writers) -> None:
    """Raise if these processes cannot go on from a checkpoint.

    Raises:
        ConfigError: the optimizer of a ZeRO run lies in as many pieces as it had processes, which only as many
            processes under ZeRO put together again.
    """
    then = writers_of(folder)
    if "DeepSpeed" in (then.way, now.way) and then != now:
        raise ConfigError(
            f"{folder.name} was written by {_told(then)} and cannot go on with {_told(now)}: the optimizer's state of "
            "DeepSpeed ZeRO is put together by as many processes under ZeRO alone; start as many in the same way, or "
            "begin another run with 'adapter={start: OLD/final}'. Runs with DDP and FSDP2 can move"
        )


def _told(writers: Writers) -> str:
    way = "the whole model on each" if writers.way == "whole" else f"the model divided by {writers.way}"
    return f"{writers.processes} process{'es' if writers.processes > 1 else ''}, {way}"


def seed_of(seed: int, step: int, processes: int, rank: int) -> int:
    """Where random numbers begin on a process that goes on with the work of others: new ones, and always the same."""
    return int(np.random.SeedSequence([seed, step, processes, rank]).generate_state(1)[0])


def tally_name(rank: int) -> str:
    """The file of a checkpoint in which a process keeps its sums of losses."""
    return f"tally_{rank}.json"


def tally_of(folder: Path, rank: int, processes: int) -> dict[str, tuple[float, int]]:
    """The sums of losses with which a process goes on.

    Its own where as many processes wrote the checkpoint; else the first takes those of all, and the others none.
    """
    files = [folder / tally_name(number) for number in range(writers_of(folder).processes)]
    if len(files) == processes:
        files = [files[rank]]
    elif rank:
        files = []
    made: dict[str, tuple[float, int]] = {}
    for file in files:
        for key, (loss, tokens) in json.loads(file.read_text(encoding="utf-8")).items():
            before = made.get(key, (0.0, 0))
            made[key] = (before[0] + loss, before[1] + tokens)
    return made


def load_optimizer(folder: Path, model: nn.Module, optimizer: Any, now: Way, first: bool) -> None:
    """Load the state of an optimizer that lay on its processes in another way: whole, or divided by FSDP2.

    Args:
        model: as it lies now, with its weights loaded; optimizer: of this model, with parameters in the same order.
        first: whether this is the first process: under FSDP it alone reads, and the others are told by it.
    """
    if now == "whole":  # by the names of parameters, as FSDP2 writes it
        state = torch.load(folder / "optimizer.bin", map_location="cpu", weights_only=True)
        set_optimizer_state_dict(model, optimizer, state, options=StateDictOptions(full_state_dict=True))
        return
    state = {}
    if first:
        state = by_name(torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True), model, optimizer)
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    set_optimizer_state_dict(model, optimizer, state, options=options)


def by_name(state: dict[str, Any], model: nn.Module, optimizer: Any) -> dict[str, Any]:
    """A state of an optimizer, which counts parameters through, by their names."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    ordered = [[names[id(parameter)] for parameter in group["params"]] for group in optimizer.param_groups]
    counted = dict(enumerate(name for group in ordered for name in group))
    groups = [{**saved, "params": named} for saved, named in zip(state["param_groups"], ordered, strict=True)]
    return {"state": {counted[number]: value for number, value in state["state"].items()}, "param_groups": groups}

"""Two processes with gloo: sharded by FSDP2 and replicated by DDP, the adapter learns what one process learns."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from peft import get_peft_model
from torch import nn

from crabplus.ilora import ILoraConfig

STEPS = 3


def model() -> Any:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))
    return get_peft_model(net, ILoraConfig(r=4, target_modules=["0", "2"], init_weights=False))


def batch() -> torch.Tensor:
    return torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(1))


def learn(net: nn.Module, x: torch.Tensor) -> None:
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    for _ in range(STEPS):
        optimiser.zero_grad()
        (net(x) - 1).square().mean().backward()
        optimiser.step()


def work(rank: int, port: int, kind: str, out: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE="2")
    dist.init_process_group("gloo", rank=rank, world_size=2)
    net, x = model(), batch()[rank * 2 : rank * 2 + 2]
    if kind == "fsdp2":
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh("cpu", (2,))
        for layer in net.base_model.model:
            if sum(1 for _ in layer.parameters()):
                fully_shard(layer, mesh=mesh)
        fully_shard(net, mesh=mesh)
        learn(net, x)
        state = {name: p.full_tensor().detach() for name, p in net.named_parameters()}
    else:
        wrapped = nn.parallel.DistributedDataParallel(net)  # every adapter parameter takes part: nothing unused to find
        learn(wrapped, x)
        state = {name: p.detach() for name, p in net.named_parameters()}
    if rank == 0:
        torch.save(state, out)
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fsdp2", "ddp"])
def test_two_processes_learn_what_one_does(kind: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(work, (port, kind, str(tmp_path / "state.pt")), nprocs=2)
    found = torch.load(tmp_path / "state.pt", weights_only=True)
    alone, start = model(), model().state_dict()
    learn(alone, batch())
    moved = 0
    for name, wanted in alone.named_parameters():
        torch.testing.assert_close(found[name], wanted.detach(), rtol=1e-5, atol=1e-6)
        moved += not torch.equal(found[name], start[name])
    assert moved == 6

"""The crabplus command with DeepSpeed on the CPU, for the tests.

accelerate takes DeepSpeed only where processes have accelerators; here it is told that they have. And on CPUs DeepSpeed
exchanges through memory that processes share, by a library that it compiles at the first start; here it is told that
there is none, so that no compiler is needed. What then runs is the same code, with gloo in place of NCCL.
"""

from importlib import import_module
from typing import Any

import accelerate.state
from accelerate.utils import DistributedType

from crabplus.cli import main

begin = accelerate.state.PartialState.__init__


def with_accelerators(self: Any, *args: Any, **settings: Any) -> None:
    first = not accelerate.state.PartialState._shared_state
    begin(self, *args, **settings)
    if first and self.num_processes > 1:
        self.distributed_type = DistributedType.DEEPSPEED


if __name__ == "__main__":
    exchange: Any = import_module("deepspeed.comm.torch")  # "import ... as" would find torch itself by that name
    exchange.build_shm_op = lambda: None
    accelerate.state.PartialState.__init__ = with_accelerators
    main()

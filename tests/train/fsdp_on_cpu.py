"""The crabplus command with FSDP2 on the CPU, for the tests.

accelerate divides a model among processes only where they have accelerators; here it is told that they have. What then
runs is the same code, with gloo in place of NCCL.
"""

from typing import Any

import accelerate.state
from accelerate.utils import DistributedType

from crabplus.cli import main

begin = accelerate.state.PartialState.__init__


def with_accelerators(self: Any, *args: Any, **settings: Any) -> None:
    first = not accelerate.state.PartialState._shared_state
    begin(self, *args, **settings)
    if first and self.num_processes > 1:
        self.distributed_type = DistributedType.MULTI_GPU


if __name__ == "__main__":
    accelerate.state.PartialState.__init__ = with_accelerators
    main()

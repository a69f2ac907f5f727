"""The crabplus command with DeepSpeed on the CPU, for the tests.

There DeepSpeed exchanges through memory that processes share, by a library that it compiles at the first start. Here it
is told that there is none, so that no compiler is needed: gloo exchanges, in place of NCCL.
"""

from importlib import import_module
from typing import Any

from crabplus.cli import main

if __name__ == "__main__":
    exchange: Any = import_module("deepspeed.comm.torch")  # "import ... as" would find torch itself by that name
    exchange.build_shm_op = lambda: None
    main()

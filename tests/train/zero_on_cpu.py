"""The crabplus command with DeepSpeed on the CPU, for the tests.

There DeepSpeed exchanges through memory that processes share, by a library that it compiles at the first start. Here it
is told that there is none, so that no compiler is needed: gloo exchanges, in place of NCCL.
"""

import deepspeed.comm.torch as exchange

from crabplus.cli import main

if __name__ == "__main__":
    exchange.build_shm_op = lambda: None
    main()

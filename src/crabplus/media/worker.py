"""The decode worker: ``python -m crabplus.media.worker`` answers requests on its standard input until that ends.

It runs apart from its owner because a decoder can hang or crash on a bad file, and only a process can be ended safely.
It imports numpy, av and cv2 and nothing heavier, so that it starts fast.
"""

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import traceback
from typing import Any, BinaryIO

from crabplus.media.errors import MediaError
from crabplus.media.limits import MEMORY
from crabplus.media.wire import receive, send

__all__ = ["main"]

_GRACE = 10.0  # seconds after which a worker ends itself if its owner did not: the owner may be gone


def main() -> None:
    """Serves until the input ends. First message out: None when ready, else why this worker cannot work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the owner's to handle
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up among the replies
    _limit_memory()
    try:
        from crabplus.media.operations import OPERATIONS
    except ImportError as error:
        send(replies, f"{error}; install crabplus[media]")
        return
    send(replies, None)
    gc.freeze()
    while _serve(requests, replies, OPERATIONS):
        gc.collect()  # containers and streams refer to each other: else pictures of many files would lie about


def _limit_memory() -> None:
    """So that a file which asks for more ends in an error, and not in a machine without memory. Not on Windows."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
    with contextlib.suppress(OSError, ValueError):  # macOS knows the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


def _serve(requests: BinaryIO, replies: BinaryIO, operations: dict[str, Any]) -> bool:
    """Answers one request; False when there are no more."""
    try:
        name, arguments, limit = receive(requests)
        faulthandler.dump_traceback_later(limit + _GRACE, exit=True)
        reply = _answer(operations[name], arguments)
        faulthandler.cancel_dump_traceback_later()
        send(replies, reply)
    except (EOFError, BrokenPipeError):
        return False
    return True


def _answer(operation: Any, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "ok", operation(*arguments)
    except MediaError as error:
        return "media", error.reason
    except MemoryError:
        return "media", "does not fit into memory: ask for a shorter window, fewer frames or a smaller size"
    except (ArithmeticError, LookupError, OSError, ValueError) as error:  # a file that says impossible things
        return "media", f"cannot be decoded ({type(error).__name__}: {error})"
    except Exception:
        return "bug", traceback.format_exc()


if __name__ == "__main__":
    main()

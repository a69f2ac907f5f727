"""Stands for a model in tests of the process that one lives in; no test is in here."""

import os
import time


class Sleeper:
    def pid(self) -> int:
        return os.getpid()

    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    def fail(self) -> None:
        raise RuntimeError("a secret of the server")

    def die(self) -> None:
        os._exit(9)


def broken() -> Sleeper:
    from crabplus.ui.limits import Refused

    raise Refused("there is no such model")

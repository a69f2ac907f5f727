"""A server of the page in a process of its own, with folders of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

START = 240.0  # seconds, on a busy machine, until the model is loaded


@dataclass
class Server:
    """A running page: its address, and the folders that are its temporary one, its current one and its home."""

    process: subprocess.Popen[str]
    address: str
    temporary: Path
    current: Path
    home: Path
    said: list[str]

    @property
    def folder(self) -> Path:
        (found,) = self.temporary.glob("crabplus-ui-*")
        return found

    def uploads(self) -> list[Path]:
        return [path for path in (self.folder / "uploads").rglob("*") if path.is_file()]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("server")
    temporary, current, home = (base / name for name in ("temporary", "current", "home"))
    for folder in (temporary, current, home):
        folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1",
                   "PYTHONPATH": str(Path(__file__).parents[2] / "src")}  # fmt: skip
    command = [sys.executable, "-m", "crabplus", "ui", "--port", "0", "--max-size", "2", "--max-seconds", "60"]
    process = subprocess.Popen(command, cwd=current, env=environment, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)  # fmt: skip
    said: list[str] = []
    Thread(target=lambda: said.extend(process.stdout or ()), daemon=True).start()
    try:
        yield Server(process, _address(process, said), temporary, current, home, said)
    finally:
        process.terminate()
        process.wait(60)
    assert process.returncode == 128 + 15
    assert list(temporary.iterdir()) == [], "what the server wrote is removed as it ends"
    assert [path for folder in (current, home) for path in folder.rglob("*") if path.is_file()] == []
    assert [line for line in said if "Traceback" in line or "leaked" in line] == []


def _address(process: "subprocess.Popen[str]", said: list[str]) -> str:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        for line in list(said):
            if line.startswith("page: "):
                return line.split()[1]
        time.sleep(0.2)
    pytest.fail("the page did not start:\n" + "".join(said))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of Tidepool, whose name would be markup."""
    import numpy as np

    from crabplus.tidepool.film import write_clip
    from crabplus.tidepool.keys.events import ave

    path = tmp_path_factory.mktemp("clips") / "a <b id=bold>clip.mp4"
    write_clip(path, ave(np.random.default_rng(7)).scene)
    return path

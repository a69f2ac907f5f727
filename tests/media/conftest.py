"""What the tests of reading media share: files by recipe, folders of them, and scripts in a Python of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import time as now
from typing import Any

import cv2
import numpy as np
import pytest
from recipes import RECIPES, SOUNDS, VIDEOS, Recipe, read_number, when_loud, write

from crabplus.media import Decoder, cache
from crabplus.media.cache import MediaCache

SOURCE = Path(__file__).parents[2] / "src"


def write_picture(path: Path, seed: int = 0) -> None:
    """Noise as a jpg that is not new."""
    noise = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8)
    path.write_bytes(cv2.imencode(".jpg", noise)[1].tobytes())
    make_old(path)


def make_old(path: Path, seconds: float = 10_000.0) -> None:
    """As if last changed, or used, that long ago."""
    os.utime(path, (now() - seconds,) * 2)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a file of :data:`RECIPES` by its name; written once."""
    folder = tmp_path_factory.mktemp("clips")
    done: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in done:
            done[name] = write(folder, RECIPES[name])
        return done[name]

    return get


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a file by a recipe of one's own."""
    return lambda name, **how: write(tmp_path_factory.mktemp("made"), Recipe(name, **how))


@pytest.fixture(scope="session")
def number() -> Callable[[np.ndarray], int]:
    return read_number


@pytest.fixture(scope="session")
def loud() -> Callable[..., tuple[float, float]]:
    return when_loud


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], Path]) -> Path:
    """A folder with a video, a sound and sixteen pictures, none of them new."""
    folder = tmp_path / "originals"
    folder.mkdir()
    for name in ("h264.mp4", "sound.wav"):
        make_old(shutil.copy(clip(name), folder))
    for number in range(16):
        write_picture(folder / f"{number}.jpg", number)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> MediaCache:
    return MediaCache(tmp_path / "cache", 10**8)


@pytest.fixture
def put_picture() -> Callable[..., None]:
    return write_picture


@pytest.fixture
def age() -> Callable[..., None]:
    return make_old


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Once called, whatever opens or decodes an original fails."""

    def refuse(*arguments: Any, **named: Any) -> None:
        raise AssertionError("an original was opened")

    def forbid() -> None:
        monkeypatch.setattr(Decoder, "_call", refuse)
        monkeypatch.setattr(cache, "open", refuse, raising=False)

    return forbid


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Runs a script in a Python of its own and returns what it prints."""

    def run(text: str, *arguments: str, timeout: float = 300, status: tuple[int, ...] = (0,)) -> str:
        path = tmp_path / "script.py"
        path.write_text(text)
        done = subprocess.run(
            [sys.executable, str(path), *arguments], capture_output=True, text=True, timeout=timeout, check=False,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )  # fmt: skip
        assert done.returncode in status, done.stderr
        return done.stdout

    return run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``video_name``, ``sound_name`` and ``any_name`` run over the files of that kind."""
    names = {
        "video_name": [recipe.name for recipe in VIDEOS],
        "sound_name": [recipe.name for recipe in VIDEOS + SOUNDS if recipe.audio],
        "any_name": [recipe.name for recipe in VIDEOS + SOUNDS],
    }
    for key, values in names.items():
        if key in metafunc.fixturenames:
            metafunc.parametrize(key, values)

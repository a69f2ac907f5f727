"""Folders of Tidepool samples: with clips to learn from, and with empty files where a test opens none.

The latter is a test's own to spoil.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from crabplus.datasets.avuie import write
from crabplus.tidepool.build import ask, build
from crabplus.tidepool.live import media_of, to_sample

KEYS, SIZES = ("ave", "avqa", "arig"), {"train": 6, "val": 4}
NAMES = {"clip": "mp4", "film": "mp4", "frame": "jpg", "sound": "wav"}


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    for key in KEYS:
        for split, size in SIZES.items():
            samples = []
            for number in range(size):
                made, name = ask(key, split, number, 0), f"{key}-{split}-{number}"
                paths = {role: f"{key}/{name}.{ending}" for role, ending in NAMES.items()}
                samples.append(to_sample(made, key, split, name, media_of(made, paths)))
                (out / key).mkdir(exist_ok=True)
                for media in samples[-1].media:
                    (out / media.path).touch()
            write(out, key, split, samples)
    return out


@pytest.fixture
def data(_made: Path, tmp_path: Path) -> Path:
    """A data folder with splits train and val of three keys."""
    return Path(shutil.copytree(_made, tmp_path / "data"))


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> Path:
    """A config file without fault."""
    file = tmp_path / "config.yaml"
    content = {
        "out": str(tmp_path / "run"), "data": {"folder": str(data), "keys": list(KEYS)},
        "arguments": {"per_device_train_batch_size": 4, "report_to": "none"},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


@pytest.fixture
def edit(data: Path) -> Callable[..., None]:
    """Changes fields of one record of an index; with None they are left out."""

    def change(key: str, split: str, number: int, **fields: Any) -> None:
        path = data / key / f"{split}.jsonl"
        lines = path.read_text().splitlines()
        record = {**json.loads(lines[number]), **fields}
        lines[number] = json.dumps({name: value for name, value in record.items() if value is not None})
        path.write_text("\n".join(lines) + "\n")

    return change


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of each key to learn from, and two to look at."""
    folder = tmp_path_factory.mktemp("clips")
    for split, count in (("train", 8), ("val", 2)):
        assert sum(1 for _ in build(folder, KEYS, split, count, seed=5)) == 3 * count
    return folder

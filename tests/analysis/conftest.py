"""The shipped model, folders of a few Tidepool clips, and a config that takes their gradients."""

from pathlib import Path
from typing import Any

import pytest

from crabplus.api import CrabPlus
from crabplus.config import TrainConfig
from crabplus.schema import Sample
from crabplus.tidepool.build import build
from short_runs import KEYS, settings

TWO = ("ave", "arig")


@pytest.fixture(scope="session")
def plus() -> Any:
    return CrabPlus.from_pretrained("tiny", device="cpu")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def asked(folder: Path) -> dict[str, list[Sample]]:
    """Three samples of each of two keys."""
    made = list(build(folder, TWO, "test", 3, 5))
    return {key: [sample for sample in made if sample.task == key] for key in TWO}


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of each key."""
    folder = tmp_path_factory.mktemp("few")
    assert sum(1 for _ in build(folder, KEYS, "train", 4, seed=8)) == 12
    return folder


@pytest.fixture
def config(few: Path, tmp_path: Path) -> TrainConfig:
    """Batches of two, so that there are two of each key."""
    arguments = {"per_device_train_batch_size": 2, "max_steps": 8}
    return settings(tmp_path / "run", few, adapter={"targets": "language-model-only"}, arguments=arguments)

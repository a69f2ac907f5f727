"""A folder of a few Tidepool clips of three keys, and a config that takes their gradients."""

from pathlib import Path

import pytest

from crabplus.config import TrainConfig
from crabplus.tidepool.build import build
from short_runs import KEYS, settings


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

"""A small folder of Tidepool clips."""

from pathlib import Path

import pytest

from crabplus.tidepool.build import build
from short_runs import KEYS


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of each key to learn from, and two to look at."""
    folder = tmp_path_factory.mktemp("clips")
    for split, count in (("train", 8), ("val", 2)):
        assert sum(1 for _ in build(folder, KEYS, split, count, seed=5)) == 3 * count
    return folder

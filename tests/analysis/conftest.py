"""The shipped model and a folder of a few clips, for all tests of analysis."""

from pathlib import Path
from typing import Any

import pytest

from crabplus.api import CrabPlus
from crabplus.schema import Sample
from crabplus.tidepool.build import build

KEYS = ("ave", "arig")


@pytest.fixture(scope="session")
def plus() -> Any:
    return CrabPlus.from_pretrained("tiny", device="cpu")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def asked(folder: Path) -> dict[str, list[Sample]]:
    """Three samples of each of two keys."""
    made = list(build(folder, KEYS, "test", 3, 5))
    return {key: [sample for sample in made if sample.task == key] for key in KEYS}

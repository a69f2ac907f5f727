"""A server with the shipped model, in a thread of this process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crabplus import CrabPlus
from crabplus.serve.limits import Limits
from crabplus.tidepool.build import build
from serve_world import Served, running


@pytest.fixture(scope="session")
def plus() -> Any:
    return CrabPlus.from_pretrained("tiny")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder of clips, and a sample of some keys."""
    folder = tmp_path_factory.mktemp("served")
    made = build(folder, ("ave", "avqa", "arig", "a2v", "ks"), "test", 1, 3)
    return folder, {sample.task: sample for sample in made}


@pytest.fixture(scope="session")
def served(plus: Any, world: Any) -> Iterator[Served]:
    with running(plus, Limits(folder=world[0], stall=2.0, body=3 * 10**6, text=500)) as found:
        yield found

"""``crabplus transfer predict``: from a config to JSON, picture, page and table; then against measured transfer."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.tidepool.build import build

KEYS = ("ave", "avqa", "arig")


def ask(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["transfer", "predict", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a config and the outcome."""
    folder = tmp_path_factory.mktemp("predict")
    assert sum(1 for _ in build(folder / "data", KEYS, "train", 4, seed=9)) == 12
    content = {
        "out": str(folder / "run"), "dtype": "float32", "data": {"folder": str(folder / "data"), "keys": list(KEYS)},
        "adapter": {"r": 4, "alpha": 8},
        "arguments": {"use_cpu": True, "dataloader_num_workers": 0, "report_to": "none", "max_steps": 9},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    done = ask(folder / "config.yaml", "arguments.per_device_train_batch_size=2", "--batches", 2, "--warmup", 1,
               "--out", folder / "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "3 pairs of keys conflict after 1 steps" in " ".join(done.output.split())
    return folder


def test_json_picture_and_page(made: Path) -> None:
    out = made / "out"
    assert sorted(path.name for path in out.iterdir()) == ["conflict.html", "conflict.json", "conflict.png"]
    found = json.loads((out / "conflict.json").read_text(encoding="utf-8"))
    assert tuple(found["keys"]) == KEYS and len(found["pieces"]) == 28 * 5
    assert found["settings"]["warmup"] == 1 and found["settings"]["batch"] == 2
    assert all(-1 <= row["itself"] <= 1 and row["loss"] > 0 for row in found["keys"].values())
    assert not (made / "run").exists()


def test_measured_afterwards_without_a_model(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [{"key": key, "method": "ilora", "relative": n / 10, "ceiling": False} for n, key in enumerate(KEYS)]
    (made / "transfer.json").write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr("crabplus.analysis.gradients.load", None)
    same = (made / "config.yaml", "arguments.per_device_train_batch_size=2", "--batches", 2, "--warmup", 1)
    done = ask(*same, "--out", made / "out", "--measured", made / "transfer.json")
    assert done.exit_code == 0, done.output
    assert "no order says anything" in " ".join(done.output.split())
    assert "transfer.json" in (made / "out" / "conflict.html").read_text(encoding="utf-8")
    kept = json.loads((made / "out" / "conflict.json").read_text(encoding="utf-8"))
    assert kept["measured"]["predicted"][0]["n"] == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ((), "name another --out, or compute it anew with --fresh"),
        (("--batches", 3), "an even number of at least 2"),
        (("data.keys=ave",), "at least two"),
        (("--measured", "none.json"), "none.json"),
    ],
)
def test_mistakes_are_told_in_one_line(made: Path, changes: tuple[Any, ...], words: str) -> None:
    first = {"--batches": 2, "--warmup": 0 if "none.json" not in changes else 1}
    options = [item for name, value in first.items() if name not in changes for item in (name, value)]
    out = made / ("out" if changes in ((), ("--measured", "none.json")) else "other")
    done = ask(made / "config.yaml", "arguments.per_device_train_batch_size=2", *changes, *options, "--out", out)
    assert done.exit_code == 2 and words in " ".join(done.output.split())

"""What docs/add-a-dataset.md says: the class in it, outside the package, is built, asked, answered and scored."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crabplus import tasks
from crabplus.cli import app
from crabplus.datasets import DATASETS
from crabplus.datasets.avuie import read
from crabplus.schema import Prediction, to_json
from crabplus.tasks import get_task

PAGE = Path(__file__).parents[2] / "docs" / "add-a-dataset.md"
CODE = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert CODE is not None
    monkeypatch.setattr(tasks, "_ADDED", {})
    monkeypatch.delitem(DATASETS, "zoo", raising=False)
    path = tmp_path / "zoo.py"
    path.write_text(CODE[1], encoding="utf-8")
    rows = [f"{n}.mp4,{'lion' if n % 2 else 'wolf'}" for n in range(10)]
    (tmp_path / "calls.csv").write_text("\n".join(["file,animal", *rows]) + "\n")
    return path


def test_the_class_is_short() -> None:
    assert CODE is not None
    body = CODE[1][CODE[1].index("class ") :]
    assert len(body.splitlines()) <= 40


def test_what_the_page_says(plugin: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    arguments = ["--plugin", str(plugin), "--root", str(tmp_path), "--out", str(tmp_path / "data"), "--no-probe"]
    built = run(app, ["build", "zoo", *arguments])
    assert built.exit_code == 0 and "Zoo calls" in built.output, built.output
    train, test = (list(read(tmp_path / "data", "zoo", split)) for split in ("train", "test"))
    assert (len(train), len(test)) == (9, 1)
    task = get_task("zoo")
    assert "lion, parrot, wolf" in task.prompt(train[0])[-1].parts[-1].text
    said = [Prediction(s.id, "zoo", answer=task.parse(task.target(s), s)) for s in test]
    (tmp_path / "said.jsonl").write_text("".join(to_json(made) + "\n" for made in said))
    files = [str(tmp_path / "said.jsonl"), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "scores.json")]
    scored = run(app, ["evaluate", *files, "--plugin", str(plugin)])
    assert scored.exit_code == 0 and "1.000" in scored.output, scored.output


def test_a_wrong_row_is_named_by_the_page_too(plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text("file,animal\n1.mp4,cow\n")
    arguments = ["--plugin", str(plugin), "--root", str(tmp_path), "--out", str(tmp_path / "data"), "--no-probe"]
    built = CliRunner().invoke(app, ["build", "zoo", *arguments, "--splits", "test"])
    assert built.exit_code == 2 and "line 2: 'cow' is none of lion, parrot, wolf" in built.output


def test_a_key_of_the_nineteen_keeps_its_task() -> None:
    with pytest.raises(ValueError, match="key 'ks' has its task already"):
        tasks.add_task(get_task("ks"))


def test_a_dataset_that_is_installed_is_found_with_its_task(tmp_path: Path) -> None:
    assert CODE is not None
    (tmp_path / "zoo.py").write_text(CODE[1], encoding="utf-8")
    (tmp_path / "zoo-1.0.dist-info").mkdir()
    (tmp_path / "zoo-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo\nVersion: 1.0\n")
    (tmp_path / "zoo-1.0.dist-info" / "entry_points.txt").write_text("[crabplus.datasets]\nzoo = zoo\n")
    code = "from crabplus.tasks import get_task; print(get_task('zoo').family)"
    paths = os.pathsep.join([str(tmp_path), str(Path(tasks.__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "animal recognition", done.stderr

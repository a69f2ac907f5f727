"""The command that shows routing, run in this process."""

import json
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig, get_peft_model
from torch import nn
from typer.testing import CliRunner

from crabplus.api import CrabPlus
from crabplus.cli import app
from crabplus.tidepool.build import build


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data")
    list(build(out, ("ave", "avqa"), "val", 3, 4))
    return out


def run(*arguments: Any) -> Any:
    result = CliRunner().invoke(app, ["routing", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_page_pictures_and_numbers(data: Path, tmp_path: Path) -> None:
    done = run("--data", data, "--keys", "ave,avqa", "--split", "val", "--samples", 2, "--show", 1, "--out", tmp_path,
               "--ablate", "none", "--device", "cpu")  # fmt: skip
    assert done.exit_code == 0 and "bits" in done.output
    assert f"page: {tmp_path / 'routing.html'}" in done.output
    made = json.loads((tmp_path / "routing.json").read_text())
    assert {key: of["samples"] for key, of in made["keys"].items()} == {"ave": 2, "avqa": 2}
    assert len(made["strips"]) == 2 and made["settings"]["show"] == 1 and not made["ablation"]["variants"]
    about = made["about"]
    assert about["split"] == "val" and about["model"]["model"] == "tiny" and about["command"] and about["versions"]
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == {"kinds.png", "heads.png", "keys.png", "use.png", "similarity.png"}
    page = (tmp_path / "routing.html").read_text()
    assert page.count("<video") == 2 and "Routing of the adapter that is shipped with crabplus" in page


def test_samples_are_drawn_by_the_seed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[str]] = []

    def study(model: Any, samples: Any, *rest: Any) -> Any:
        drawn.append([sample.id for sample in samples["ave"]])
        raise ValueError("enough")

    monkeypatch.setattr("crabplus.analysis.routing.study", study)
    for seed in (0, 0, 1, 2, 3):
        options = "--split", "val", "--samples", 2, "--seed", seed
        assert run("--data", data, "--keys", "ave", "--out", tmp_path, *options).exit_code == 2
    assert drawn[0] == drawn[1] and any(other != drawn[0] for other in drawn[2:])
    assert all(ids == sorted(ids) for ids in drawn)


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    model = get_peft_model(nn.Sequential(nn.Linear(2, 2)), LoraConfig(target_modules=["0"]))
    model.peft_config["default"].base_model_name_or_path = "tiny"
    model.save_pretrained(tmp_path / "lora")
    return tmp_path / "lora"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--adapter", "lora"), "is of kind LORA: it has no router"),
        (("--adapter", "none"), "no router to look at"),
        (("--adapter", "nowhere"), "nowhere: there is no such folder"),
        (("--ablate", "all"), "one of none, heads, layers"),
        (("--keys", "avee"), "ave"),
        (("--split", "train"), "train"),
    ],
)
def test_what_is_wrong_is_told_before_a_model_is_loaded(
    data: Path, tmp_path: Path, lora: Path, monkeypatch: pytest.MonkeyPatch, options: Any, words: str
) -> None:
    monkeypatch.setattr(CrabPlus, "from_pretrained", lambda *a, **k: pytest.fail("loaded"))
    chosen = [lora if option == "lora" else option for option in options]
    keys = () if "--keys" in options else ("--keys", "ave")
    split = () if "--split" in options else ("--split", "val")
    done = run("--data", data, *keys, *split, "--out", tmp_path / "out", *chosen)
    assert done.exit_code == 2 and words in done.output and not (tmp_path / "out").exists()


def test_an_interrupted_run_leaves_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(CrabPlus, "from_pretrained", interrupted)
    done = run("--data", data, "--keys", "ave", "--split", "val", "--out", tmp_path / "out")
    assert done.exit_code == 130 and "nothing was written" in done.output and not (tmp_path / "out").exists()

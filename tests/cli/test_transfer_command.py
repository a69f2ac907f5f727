"""``crabplus transfer RUNS...``: folders and the names of commands share one place, and nothing heavy is loaded."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.cli.transfer import RunsGroup
from hand_made_runs import write_suite

COUNTS = {"avqa": (4,), "a2v": (9,)}
BETTER = {"avqa": (7,), "a2v": (8,)}


@pytest.fixture
def runs(tmp_path):
    return write_suite(tmp_path, 10, COUNTS, {"ilora": BETTER})


def ask(*arguments):
    return CliRunner().invoke(app, ["transfer", *map(str, arguments)])


def test_runs_become_json_picture_page_and_table(runs, tmp_path):
    out = tmp_path / "report"
    done = ask(runs, "--out", out, "--rounds", 200)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["transfer.html", "transfer.json", "transfer.png"]
    made = json.loads((out / "transfer.json").read_text(encoding="utf-8"))
    assert made["methods"]["ilora"]["positive"] == 1 and made["settings"]["rounds"] == 200
    assert "helps 1 of 2 tasks with ilora (50 %)" in " ".join(done.output.split()) and "▲ +75.0 %" in done.output
    page = (out / "transfer.html").read_text(encoding="utf-8")
    assert "0.400" in page and "0.700" in page and "+75.0 %" in page


def test_the_first_samples_alone(runs, tmp_path):
    done = ask(runs, "--out", tmp_path / "report", "--rounds", 200, "--samples", 5)
    made = json.loads((tmp_path / "report/transfer.json").read_text(encoding="utf-8"))
    assert done.exit_code == 0 and {cell["n"] for cell in made["cells"]} == {5}


def test_a_file_is_no_folder_to_write_to(runs, tmp_path):
    (tmp_path / "taken").write_text("mine")
    refused = ask(runs, "--out", tmp_path / "taken")
    assert refused.exit_code != 0 and "is a file; name a folder" in " ".join(refused.output.split())
    assert (tmp_path / "taken").read_text() == "mine"


def test_usage_is_that_of_what_was_typed(runs):
    assert "report" not in ask(runs, "--rounds", 10).output


def test_options_may_come_first(runs, tmp_path):
    done = ask("--out", tmp_path / "a", "--rounds", 100, "--ceiling", 0.9, runs)
    assert done.exit_code == 0, done.output
    made = json.loads((tmp_path / "a" / "transfer.json").read_text(encoding="utf-8"))
    assert made["methods"]["ilora"]["ceiling"] == ["a2v"]


def test_it_repeats_itself_to_the_letter(runs, tmp_path):
    for name in "ab":
        assert ask(runs, "--out", tmp_path / name, "--rounds", 100).exit_code == 0
    first, second = ((tmp_path / name / "transfer.json").read_bytes() for name in "ab")
    assert first == second


def test_several_folders_are_taken_together(runs, tmp_path):
    done = ask(runs / "lora" / "avqa", runs / "lora" / "a2v" / "seed0", runs / "ilora", "--out", tmp_path / "a")
    assert done.exit_code == 0 and "1 of 2" in done.output


def test_mistakes_are_told_in_one_line(runs, tmp_path):
    for arguments, words in (
        ((tmp_path / "nowhere",), "no such folder"), ((runs, "--split", "val"), "val.jsonl is not there"),
        ((runs, "--data", tmp_path / "x"), "no such data folder"),
        ((runs, "--baseline", "x"), "name one with --baseline"),
    ):  # fmt: skip
        done = ask(*arguments, "--out", tmp_path / "out")
        assert done.exit_code == 2 and words in done.output and "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_help_shows_what_folders_take_and_the_other_commands():
    words = " ".join(ask("--help").output.split())
    assert "RUNS... | COMMAND" in words and "--baseline" in words and "--ceiling" in words
    assert ask().output.split() == ask("--help").output.split(), "without a folder it says what it takes"


def test_names_of_commands_come_before_folders(tmp_path, monkeypatch):
    """What is no command is for ``report``; a folder with the name of a command is named ./NAME."""
    heard = []
    toy = typer.Typer(cls=RunsGroup, no_args_is_help=True, rich_markup_mode=None)
    toy.command("report", hidden=True)(lambda runs: heard.append(("report", runs)))
    toy.command("run")(lambda suite: heard.append(("run", suite)))
    for name, arguments in {"report": ("runs",), "run": ("run", "suite.yaml")}.items():
        assert CliRunner().invoke(toy, arguments).exit_code == 0, name
    assert CliRunner().invoke(toy, ["./run"]).exit_code == 0
    assert heard == [("report", "runs"), ("run", "suite.yaml"), ("report", "./run")]
    assert "run" in CliRunner().invoke(toy, ["--help"]).output


def test_no_torch_is_loaded(runs, tmp_path):
    code = (
        "import sys\nfrom crabplus.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "assert not {'torch', 'transformers', 'peft', 'torchvision'} & set(sys.modules), 'torch is loaded'\n"
    )
    arguments = ["transfer", str(runs), "--out", str(tmp_path / "out"), "--rounds", "100"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "transfer.html").is_file()

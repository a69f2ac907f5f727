"""Suites: which cells they have, in which order, and what is left of each, however often it was interrupted."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from suites import KEYS, answers, clips, content, write
from transformers import TrainerCallback
from typer.testing import CliRunner

from crabplus.analysis import suite_cell, suite_run
from crabplus.analysis.runs import find_runs, read_run
from crabplus.analysis.suite import begin, cells_of, status_of
from crabplus.analysis.suite_run import Event, Progress, run_cells
from crabplus.analysis.suite_settings import load_suite
from crabplus.cli import app
from crabplus.config import ConfigError


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips(tmp_path_factory.mktemp("clips"), 4, 3)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Any]:
    """A suite and its cells."""

    def made(data: Path = Path("data"), out: Path | None = None, **changes: Any) -> Any:
        suite = load_suite(write(tmp_path / "suite.yaml", content(data, **changes)))
        return suite, cells_of(suite, out or tmp_path / "out", "suite.yaml")

    return made


def titles(cells: Any) -> list[str]:
    return [cell.title for cell in cells]


def test_cells_are_methods_times_keys_times_seeds_and_the_longest_comes_first(make: Any) -> None:
    methods = {**content(Path())["methods"], "fast": {"seeds": [7], "adapter": {"kind": "lora-equal"}}}
    _, cells = make(seeds=[0, 1], methods=methods, multi=["ilora", "lora"], equal_steps=["fast"], per_key=10)
    assert titles(cells)[:4] == ["ilora/all/seed0", "ilora/all/seed1", "lora/all/seed0", "lora/all/seed1"]
    assert titles(cells)[4] == "fast-equal-steps/all/seed7"
    assert set(titles(cells)[5:]) == {f"lora/{key}/seed{seed}" for key in KEYS for seed in (0, 1)}
    assert [cell.steps for cell in cells] == [20] * 4 + [10] * 5
    assert [cell.cost for cell in cells] == sorted((cell.cost for cell in cells), reverse=True)


def test_a_cell_is_a_run_with_equal_shares_and_the_settings_of_base_and_method(make: Any, tmp_path: Path) -> None:
    _, cells = make(per_key=30)
    joint, alone = cells[0].config, cells[1].config
    assert joint.out == (tmp_path / "out/runs/ilora/all/seed0").as_posix()
    assert {key: found.weight for key, found in joint.data.keys.items()} == {"ave": 1.0, "arig": 1.0}
    assert (joint.adapter.kind, joint.adapter.heads, joint.adapter.r) == ("ilora", 2, 4)
    assert (alone.adapter.kind, alone.adapter.r, list(alone.data.keys)) == ("lora", 4, ["ave"])
    assert (joint.data.reasoning, alone.data.reasoning) == ("off", "on")
    assert (joint.arguments["max_steps"], alone.arguments["max_steps"]) == (60, 30)
    assert joint.encoded and joint.encoded.folder == alone.encoded.folder == (tmp_path / "out/encoded").as_posix()


def test_a_joint_cell_with_a_larger_batch_takes_fewer_steps_for_as_many_samples(make: Any) -> None:
    batch, parts = "per_device_train_batch_size", "gradient_accumulation_steps"
    base = {**content(Path())["base"], "arguments": {batch: 2}}
    joint = {"arguments": {batch: 3, parts: 2, "learning_rate": 0.5}}
    _, cells = make(base=base, joint=joint, per_key=10, equal_steps=["ilora"])
    assert [(cell.method, cell.name, cell.steps) for cell in cells] == [
        ("ilora-equal-steps", "all", 10), ("ilora", "all", 7), ("lora", "ave", 10), ("lora", "arig", 10)
    ]  # fmt: skip
    assert [cell.config.arguments.get("learning_rate") for cell in cells] == [0.5, 0.5, None, None]
    assert make(base={**base, "arguments": {}}, joint={"arguments": {batch: 16}}, per_key=10)[1][0].steps == 10


def test_only_cells_longer_than_save_every_have_checkpoints(make: Any) -> None:
    _, (joint, alone, _) = make(per_key=30, save_every=30)
    assert joint.config.arguments["save_steps"] == 30
    assert alone.config.arguments["save_strategy"] == "no" and "save_steps" not in alone.config.arguments


WRONG = {
    "no method 'lorra'; did you mean 'lora'": {"single": "lorra"},
    r"keys: a list of task keys wanted, such as ave,avqa, got \[\]": {"keys": ""},
    r"seeds: a list of whole numbers wanted, such as \[0, 1, 2\], got 'x'": {"seeds": "x"},
    "keys: ave stands there twice": {"keys": "ave, ave"},
    "keys: at least two wanted": {"keys": "ave"},
    "base: seed is not set there; in its place: seeds": {"base": {"seed": 1}},
    "lora: arguments.max_steps is not set there; in its place: per_key": {
        "methods": {"lora": {"arguments": {"max_steps": 3}}, "ilora": None}
    },
    "per_key: Input should be greater than 0": {"per_key": 0},
    "ask.sample: no such setting; did you mean 'samples'": {"ask": {"sample": 3}},
    "pre_key: no such setting; did you mean 'per_key'": {"pre_key": 3},
    "lora-equal-steps is the name that equal_steps gives": {
        "methods": {"lora": None, "ilora": None, "lora-equal-steps": None}, "equal_steps": "lora",
        "single": "lora-equal-steps",
    },
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_wrong_settings_are_told(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**WRONG[message])


def test_a_wrong_setting_of_a_run_names_the_method(make: Any) -> None:
    methods = {"lora": {"adapter": {"rr": 3}}, "ilora": None}
    with pytest.raises(ConfigError, match=r"suite.yaml: method lora: adapter.rr: no such setting; did you mean 'r'"):
        make(methods=methods)
    with pytest.raises(ConfigError, match="methods.lora.seeds: a list of whole numbers wanted, got 'a'"):
        make(methods={"lora": {"seeds": "a"}, "ilora": None})
    base = content(Path("data"))["base"]
    with pytest.raises(ConfigError, match=r"suite.yaml: base: argumnts: no such setting; did you mean 'arguments'"):
        make(base={**base, "argumnts": {}})


def test_a_method_that_is_named_nowhere_makes_no_cell(make: Any) -> None:
    assert {cell.method for cell in make(multi=[])[1]} == {"lora"}


def test_changes_come_behind_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "suite.yaml", content(Path("data")))
    suite = load_suite(file, ["per_key=9", "keys=ave,avqa,arig", "base.adapter.r=16", "seeds=[3, 4]"])
    assert (suite.per_key, suite.keys, suite.seeds) == (9, ("ave", "avqa", "arig"), (3, 4))
    assert suite.base["adapter"] == {"r": 16, "alpha": 8}
    suite = load_suite(file, ["seeds=5", "equal_steps="])
    assert (suite.seeds, suite.equal_steps) == ((5,), ())


def test_a_smaller_suite_in_the_same_file(tmp_path: Path) -> None:
    small = {"keys": "ave,avqa", "per_key": 1, "single": "ilora", "multi": [], "methods": {"ilora": None}}
    file = write(tmp_path / "suite.yaml", content(Path("data"), quick=small))
    suite = load_suite(file, ["per_key=3"], quick=True)
    assert (suite.suite, suite.keys, suite.per_key) == ("small-quick", ("ave", "avqa"), 3)
    assert load_suite(file).suite == "small" and set(load_suite(file).methods) == {"lora", "ilora"}
    with pytest.raises(ConfigError, match="no section 'quick'"):
        load_suite(write(tmp_path / "other.yaml", content(Path("data"))), quick=True)


def test_a_folder_with_cells_of_other_settings_is_refused(make: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    suite, cells = make()
    begin(suite, cells, out)
    cells[1].record("done", None)
    more, grown = make(seeds=[0, 1])
    begin(more, grown, out)  # the same cells, and some more
    assert [status_of(cell) for cell in grown if cell.title == cells[1].title] == ["done"]
    for changes in ({"per_key": 3}, {"ask": {"samples": 2}}, {"threads": 2}, {"encoded": None}):
        other, altered = make(**changes, save_every=7)
        with pytest.raises(
            ConfigError, match=rf"holds cells .* lora/ave/seed0; what differs: {next(iter(changes))}\. "
        ):
            begin(other, altered, out)
    with pytest.raises(ConfigError, match=rf"remove the folders of these cells: {cells[1].folder}$"):
        begin(other, altered, out)


def test_cells_that_failed_before_they_learned_anything_are_in_nobodys_way(make: Any, tmp_path: Path) -> None:
    _, cells = make()
    cells[1].record("failed", "no such key")
    begin(*make(per_key=3), tmp_path / "out")
    (cells[1].folder / "checkpoints").mkdir()
    with pytest.raises(ConfigError, match="1 such as lora/ave/seed0; what differs: per_key"):
        begin(*make(per_key=4), tmp_path / "out")


# -- who runs a cell, and when: with cells that do nothing ------------------------------------------------------------


class Pretend:
    """Stands for the work of a cell: done at once, unless it is one of those that fail."""

    def __init__(self) -> None:
        self.bad, self.ran = set[str](), list[str]()

    def __call__(self, cell: Any, bases: Any, tell: Any) -> dict[str, float]:
        self.ran.append(cell.title)
        if cell.title in self.bad:
            raise ValueError(f"no\n{cell.name}")
        cell.record("done", None)
        return {"training": 1.0}


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    made = Pretend()
    monkeypatch.setattr(suite_cell, "run_cell", made)
    monkeypatch.setattr(suite_run, "_PAUSE", 0.05)
    return made


def events(cells: Any, locks: Path) -> list[tuple[str, str]]:
    found: list[Event] = []
    run_cells(cells, locks, 1, found.append)
    return [(event.kind, event.cell.title) for event in found]


def test_a_failing_cell_is_recorded_and_tried_again(make: Any, tmp_path: Path, pretend: Pretend) -> None:
    _, cells = make()
    pretend.bad = {"lora/ave/seed0"}
    found = events(cells, tmp_path / "locks")
    assert found[2:4] == [("begins", "lora/ave/seed0"), ("failed", "lora/ave/seed0")]
    assert [kind for kind, _ in found] == ["begins", "done", "begins", "failed", "begins", "done"]
    told = json.loads((cells[1].folder / "cell.json").read_text())
    assert (told["status"], told["reason"]) == ("failed", "ValueError: no ave")
    assert [status_of(cell) for cell in cells] == ["done", "failed", "done"]
    pretend.bad.clear()
    assert events(cells, tmp_path / "locks") == [("begins", "lora/ave/seed0"), ("done", "lora/ave/seed0")]
    assert pretend.ran.count("lora/ave/seed0") == 2 and len(pretend.ran) == 4


def test_a_cell_that_another_process_has_is_left_to_it(make: Any, tmp_path: Path, pretend: Pretend) -> None:
    _, cells = make()
    locks = tmp_path / "locks"
    locks.mkdir()
    lock = FileLock(locks / "ilora_all_seed0.lock", thread_local=False)
    lock.acquire()

    def end(event: Event) -> None:  # the other ends when these two are done
        if event.kind == "done" and event.cell is cells[2]:
            cells[0].record("done", None)
            lock.release()

    run_cells(cells, locks, 1, end)
    assert pretend.ran == titles(cells[1:])


def test_the_claim_of_a_killed_process_is_free(make: Any, tmp_path: Path, pretend: Pretend) -> None:
    _, cells = make()
    locks = tmp_path / "locks"
    locks.mkdir()
    code = (
        "import sys, time\nfrom filelock import FileLock\nlock = FileLock(sys.argv[1])\nlock.acquire()\n"
        "print('mine', flush=True)\ntime.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(locks / "ilora_all_seed0.lock")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout and holder.stdout.readline() == "mine\n"
    done: list[str] = []

    def kill(event: Event) -> None:
        if event.kind == "done":
            done.append(event.cell.title)
            if len(done) == 2:
                holder.kill()
                holder.wait()

    run_cells(cells, locks, 1, kill)
    assert done == [*titles(cells[1:]), "ilora/all/seed0"]


def test_progress_tells_how_far_it_is(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, cells = make(per_key=96, ask={"samples": 16, "batch_size": 2})
    now = iter([0.0, 3600.0, 7200.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    lines: list[str] = []
    progress = Progress(4, sum(cell.cost for cell in cells), lines.append, ended=1)
    progress(Event("begins", cells[1]))
    progress(Event("done", cells[1], "(training 3 s)"))
    progress(Event("failed", cells[2], "(why)"))
    assert lines == [
        "[1/4] lora/ave/seed0: begins",
        "[2/4] lora/ave/seed0: done (training 3 s); about 3:00 h left",
        "[3/4] lora/arig/seed0: failed (why); about 2:00 h left",
    ]


# -- what a cell leaves -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a suite that was run by the command, in one process."""
    folder = tmp_path_factory.mktemp("finished")
    file = write(folder / "suite.yaml", content(data))
    done = CliRunner().invoke(app, ["transfer", "run", str(file), "--out", str(folder / "out")])
    assert done.exit_code == 0, done.output
    assert "3 cells, of which 0 are done" in done.output and "[3/3] " in done.output
    return folder / "out"


def test_a_cell_leaves_a_run_that_the_report_reads(finished: Path, data: Path) -> None:
    runs = {run.folder: run for run in map(read_run, find_runs([finished / "runs"]))}
    assert len(runs) == 3 and {run.status for run in runs.values()} == {"done"}
    joint = runs[(finished / "runs/ilora/all/seed0").as_posix()]
    assert (joint.method, joint.keys, joint.reasoning, joint.steps) == ("ilora", KEYS, "off", 4)
    assert joint.seen == {"ave": 4, "arig": 4}
    alone = runs[(finished / "runs/lora/arig/seed0").as_posix()]
    assert (alone.keys, alone.reasoning, alone.steps, alone.seen) == (("arig",), "on", 2, {"arig": 4})
    rows = [json.loads(line) for line in Path(joint.folder, "predictions.jsonl").read_text().splitlines()]
    wanted = [(key, json.loads(line)["id"]) for key in KEYS for line in (data / key / "test.jsonl").open()]
    assert [(row["task"], row["id"]) for row in rows] == wanted
    assert {row["settings"]["reasoning"] for row in rows} == {"off"}
    assert not list(finished.rglob("checkpoint*")) and not list(finished.rglob("asked-*"))


def test_what_is_done_is_skipped(finished: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_cell, "run_cell", None)
    file = finished.parent / "suite.yaml"
    done = CliRunner().invoke(app, ["transfer", "run", str(file), "--out", str(finished), "--shard", "1/2"])
    assert done.exit_code == 0 and "2 cells, of which 2 are done" in done.output


def test_a_cell_with_a_base_of_its_own_gives_the_same_answers(
    finished: Path, data: Path, tmp_path: Path, make: Any
) -> None:
    """In the finished suite it was the last of three that began from one base."""
    _, cells = make(data)
    suite_cell.run_cell(cells[2], suite_cell.Bases(), print)
    assert answers(tmp_path / "out") == {
        name: said for name, said in answers(finished).items() if name.startswith("runs/lora/arig")
    }


class Interrupted(BaseException):
    """Stands for whatever ends a process."""


class StopAt(TrainerCallback):
    """Ends a run in the middle of a step."""

    def __init__(self, tell: Any) -> None:
        pass

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 3:
            raise Interrupted


def test_an_interrupted_cell_goes_on_to_the_same_answers(
    finished: Path, data: Path, tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once behind a checkpoint, and once between the answers to one key and those to the next."""
    joint = make(data)[1][0]
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(suite_cell, "_Words", StopAt)
        suite_cell.run_cell(joint, suite_cell.Bases(), print)
    assert [path.name for path in (joint.folder / "checkpoints").iterdir()] == ["checkpoint-2"]

    def stop(words: str) -> None:
        if words == "asking arig":
            raise Interrupted

    with pytest.raises(Interrupted):
        suite_cell.run_cell(joint, suite_cell.Bases(), stop)
    assert status_of(joint) is None
    told: list[str] = []
    suite_cell.run_cell(joint, suite_cell.Bases(), told.append)
    assert told == ["asking arig"]  # neither trained nor asked about ave again
    name = "runs/ilora/all/seed0/predictions.jsonl"
    assert answers(tmp_path / "out") == {name: answers(finished)[name]}


def test_a_cell_that_cannot_be_asked_fails_alone_and_is_tried_again(data: Path, tmp_path: Path) -> None:
    """A clip of the test split is cut short; what had been learned by then is kept."""
    shutil.copytree(data, tmp_path / "data")
    clip = next((tmp_path / "data/arig").rglob("*test*1.jpg"))
    whole, file = clip.read_bytes(), write(tmp_path / "suite.yaml", content(tmp_path / "data", multi=[], methods=ALONE))
    clip.write_bytes(whole[:100])
    command = ["transfer", "run", str(file), "--out", str(tmp_path / "out")]
    failed = CliRunner().invoke(app, command)
    assert failed.exit_code == 1
    assert "lora/ave/seed0: done" in failed.output
    assert "failed: lora/arig/seed0; mended, the same command tries these again" in failed.output
    told = json.loads((tmp_path / "out/runs/lora/arig/seed0/cell.json").read_text())
    assert told["status"] == "failed" and "1 of 3 samples of arig cannot be asked, such as" in told["reason"]
    final = tmp_path / "out/runs/lora/arig/seed0/final"
    before = {path.name: path.stat().st_mtime_ns for path in final.iterdir()}
    clip.write_bytes(whole)
    assert CliRunner().invoke(app, command).exit_code == 0
    assert {path.name: path.stat().st_mtime_ns for path in final.iterdir()} == before


def test_what_cannot_be_asked_may_count_as_wrong(data: Path, tmp_path: Path, make: Any) -> None:
    shutil.copytree(data, tmp_path / "data")
    clip = next((tmp_path / "data/arig").rglob("*test*1.jpg"))
    clip.unlink()
    base = content(tmp_path / "data")["base"]
    base["data"]["unreadable"] = "out"
    cell = make(tmp_path / "data", base=base)[1][2]
    suite_cell.run_cell(cell, suite_cell.Bases(), print)
    rows = [json.loads(line) for line in (cell.folder / "predictions.jsonl").read_text().splitlines()]
    assert [clip.name in (row.get("error") or "") for row in rows] == [False, True, False]


ALONE = {"lora": {"adapter": {"kind": "lora"}}}
MISTAKES = {
    r"lora: data.keys, data.split: .*avqa": {"keys": "ave,avqa"},
    r"lora: data.keys: unknown task key 'arigg'": {"keys": "ave,arigg"},
    r"lora: .*learning_rat": {"base.arguments.learning_rat": 1},
    r"lora: data.folder: nowhere is no folder": {"base.data.folder": "nowhere"},
    r"lora: ask.split: .*valid": {"ask.split": "valid"},
    r"lora: 3 of 3 samples of ave cannot be asked, such as .* media file .* is not there; mend": {"ask.split": "gone"},
    r"other: .*attention": {"methods.other": {"attention": "none"}, "single": "lora,other"},
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_are_told_before_anything_is_trained(data: Path, tmp_path: Path, message: str) -> None:
    shutil.copytree(data, tmp_path / "data")
    for index in (tmp_path / "data").glob("*/test.jsonl"):
        index.with_name("gone.jsonl").write_text(re.sub(r"\.(mp4|jpg)", ".gone", index.read_text()))
    file = write(tmp_path / "suite.yaml", content(tmp_path / "data", multi=[], methods=ALONE))
    changes = [f"{name}={json.dumps(value)}" for name, value in MISTAKES[message].items()]
    told = CliRunner().invoke(app, ["transfer", "run", str(file), *changes, "--out", str(tmp_path / "out")])
    assert told.exit_code != 0 and re.search(message, " ".join(told.output.split()))
    assert not (tmp_path / "out").exists()


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a suite would write by default lies where the test may write."""
    monkeypatch.chdir(tmp_path)
    yield

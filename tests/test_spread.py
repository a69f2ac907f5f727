"""Build, annotate and predict by the workers of a Ray cluster: files of a local run, also where workers are killed."""

import json
import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from typer.testing import CliRunner, Result

from crabplus.cli import app
from crabplus.datasets.avuie import write
from crabplus.schema import Event, EventsAnswer, Sample
from crabplus.spread import AUTO, SpreadError, Workers
from crabplus.tidepool.build import build


def command(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two CPUs: the commands use the Ray that their process has already."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


class Disturbed:
    """Passes items on as ``track`` does. Kills the workers, or behind so many items the user interrupts."""

    def __init__(self, ended: int | None = None) -> None:
        self.ended, self.killed, self.seen = ended, list[int](), 0

    def __call__(self, items: Iterable[Any], heading: str, total: int, done: int = 0) -> Iterator[Any]:
        for item in items:
            self.seen += 1
            yield item
            if self.seen == self.ended:
                raise KeyboardInterrupt
            if self.ended is None and not self.killed:  # items known from before come first, without workers
                self.kill()

    def kill(self) -> None:
        for process in psutil.Process().children(recursive=True):
            if process.name().startswith("ray::_Worker"):
                self.killed.append(process.pid)
                process.kill()


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """AVE with 30 training clips; one is cut short and one is missing."""
    root = tmp_path / "original"
    (clip,) = build(tmp_path / "clips", ("ave",), "train", 1, 3)
    (root / "AVE").mkdir(parents=True)
    content = (tmp_path / "clips" / clip.media[0].path).read_bytes()
    for number in range(29):
        (root / "AVE" / f"{number:02d}.mp4").write_bytes(content[:700] if number == 7 else content)
    (root / "trainSet.txt").write_text("".join(f"Bark&{number:02d}&good&0&10\n" for number in range(30)))
    return root


@pytest.mark.slow
def test_a_build_whose_workers_are_killed(
    cluster: None, original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = "build", "ave", "--root", original, "--splits", "train", "--out"
    here, disturbed = command(*arguments, tmp_path / "here"), Disturbed()
    monkeypatch.setattr("crabplus.cli.data.track", disturbed)
    there = command(*arguments, tmp_path / "there", "--ray")
    assert there.exit_code == here.exit_code == 0 and there.stdout.endswith(here.stdout)
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert disturbed.seen == 30 and disturbed.killed


@pytest.mark.slow
def test_a_build_goes_on(cluster: None, original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = "build", "ave", "--root", original, "--splits", "train", "--out", tmp_path / "out", "--ray", "auto"
    monkeypatch.setattr("crabplus.cli.data.track", Disturbed(9))
    ended = command(*arguments)
    assert ended.exit_code == 130 and "the same command goes on" in ended.stderr
    journal = tmp_path / "out" / "ave" / "journal" / "media-train.jsonl"
    kept = [json.loads(line) for line in journal.read_text().splitlines()]
    journal.write_text("".join(f"{json.dumps({**entry, 'hash': 'kept'})}\n" for entry in kept))
    whole = [entry["path"] for entry in kept if "hash" in entry]
    assert len(kept) == 9 and len(whole) > 6
    monkeypatch.setattr("crabplus.cli.data.track", Disturbed(99))
    assert command(*arguments).exit_code == 0
    found = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [entry["path"] for entry in found if entry.get("hash") == "kept"] == sorted(whole) and len(found) == 30


@pytest.mark.slow
def test_tidepool(cluster: None, tmp_path: Path) -> None:
    arguments = "build", "tidepool", "--keys", "arig,a2v", "--samples", "3", "--seed", "5", "--out"
    assert command(*arguments, tmp_path / "here").exit_code == 0
    there = command(*arguments, tmp_path / "there", "--ray")
    assert there.stdout.endswith(f"6 samples of arig, a2v in {tmp_path / 'there'}\n")
    assert files(tmp_path / "there") == files(tmp_path / "here")


@pytest.mark.slow
def test_an_annotation_ended_and_then_killed(cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "a" / "data", tmp_path / "b" / "data"
    samples = [Sample(f"s{n}", "own", "ave", "train", answer=EventsAnswer((Event("bell", 2, 8),))) for n in range(400)]
    for folder in (here, there):
        write(folder, "ave", "train", [*samples, Sample("none", "own", "ave", "train")])
    known = command("annotate", "--data", here, "--keys", "ave")
    monkeypatch.setattr("crabplus.cli.data.track", Disturbed(5))
    assert command("annotate", "--data", there, "--keys", "ave", "--ray").exit_code == 130
    journal = there / "ave" / "journal" / "reasoning-train.jsonl"
    kept = journal.read_text()
    assert kept.count("\n") >= 5
    disturbed = Disturbed()
    monkeypatch.setattr("crabplus.cli.data.track", disturbed)
    told = command("annotate", "--data", there, "--keys", "ave", "--ray")
    assert told.exit_code == 1 and told.stdout.endswith(known.stdout.replace(str(here), str(there)))
    assert (there / "ave" / "train.jsonl").read_bytes() == (here / "ave" / "train.jsonl").read_bytes()
    whole = journal.read_text()
    assert whole.startswith(kept) and disturbed.killed
    assert Counter(json.loads(line)["id"] for line in whole.splitlines()) == Counter(s.id for s in samples)


@pytest.mark.slow
def test_a_prediction_ended_and_then_killed(cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = list(build(tmp_path / "data", ("ave", "arig"), "test", 6, 8))
    damaged = tmp_path / "data" / clips[4].media[0].path
    damaged.write_bytes(damaged.read_bytes()[:3000])
    monkeypatch.chdir(tmp_path)  # errors name files by the path that was given
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that both CPUs have a worker
    arguments = "predict", "--data", "data", "--keys", "ave,arig", "--batch-size", 2, "--device", "cpu", "--out"
    known = command(*arguments, "here.jsonl")
    monkeypatch.setattr("crabplus.cli.cluster.track", Disturbed(3))
    assert command(*arguments, "there.jsonl", "--ray").exit_code == 130
    kept = Path("there.jsonl").read_text().splitlines()
    disturbed = Disturbed()
    monkeypatch.setattr("crabplus.cli.cluster.track", disturbed)
    told = command(*arguments, "there.jsonl", "--ray")
    torch.set_num_threads(threads)
    assert told.stdout.endswith("12 predictions in there.jsonl: 1 with an error, 0 unparsable\n")
    assert known.stdout.replace("here.jsonl", "there.jsonl") in told.stdout
    assert Path("there.jsonl").read_bytes() == Path("here.jsonl").read_bytes()
    assert len(kept) == 3 and disturbed.seen == 9 and disturbed.killed


@pytest.mark.slow
def test_errors_are_those_of_the_function(cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workers(AUTO, lambda: int) as workers, pytest.raises(ValueError, match="with base 10: 'x'$"):
        list(workers.map(["1", "x"]))
    with Workers(AUTO, lambda: int, [tmp_path / "n"]) as workers, pytest.raises(SpreadError, match="/n is not seen by"):
        list(workers.map(["1"]))
    monkeypatch.setattr("crabplus.spread.RETRIES", 1)
    with Workers(AUTO, lambda: os._exit) as workers, pytest.raises(SpreadError, match="not be done in 2 attempts"):
        list(workers.map([1]))


def test_what_ray_prints_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crabplus.spread.find_spec", lambda name: name)
    with Workers(AUTO, lambda: int):
        print("(raylet) A worker died.")
    print("answers")
    assert capsys.readouterr() == ("answers\n", "(raylet) A worker died.\n")


COMMANDS = [
    ("build", "tidepool", "--out", "out", "--ray"),
    ("build", "ave", "--root", ".", "--ray", "--out", "out"),
    ("annotate", "--data", ".", "--keys", "ave", "--ray", "10.0.0.1:6379"),
    ("predict", "--ray=auto", "--data", ".", "--keys", "ave", "--out", "said.jsonl"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_without_ray_the_extra_is_named(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("crabplus.spread.find_spec", lambda name: None)
    refused = command(*arguments)
    assert refused.exit_code == 2 and 'pip install "crabplus[ray]"' in refused.output


@pytest.mark.parametrize(("arguments", "words"), [
    (("build", "tidepool", "--out", "out", "--ray", "nowhere"), "got 'nowhere'"),
    (("predict", "film.mp4", "--task", "events", "--ray"), "--ray goes with --data"),
])  # fmt: skip
def test_what_cannot_be_is_refused(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("crabplus.spread.find_spec", lambda name: name)
    refused = command(*arguments)
    assert refused.exit_code == 2 and words in refused.output, refused.output


def test_where_nothing_listens_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "127.0.0.1:port"):
        refused = command("build", "tidepool", "--out", "out", "--samples", "1", "--ray", address)
        assert refused.exit_code == 2 and f"--ray {address}: no cluster listens there" in refused.output, refused.output

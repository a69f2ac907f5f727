"""Prediction: order, resuming, refusals, errors as lines, shards, short memory; on the tiny model's own encoder.

Where answers themselves do not matter, they are made from the prompt's tokens and no model runs.
"""

from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from crabplus import generate as module
from crabplus.api import CrabPlus
from crabplus.cli import app
from crabplus.cli.options import part_of
from crabplus.confidence import Said
from crabplus.data import WithSource
from crabplus.datasets.avuie import read, write
from crabplus.evaluate import read_predictions
from crabplus.generate import predict
from crabplus.models.source import Files
from crabplus.predictions import PredictionFile, PredictionsError
from crabplus.schema import Prediction
from crabplus.tidepool.build import build

KEYS = "ave,avqa,arig"


@pytest.fixture(scope="module")
def plus():
    return CrabPlus.from_pretrained("tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight clips of each key; of ave and avqa, two are shown without their sound."""
    out = tmp_path_factory.mktemp("data")
    made = list(build(out, KEYS.split(","), "test", 8, 31))
    for key in ("ave", "avqa"):
        rows = [sample for sample in made if sample.task == key]
        rows[1:3] = [replace(row, media=(replace(row.media[0], sound="none"),)) for row in rows[1:3]]
        write(out, key, "test", rows)
    return out


@pytest.fixture
def asked(monkeypatch, plus):
    """Lengths of the prompts of every batch; answers are made from the tokens, and no model is loaded again."""
    batches = []

    def answer(model, encoded, max_new_tokens, patterns=None):
        assert patterns is not None and len(patterns) == len(encoded)
        batches.append([len(item["input_ids"]) for item in encoded])
        return [Said(f"<answer>{int(item['input_ids'].sum())}</answer>") for item in encoded]

    monkeypatch.setattr(module, "generate", answer)
    monkeypatch.setattr(CrabPlus, "from_pretrained", lambda *args, **kwargs: plus)
    return batches


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def command(folder, out, *options, keys=KEYS):
    return run("predict", "--data", folder, "--keys", keys, "--out", out, *options)


def samples_of(folder):
    return [sample for key in KEYS.split(",") for sample in read(folder, key, "test")]


def names(path):
    return [(said.task, said.id) for said in read_predictions(path)]


@pytest.mark.slow
def test_a_batch_of_eight_and_one_by_one_give_the_same(plus, folder):
    data = WithSource(samples_of(folder), Files(folder))
    single = list(predict(plus.model, data, plus.pack, 1))
    grouped = list(predict(plus.model, data, plus.pack, 8, longest_first=True))
    assert [said.id for said in single] == [sample.id for sample in data.samples]
    assert {said.id: said for said in grouped} == {said.id: said for said in single}
    assert len({said.text for said in single}) > 12 and not any(said.error for said in single)


def test_longest_first_and_the_order_of_the_data(asked, plus, folder):
    data = WithSource(samples_of(folder), Files(folder))
    list(predict(plus.model, data, plus.pack, 5))
    usual = [length for batch in asked for length in batch]
    asked.clear()
    list(predict(plus.model, data, plus.pack, 5, longest_first=True))
    assert [length for batch in asked for length in batch] == sorted(usual, reverse=True) != usual


@pytest.mark.slow
def test_processes_that_decode_give_the_same_as_none(asked, plus, folder):
    data = WithSource(samples_of(folder), Files(folder))
    random = torch.get_rng_state()
    none, two = (list(predict(plus.model, data, plus.pack, 4, workers=count)) for count in (0, 2))
    assert none == two
    assert torch.equal(random, torch.get_rng_state())


def test_settings_are_recorded(asked, plus, folder, tmp_path):
    assert command(folder, tmp_path / "said.jsonl", "--reasoning", "off", "--constrain").exit_code == 0
    found = read_predictions(tmp_path / "said.jsonl")[0].settings
    wanted = {"model": "tiny", "reasoning": "off", "constrained": True, "dtype": "float32", "decoding": "greedy"}
    assert {name: found[name] for name in wanted} == wanted
    assert found["adapter"].startswith("adapter ") and found["revision"].startswith("config ")


def test_the_file_is_in_the_order_of_the_data_and_goes_on_after_a_cut(asked, folder, tmp_path):
    out = tmp_path / "deep" / "said.jsonl"
    done = command(folder, out)
    assert "24 predictions" in done.output and ": 0 with an error" in done.output
    assert names(out) == [(sample.task, sample.id) for sample in samples_of(folder)]
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(b"".join(lines[3:9]) + lines[10][:-7])
    asked.clear()
    command(folder, out)
    assert sum(map(len, asked)) == 18 and out.read_bytes() == whole
    asked.clear()
    command(folder, out)
    assert not asked and out.read_bytes() == whole


@pytest.mark.parametrize("found", ["", "\n", "\n\n"])
def test_an_empty_file_is_filled(asked, folder, tmp_path, found):
    (tmp_path / "said.jsonl").write_text(found)
    assert command(folder, tmp_path / "said.jsonl", keys="ave").exit_code == 0
    assert len(names(tmp_path / "said.jsonl")) == 8


def test_parts_of_a_run_with_more_processes_are_taken(asked, folder, tmp_path):
    out = tmp_path / "said.jsonl"
    command(folder, out)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:2]))
    for rank, part in ((1, lines[2:9]), (3, [*lines[9:12], lines[13][:20]])):
        (tmp_path / f"said.jsonl.rank{rank}").write_bytes(b"".join(part))
    (tmp_path / "said.jsonl.ranking").write_text("mine")
    asked.clear()
    command(folder, out)
    assert sum(map(len, asked)) == 12 and out.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.glob("said*")) == ["said.jsonl", "said.jsonl.ranking"]


def test_other_settings_and_other_samples_are_refused(asked, folder, tmp_path, monkeypatch):
    out = tmp_path / "said.jsonl"
    command(folder, out)
    whole = out.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(CrabPlus, "from_pretrained", lambda *args, **kwargs: pytest.fail("loaded"))
        other = command(folder, out, "--reasoning", "off")
        assert other.exit_code == 2
        assert "reasoning 'on'" in other.output and "'off'" in other.output and "--overwrite" in other.output
        foreign = command(folder, out, keys="ave,arig")
        assert foreign.exit_code == 2 and "avqa 'avqa-test-31-00000'" in foreign.output
        assert command(folder, out, "--dtype", "bfloat16").exit_code == 2
        assert out.read_bytes() == whole
        out.write_bytes(b"what is this?\n" + whole)
        assert "line 1" in command(folder, out).output
    assert command(folder, out, "--reasoning", "off", "--overwrite").exit_code == 0
    assert {said.settings["reasoning"] for said in read_predictions(out)} == {"off"}


def test_the_type_of_the_weights_is_compared_once_they_are_read(asked, folder, tmp_path):
    out = tmp_path / "said.jsonl"
    command(folder, out, keys="ave")
    lines = out.read_text().replace('"dtype":"float32"', '"dtype":"bfloat16"').splitlines(keepends=True)
    out.write_text("".join(lines[:5]))
    refused = command(folder, out, keys="ave")
    assert refused.exit_code == 2 and "dtype 'bfloat16'" in refused.output
    assert out.read_text() == "".join(lines[:5])


def test_errors_are_lines_and_retry_asks_for_them_again(asked, folder, tmp_path):
    out, sample = tmp_path / "said.jsonl", samples_of(folder)[4]
    path = folder / sample.media[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:3000])
    try:
        done = command(folder, out, "--batch-size", 1)
    finally:
        path.write_bytes(whole)
    assert "1 with an error" in done.output and done.exit_code == 0
    line = read_predictions(out)[4]
    assert line.id == sample.id and sample.id in line.error and line.text is None
    asked.clear()
    assert "1 with an error" in command(folder, out).output and not asked
    assert "0 with an error" in command(folder, out, "--retry").output
    assert sum(map(len, asked)) == 1
    assert names(out) == [(sample.task, sample.id) for sample in samples_of(folder)]


def test_shards_cover_everything_once(asked, folder, tmp_path):
    parts = [tmp_path / f"{number}.jsonl" for number in (1, 2, 3, 4, 5)]
    for number, path in enumerate(parts, start=1):
        assert command(folder, path, "--shard", f"{number}/5").exit_code == 0
    command(folder, tmp_path / "whole.jsonl")
    assert b"".join(path.read_bytes() for path in parts) == (tmp_path / "whole.jsonl").read_bytes()
    done = run("evaluate", *parts, "--data", folder, "--out", tmp_path / "scores.json")
    assert done.exit_code == 0, done.output
    assert [number for n in range(1, 8) for number in part_of(f"{n}/7", 24)] == list(range(24))


@pytest.mark.parametrize(("options", "words"), [
    (("--shard", "3/2"), "from 1/8 to 8/8"), (("--shard", "0/2"), "'0/2'"), (("--shard", "all"), "--shard 2/8"),
    (("--keys", "avee"), "did you mean 'ave'"), (("--split", "tset"), "tset.jsonl is not there"),
    (("--reasoning", "of"), "on, off"), (("--dtype", "float8"), "bfloat16"), (("--device", "abacus"), "'abacus'"),
    (("--adapter", "nowhere"), "no such folder"), (("--model", "/nowhere"), "no config.json in there"),
    (("--pack", "pack.yaml"), "no wording for key 'arig'"),
])  # fmt: skip
def test_what_is_wrong_is_told_before_a_model_is_loaded(folder, tmp_path, monkeypatch, options, words):
    monkeypatch.setattr(CrabPlus, "from_pretrained", lambda *args, **kwargs: pytest.fail("loaded"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pack.yaml").write_text(
        "{name: mine, version: 1, canvas: [28, 28], size: [112, 112], frames: 2, longest: 10, "
        "keys: {ave: {instructions: ['When?']}, avqa: {instructions: ['{question}']}}}"
    )
    refused = command(folder, tmp_path / "said.jsonl", *options)
    assert refused.exit_code == 2 and words in refused.output
    assert not (tmp_path / "said.jsonl").exists()


def test_two_samples_of_one_name_are_refused(tmp_path):
    with pytest.raises(PredictionsError, match="'b' stands 2 times"):
        PredictionFile(tmp_path / "said.jsonl", [("ave", "a"), ("ave", "b"), ("avqa", "b"), ("ave", "b")])


def test_two_commands_do_not_write_to_one_file(asked, folder, tmp_path):
    out = tmp_path / "said.jsonl"
    with PredictionFile(out, []).alone():
        refused = command(folder, out)
    assert refused.exit_code == 2 and "another command writes to it" in refused.output and not asked
    assert command(folder, out).exit_code == 0


def test_a_line_is_in_the_file_before_the_next_is_made(tmp_path):
    file = PredictionFile(tmp_path / "said.jsonl", [("ave", "a"), ("ave", "b")])
    made = file.add(iter([Prediction("b", "ave", "x \u2028 y"), Prediction("a", "ave", error="gone")]))
    next(made)
    assert (tmp_path / "said.jsonl").read_bytes().count(b"\n") == 1
    file.read()
    assert file.remaining() == [0]
    list(made)
    file.read()
    file.gather()
    assert names(file.path) == [("ave", "a"), ("ave", "b")]
    assert file.summary().endswith("1 with an error, 1 unparsable")


@pytest.mark.slow
def test_batches_that_do_not_fit_are_halved(asked, plus, folder, monkeypatch, caplog):
    answer, tried = module.generate, []
    data = WithSource(samples_of(folder), Files(folder))
    longest = max(len(plus.model.encode(*_prompt(plus, data, number))["input_ids"]) for number in range(len(data)))

    def short(model, encoded, max_new_tokens, patterns=None):
        width = max(len(item["input_ids"]) for item in encoded)
        tried.append((len(encoded), width))
        if len(encoded) * width > 2.5 * longest or width == longest:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.1 GiB.")
        return answer(model, encoded, max_new_tokens, patterns)

    wanted = {said.id: said for said in predict(plus.model, data, plus.pack, 8)}
    monkeypatch.setattr(module, "generate", short)
    found = list(predict(plus.model, data, plus.pack, 8, longest_first=True))
    errors = [said for said in found if said.error]
    assert 0 < len(errors) < 24 and all(f"{longest} tokens" in said.error for said in errors)
    assert all(said == wanted[said.id] for said in found if not said.error)
    assert len(found) == 24 and len(caplog.records) == 1
    assert tried[0][0] == 8 and sum(rows == 8 for rows, _ in tried) == 1

    monkeypatch.setattr(module, "generate", _broken)
    with pytest.raises(RuntimeError, match="shapes"):
        list(predict(plus.model, data, plus.pack, 8))


def _prompt(plus, data, number):
    from crabplus.tasks import get_task

    sample, source = data[number]
    return get_task(sample.task).prompt(sample, plus.pack), source


def _broken(*args):
    raise RuntimeError("shapes do not match")

"""The summary of a run: a log is read as it was written, and picture and page show it, whatever names it holds."""

import json
import logging
import math
from base64 import b64decode
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from crabplus.report import curves
from crabplus.report.curves import read_log, write_curves

KEYS = [
    *("a2v", "v2a", "ks", "ucf", "meld", "mer24", "cremad", "mafw", "dfew", "avqa", "avqa_thu", "ave", "unav", "avvp"),
    *("arig", "s4", "ms3", "ref_avs", "avcap"),
]
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7 * 7 }} $\\frac$"
Parse = Callable[[Path], Any]
ABOUT = {
    "command": "crabplus train", "created": "2026-01-02T03:04:05", "machine": "a machine", "versions": {"torch": "2.9"},
    "model": {"name": "a-model", "revision": "abc"}, "trained": {"language model": 1000, "projector": 234},
    "adapter": {"kind": "ilora", "r": 8, "alpha": 16, "heads": 3, "parameters": 1000, "layers": {"language model": 28},
                "parameters_by_part": {"language model": 1000}},
    "data": {"folder": "data", "split": "train", "fingerprint": "f00",
             "keys": {"ave": {"samples": 12345, "share": 0.25, "hash": "beef"}}},
}  # fmt: skip


def steps(keys: Sequence[str], count: int = 100) -> list[dict[str, Any]]:
    """Records of a run that learns."""
    return [
        {"step": step, "epoch": step / 50, "loss": 3 / step + 0.5, "learning_rate": 1e-4, "grad_norm": 1 / step,
         "samples_per_second": 4.0, "waiting": 0.1, "loss_family/all of them": 3 / step + 0.4,
         **{f"loss_key/{key}": (i + 1) / step + 0.1 for i, key in enumerate(keys)}}
        for step in range(1, count + 1)
    ]  # fmt: skip


def scores(keys: Sequence[str], *values: tuple[int, float]) -> list[dict[str, Any]]:
    return [{"step": s, "eval_mean_relative": v, **{f"eval_{key}": v / 2 for key in keys}} for s, v in values]


def log(run: Path, records: Sequence[dict[str, Any]], end: str = "") -> Path:
    run.mkdir(parents=True, exist_ok=True)
    (run / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records) + end, encoding="utf-8")
    return run


def picture(page: Any) -> Image.Image:
    (image,) = page.root.all("img")
    return Image.open(BytesIO(b64decode(image["src"].removeprefix("data:image/png;base64,"))))


def rows(page: Any, name: str) -> list[str]:
    """The rows of a table as words; none where the page has no such table."""
    return [row.text for table in page.root.all("section") for row in table.all("tr")
            if table.attributes.get("aria-labelledby") == name]  # fmt: skip


def test_of_a_repeated_step_the_later_line_counts(tmp_path: Path) -> None:
    records = [
        {"step": 10, "loss": 2.0, "grad_norm": 7},
        {"step": 30, "loss": 0.5},
        {"step": 20, "loss": 1.0},
        {"step": 10, "loss": 3.0},
    ]
    assert read_log(log(tmp_path, records) / "log.jsonl") == {
        "loss": [(10, 3.0), (20, 1.0), (30, 0.5)], "grad_norm": [(10, 7.0)]
    }  # fmt: skip


def test_what_is_no_number_is_no_point(tmp_path: Path) -> None:
    records = [{"step": 1, "loss": "low", "best": True, "part": None, "train_runtime": 2, "grad_norm": math.nan}]
    series = read_log(log(tmp_path, records) / "log.jsonl")
    assert series.keys() == {"train_runtime", "grad_norm"} and math.isnan(series["grad_norm"][0][1])


def test_cut_lines_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = log(tmp_path, [{"step": 1, "loss": 2.0}], '{"step": 2, "lo') / "log.jsonl"
    assert read_log(path) == {"loss": [(1, 2.0)]} and not caplog.records
    with caplog.at_level(logging.WARNING):
        path.write_text(path.read_text() + '{"step": 3, "loss": 1}\n\n{"step": 4, "loss": 0.5}\n[5]\n')
        assert read_log(path) == {"loss": [(1, 2.0), (4, 0.5)]}
    assert [record.getMessage().split(" is ")[0] for record in caplog.records] == [f"{path}, line 2"]


@pytest.mark.parametrize("content", ["", "\n", '{"step": 1}\n', '{"loss": 1}\n', "no log\n"])
def test_a_log_without_numbers_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "log.jsonl").write_text(content)
    with pytest.raises(ValueError, match=r"log\.jsonl: no step is logged"):
        write_curves(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_whole_run_of_every_key(tmp_path: Path, parse: Parse) -> None:
    run = log(
        tmp_path / "my run", steps(KEYS) + scores(KEYS, (50, 0.9), (100, 0.8)) + [{"step": 100, "train_runtime": 7200}]
    )
    (run / "run.json").write_text(json.dumps(ABOUT))
    (run / "config.yaml").write_text("seed: 7\n")
    drawn, written = write_curves(run)
    page = parse(written)
    assert sorted(path.name for path in run.iterdir()) == [
        "config.yaml", "curves.png", "log.jsonl", "run.json", "summary.html"
    ]  # fmt: skip
    assert page.root.all("h1")[0].text == "Training run my run"
    width, height = Image.open(drawn).size
    assert width == 1650 and width < height < 2 * width and picture(page).size == (width, height)
    assert rows(page, "evaluation")[1:3] == ["mean relative 0.800 100 0.900 50", "a2v 0.400 100 0.450 50"]
    assert len(rows(page, "evaluation")) == 21 and len(rows(page, "loss")) == 22
    assert "all of them family 3.400 1 0.430 100 -87%" in rows(page, "loss")
    assert "avcap key 19.100 1 0.290 100 -98%" in rows(page, "loss")
    assert rows(page, "trained")[1:] == ["language model 28 1,000 1,000", "projector – – 234", "all 28 1,000 1,234"]
    assert rows(page, "data")[1:] == ["ave 12,345 25.0% beef"]
    words = page.root.text
    for said in ("a-model abc", "ilora, rank 8, alpha 16, heads 3, parameters 1,000", "folder data, split train",
                 "torch 2.9", "2.00 h", "samples per second, median 4.00", "waiting for data, mean 10.0%"):  # fmt: skip
        assert said in words, said
    assert page.root.all("pre")[0].text == "seed: 7"


def test_curves_of_all_keys_can_be_told_apart(tmp_path: Path) -> None:
    series = read_log(log(tmp_path, steps(KEYS) + scores(KEYS, (50, 0.9))) / "log.jsonl")
    panel, evaluation = curves._keys(series), curves._scores(series)
    looks = {curve.label: (curve.colour, str(curve.style)) for curve in panel.curves}
    assert looks.keys() == set(KEYS) and len({colour for colour, _ in looks.values()}) == 19
    assert [curve.label for curve in panel.curves][:2] == ["avcap", "ref_avs"], "the highest first"
    assert evaluation.curves[0].label == "mean relative"
    assert {curve.label: (curve.colour, str(curve.style)) for curve in evaluation.curves[1:]} == looks


def test_every_panel_spans_the_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One evaluation at the end stands at the end, under the losses of the same step; one step alone is drawn too."""
    figures: list[Any] = []
    monkeypatch.setattr(curves, "Figure", lambda **options: figures.append(Figure(**options)) or figures[-1])
    write_curves(log(tmp_path, steps(["ave"]) + scores(["ave"], (100, 0.9))))
    write_curves(log(tmp_path, [{"step": 0, "loss": 1.0}]))
    assert [axes.get_xlim() for axes in figures[0].axes] == [(0, 102)] * 7
    assert [axes.get_title(loc="left") for axes in figures[1].axes] == ["Loss"]


def test_panels_without_data_are_left_out(tmp_path: Path, parse: Parse) -> None:
    """With less in the log the picture is lower."""
    heights = []
    for name, records in {
        "all": steps(KEYS) + scores(KEYS, (9, 1.0)), "no evaluation": steps(KEYS), "no keys": steps([]),
        "loss": [{"step": 1, "loss": 1.0}],
    }.items():  # fmt: skip
        _, written = write_curves(log(tmp_path / name, records))
        heights.append(picture(parse(written)).height)
    assert heights == sorted(set(heights), reverse=True)


def test_without_evaluation_and_files_the_page_is_short(tmp_path: Path, parse: Parse) -> None:
    page = parse(write_curves(log(tmp_path, steps(["ave"])))[1])
    assert [heading["id"] for heading in page.root.all("h2")] == ["curves", "loss"]


def test_only_numbers_without_a_panel_are_no_error(tmp_path: Path, parse: Parse) -> None:
    page = parse(write_curves(log(tmp_path, [{"step": 3, "train_runtime": 3600.0}]))[1])
    assert "1.00 h" in page.root.text and not page.root.all("table") and picture(page).width == 1650


def test_hostile_names_are_inert(tmp_path: Path, parse: Parse) -> None:
    evil: Any = {EVIL: {EVIL: EVIL, "samples": EVIL, "share": EVIL, "hash": EVIL}}
    run = log(tmp_path / "<b>run", steps([EVIL, "_under", "a\nb", "$\\frac$"]) + scores([EVIL], (3, 0.5)))
    about = {"command": EVIL, "created": EVIL, "machine": EVIL, "versions": {EVIL: EVIL}, "trained": {EVIL: EVIL},
             "model": {"name": EVIL, "revision": EVIL}, "adapter": {"kind": EVIL, "layers": evil, "r": EVIL},
             "data": {"folder": EVIL, "split": EVIL, "fingerprint": EVIL, "keys": evil}}  # fmt: skip
    (run / "run.json").write_text(json.dumps(about))
    (run / "config.yaml").write_text(f"</pre>{EVIL}")
    page = parse(write_curves(run)[1])
    assert len(page.root.all("script")) == 1 and len(page.root.all("img")) == 1 and not page.root.all("b")
    assert page.source.count("<script") == 1 and "49" not in "".join(page.root.all("pre")[0].words)
    assert EVIL in "".join(page.root.all("pre")[0].words) and page.root.all("h1")[0].text == "Training run <b>run"
    assert all(not name.startswith("on") for element in page.root.every() for name in element.attributes)


@pytest.mark.parametrize("about", [{}, {"data": None, "adapter": [], "model": "m"}, {"data": {"keys": {"ave": None}}}])
def test_missing_parts_of_the_record_are_left_out(tmp_path: Path, about: dict, parse: Parse) -> None:
    run = log(tmp_path, steps(["ave"]))
    (run / "run.json").write_text(json.dumps(about))
    assert rows(parse(write_curves(run)[1]), "data")[1:] == (["ave – – –"] if about.get("data") else [])


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    run = log(tmp_path, steps(["ave"]))
    (run / "run.json").write_text(content)
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        write_curves(run)
    assert not (run / "curves.png").exists()


def test_a_run_that_broke_shows_it(tmp_path: Path, parse: Parse) -> None:
    """A loss that is no number is a gap in its curve, the last value of the table, and never the best score."""
    records = steps(["ave"]) + [{"step": 101, "loss": math.nan, "grad_norm": math.inf}]
    page = parse(write_curves(log(tmp_path, [*records, *scores(["ave"], (1, math.nan), (2, 0.5), (3, math.nan))]))[1])
    assert rows(page, "evaluation")[1] == "mean relative nan 3 0.500 2"
    assert rows(page, "loss")[1] == "all 3.500 1 nan 101 +nan%"


def test_smoothing_looks_back_only() -> None:
    assert list(curves._smooth(np.arange(10.0))) == list(range(10))
    values = np.concatenate([np.zeros(100), np.ones(100)])
    values[150] = np.nan
    smooth = curves._smooth(values)
    assert smooth[99] == 0 and 0 < smooth[100] < smooth[105] < smooth[107] == 1
    assert np.isnan(smooth[150]) and smooth[151] == 1


def test_an_old_page_stays_until_a_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = log(tmp_path, steps(["ave"]))
    old = [path.read_bytes() for path in write_curves(run)]
    log(run, steps(["ave", "unav"]))
    monkeypatch.setattr(curves, "summary_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_curves(run)
    assert [(run / name).read_bytes() for name in ("curves.png", "summary.html")] == old
    assert not pyplot.get_fignums() and len(list(run.iterdir())) == 3

"""The page on transfer: its numbers are those of the JSON, whatever the names, and it needs nothing beside it."""

import json
from base64 import b64decode
from io import BytesIO, StringIO

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from crabplus.report.heat import change_words, draw_transfer, signed
from crabplus.report.transfer import transfer_table, write_transfer_page
from crabplus.report.transfer_words import remarks, verdict

EVIL = "<script>alert(1)</script><img src=x>\"'&{{ 7 * 7 }} $\\frac$ [/red]"


def cell(key, method="ilora", **changes):
    """A key that gains a tenth of its score, clearly."""
    return {
        "key": key, "family": "question answering", "asks": "what is asked", "method": method, "metric": "accuracy",
        "n": 200,
        "seeds": [0, 1, 2], "single": 0.5, "multi": 0.55, "single_by_seed": [0.5] * 3, "multi_by_seed": [0.55] * 3,
        "constant": 0.25, "perfect": 1.0, "change": 0.05, "change_ci95": [0.0123, 0.0877],
        "change_ci95_samples": [0.02, 0.08], "relative": 0.1, "relative_ci95": [0.0211, 0.1789],
        "resolution": 1 / 600, "outcome": "positive", "significant": True, "ceiling": False, "counted": True,
        "unanswered": [0, 0], "seen": [1200, 1200], "steps": [100, 1900], **changes,
    }  # fmt: skip


def counts(keys, positive, **changes):
    return {
        "keys": keys, "positive": positive, "share": positive / keys if keys else None, "share_ci95": [0.25, 0.75],
        "could_improve": keys, "share_of_could_improve": positive / keys if keys else None,
        "share_of_could_improve_ci95": [0.25, 0.75], "positive_significant": ["avqa"], "negative": [],
        "negative_significant": [], "ties": [], "ceiling": [], "zero_baseline": [], "median_relative": 0.1,
        "mean_change": 0.05, **changes,
    }  # fmt: skip


def made(cells=None, methods=None, **changes):
    worse = {"change": -0.05, "multi": 0.45, "relative": -0.1, "outcome": "negative", "significant": False}
    cells = cells or [cell("avqa"), cell("ave", **worse), cell("a2v", "lora"), cell("ave", "lora", **worse)]
    row = {"method": "ilora", "kind": "multi-task", "runs": 3, "done": 2, "adapters": ["ilora"], "seeds": [0, 1, 2],
           "keys": 19, "parameters": [123456], "steps": [1900], "seen": [1200], "models": ["tiny"], "batches": [8],
           "rates": [0.001]}  # fmt: skip
    runs = [
        {
            "folder": f"runs/{n}",
            "command": "crabplus train a.yaml",
            "created": f"2026-11-{day}T09:00:00+00:00",
            "versions": {"torch": torch},
        }
        for n, (day, torch) in enumerate([(30, "2.9.1"), (29, "2.10.0")])
    ]
    return {
        "settings": {"data": "data", "split": "test", "samples": None, "baseline": "lora", "ceiling": 0.98,
                     "rounds": 1000, "seed": 0},
        "methods": methods or {"ilora": counts(2, 1), "lora": counts(2, 1)}, "trained": [row], "cells": cells,
        "missing": [], "notes": [], "runs": runs, **changes,
    }  # fmt: skip


def write(tmp_path, parse, content):
    picture, written = write_transfer_page(tmp_path, content, "crabplus transfer runs")
    return picture, parse(written)


def table(page, name):
    (section,) = [s for s in page.root.all("section") if s.attributes.get("aria-labelledby") == name]
    return [[*(entry.text for entry in row.all("th")), *(entry.text for entry in row.all("td"))]
            for row in section.all("tr")]  # fmt: skip


def shown(content, width=120):
    console = Console(file=StringIO(), width=width)
    console.print(transfer_table(content))
    return console.file.getvalue()


def test_every_number_is_that_of_the_json(tmp_path, parse):
    _, page = write(tmp_path, parse, made())
    assert table(page, "method-0")[1:] == [
        ["avqa", "▲ clearly better", "0.500", "0.550", "+0.050 (+0.012 to +0.088)", "+10.0 % (+2.1 to +17.9)",
         "0.250"],
        ["ave", "▼ worse", "0.500", "0.450", "−0.050 (+0.012 to +0.088)", "−10.0 % (+2.1 to +17.9)", "0.250"],
    ]  # fmt: skip
    assert "Samples × seeds of each key: 200 × 3" in page.root.text
    assert "alone / together, with repeats: 1,200 / 1,200" in page.root.text
    assert table(page, "tasks")[1] == [
        "avqa", "what is asked", "accuracy"
    ]  # fmt: skip
    assert [row[0] for row in table(page, "method-1")] == ["Key", "a2v", "ave"]
    assert table(page, "overview")[1] == [
        "ilora", "1 of 2", "50 %", "25 % to 75 %", "50 % of 2", "1", "0", "0", "0", "0", "+10.0 %"
    ]  # fmt: skip
    assert table(page, "trained")[1] == [
        "ilora", "together", "ilora", "2 of 3", "19", "0, 1, 2", "123,456", "1,900", "8", "0.001", "1,200"
    ]  # fmt: skip
    assert "2026-11-29 to 2026-11-30" in page.root.text and "2.9.1, 2.10.0" in page.root.text
    assert page.root.all("h1")[0].text == "Does training together help?"
    assert "crabplus transfer runs" in [pre.text for pre in page.root.all("pre")]
    assert "crabplus train a.yaml" in [pre.text for pre in page.root.all("pre")]


def test_it_refers_to_nothing_outside(tmp_path, parse):
    picture, page = write(tmp_path, parse, made())
    for element in page.root.every():
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            assert element.attributes.get(name, "#").startswith(("data:", "#")), element
    assert (
        "url(" not in page.source
        and "@import" not in page.source
        and "http" not in page.source.replace("http-equiv", "")
    )
    (image,) = page.root.all("img")
    assert b64decode(image["src"].removeprefix("data:image/png;base64,")) == picture.read_bytes()
    assert "default-src 'none'" in page.source


def test_hostile_names_are_inert(tmp_path, parse):
    lack = {"key": EVIL, "method": EVIL, "seed": 0, "kind": EVIL, "why": EVIL, "folder": EVIL}
    content = made(
        [cell(EVIL, EVIL, metric=EVIL)], {EVIL: counts(1, 1, ties=[EVIL])}, missing=[lack], notes=[EVIL],
        runs=[{"folder": EVIL, "command": EVIL, "created": EVIL, "versions": {EVIL: EVIL}}],
    )  # fmt: skip
    _, page = write(tmp_path, parse, content)
    assert page.source.count("<script") == 1 and len(page.root.all("img")) == 1 and "49" not in page.root.text
    assert EVIL.split("[")[0].strip() in page.root.text and "[/red]" in shown(content, 400)


def test_the_verdict_is_one_sentence_with_the_best_first():
    content = made(methods={"lora": counts(19, 8), "equal": counts(18, 9), "ilora": counts(19, 17), "no": counts(0, 0)})
    assert verdict(content).replace("\u00a0", " ") == (
        "Compared with training each task alone, training together helps 17 of 19 tasks with ilora (89 %), 9 of 18 "
        "tasks with equal (50 %) and 8 of 19 tasks with lora (42 %)."
    )
    assert verdict(made(methods={"none": counts(0, 0)})) == "Nothing could be compared; what is missing stands below."
    lack = {"key": None, "method": "m", "seed": 1, "kind": "multi-task", "why": "it failed", "folder": None}
    assert verdict(made(missing=[lack])).endswith("; not everything could be compared, see what is missing.")


def test_what_is_missing_is_on_page_and_terminal(tmp_path, parse):
    failed = {"method": "ilora", "seed": 1, "kind": "multi-task", "why": "the run failed: no memory", "folder": "r/1"}
    absent = {"method": "lora", "seed": 2, "kind": "multi-task", "why": "there is no run", "folder": None}
    lacks = [{"key": "ave", **failed}, {"key": "avqa", **failed}, {"key": None, **absent}]
    content = made(missing=lacks, notes=["one thing"])
    _, page = write(tmp_path, parse, content)
    assert table(page, "missing")[1:] == [
        ["ave, avqa", "ilora", "multi-task", "seed 1", "the run failed: no memory", "r/1"],
        ["all keys", "lora", "multi-task", "seed 2", "there is no run", ""],
    ]
    assert "one thing" in page.root.text and "note: one thing" in shown(content)
    assert "missing: ave, avqa: ilora: multi-task: seed 1: the run failed: no memory: r/1" in shown(content, 200)
    _, page = write(tmp_path, parse, made())
    assert "Nothing: every run was found" in page.root.text


def test_ties_ceilings_and_zero_baselines_are_told(tmp_path, parse):
    tie = {"outcome": "tie", "significant": False, "counted": False, "change": 0.0, "relative": 0.0}
    full = {"ceiling": True, "counted": False, "single": 0.99, "multi": 1.0}
    zero = {"single": 0.0, "multi": 0.2, "change": 0.2, "relative": None, "relative_ci95": None}
    cells = [cell("avqa", **tie), cell("ave", **full), cell("a2v", **zero)]
    content = made(cells, {"ilora": counts(3, 1, ties=["avqa"], ceiling=["ave"], could_improve=2)})
    _, page = write(tmp_path, parse, content)
    rows = {row[0]: row for row in table(page, "method-0")}
    assert rows["avqa"][1] == "= tie" and rows["avqa"][4].startswith("0.000 ")
    assert rows["ave"][1] == "▲ clearly better, at ceiling: not counted"
    assert rows["a2v"][4].startswith("+0.200 ") and rows["a2v"][5] == "–"
    assert table(page, "overview")[1][8:10] == ["1: avqa", "1: ave"]
    assert "▲ +10.0 %*^" in shown(content) and "▲ +0.200*" in shown(content)


def test_what_differs_from_key_to_key_has_a_column(tmp_path, parse):
    _, page = write(tmp_path, parse, made([cell("avqa", relative_ci95=None, seen=[5, 6]), cell("ave", n=3)]))
    assert table(page, "method-0")[1][5:] == ["+10.0 % (no interval)", "0.250", "200 × 3", "5 / 6"]
    assert table(page, "method-0")[0][7:] == ["Samples × seeds", "Learned from"]


def test_what_was_not_learned_is_told(tmp_path, parse):
    """Once for the tasks alone, however many methods are compared with them."""
    cells = [
        cell("avqa", unanswered=[600, 3], single=0.0), cell("ave", constant=0.5), cell("a2v", constant=0.45),
        cell("avqa", "lora", unanswered=[600, 600], single=0.0, multi=0.0), cell("ave", "lora", constant=0.5),
    ]  # fmt: skip
    content = made(cells)
    notes = [
        "each key alone: not one answer to avqa could be read", "together, lora: not one answer to avqa could be read",
        "each key alone: no better than the best constant answer on avqa and ave; next to nothing was learned there",
        "together, lora: no better than the best constant answer on avqa; next to nothing was learned there",
    ]  # fmt: skip
    assert remarks(content) == notes and all(f"note: {note}" in shown(content, 200) for note in notes)
    assert all(note in write(tmp_path, parse, content)[1].root.text for note in notes)
    assert remarks(made()) == []


def test_the_rules_name_the_settings(tmp_path, parse):
    content = made()
    content["settings"].update(ceiling=0.9, rounds=777)
    text = write(tmp_path, parse, content)[1].root.text
    assert "scores 0.9 or more" in text and "777 draws" in text and "over samples and seeds" in text
    one = made([cell("avqa", seeds=[0])], {"ilora": counts(1, 1)})
    assert "over samples alone, as there is one seed" in write(tmp_path, parse, one)[1].root.text


@pytest.mark.parametrize(("value", "words"), [(0.1234, "+0.123"), (-0.1, "−0.100"), (0.0, "0.000"), (-0.0001, "0.000")])
def test_numbers_with_their_sign(value, words):
    assert signed(value, ".3f") == words


def test_a_star_marks_what_is_clear():
    assert change_words(cell("avqa")) == "+10.0 %*"
    assert change_words(cell("avqa", significant=False, relative=None)) == "+0.050"


def grey(content):
    return np.asarray(Image.open(BytesIO(draw_transfer(content))).convert("L"), dtype=float)


def test_the_picture_tells_better_from_worse_in_grey():
    """Changes of one size, up and down: without colours, hatching still tells them apart (and the sign, in words)."""
    edges = []
    for outcome in ("positive", "negative"):
        shades = grey(made([cell("avqa", outcome=outcome, relative=0.4)], {"ilora": counts(1, 1)}))
        edges.append((np.abs(np.diff(shades, axis=1)) > 8).mean())
    assert edges[1] > 1.15 * edges[0]


def test_the_picture_grows_with_keys_and_methods_and_shows_gaps():
    small = grey(made([cell("avqa")], {"ilora": counts(1, 1)}))
    names = [f"method {n}" for n in range(5)]
    cells = [cell(f"key{n}", names[0]) for n in range(19)]
    methods = {name: counts(19 * (name == names[0]), 3) for name in names}
    large = grey(made(cells, methods))
    assert large.shape[0] > 3 * small.shape[0] and large.shape[1] > 2 * small.shape[1]
    assert json.dumps(made())  # the content is plain

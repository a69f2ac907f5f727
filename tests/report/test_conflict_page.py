"""The page, the pictures and the table about conflict between keys."""

import base64
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console

from crabplus.analysis.trust import compare
from crabplus.report import matrices
from crabplus.report.conflict import conflict_table, verdict, write_conflict_page
from crabplus.tasks import TASKS
from hand_made_gradients import made

FEW, GROUPS = ("ave", "avqa", "arig", "ks", "ucf", "meld"), (1, 1, 2, -1, 2, 3)
EVIL = "<img src=x onerror=alert(1)>"


def trusted(content: dict[str, Any]) -> dict[str, Any]:
    cells = [
        {"key": key, "method": method, "relative": row["predicted"], "ceiling": key == "meld"}
        for method in ("ilora", EVIL)
        for key, row in content["keys"].items()
    ]
    found = {
        name: compare({key: row[name] for key, row in content["keys"].items()}, {"cells": cells}, 200)
        for name in ("predicted", "pull")
    }
    return {**content, "measured": {"file": EVIL, **found}}


def test_page_and_picture(tmp_path: Path, parse: Callable[[Path], Any]) -> None:
    content = made(FEW, GROUPS)
    cosines = content["whole"]["cosine"]
    below = sum(cosines[i][j] < 0 for i in range(6) for j in range(i))
    picture, written = write_conflict_page(tmp_path, content, "crabplus transfer predict x.yaml")
    page = parse(written)
    shown = page.root.all("img")
    assert len(shown) == 5 and base64.b64decode(shown[0]["src"].split(",")[1]) == picture.read_bytes()
    text = page.root.text
    for words in (
        f"{below} of 15 pairs of keys conflict after 50 steps on all keys (", "Suggested groups:",
        "crabplus transfer predict x.yaml", "--measured transfer.json", "4, each of 16 samples",
    ):  # fmt: skip
        assert words in text, words
    rows = [row.text for row in page.root.all("table")[0].all("tr")[1:]]
    assert len(rows) == 6 and any(row.startswith("ks action recognition") for row in rows)


def test_with_measured_transfer_the_page_says_how_far_to_trust(tmp_path: Path, parse: Callable[[Path], Any]) -> None:
    page = parse(write_conflict_page(tmp_path, trusted(made(FEW, GROUPS)), "c")[1])
    assert len(page.root.all("img")) == 6 and "Over 5 keys the rank correlation is +1.00" in page.root.text
    assert "cannot improve: alone it is at the ceiling" in page.root.text
    assert not [element for element in page.root.every() if "onerror" in element.attributes]


def test_all_keys_are_drawn_in_the_order_of_their_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(matrices, "Figure", lambda **options: figures.append(Figure(**options)) or figures[-1])
    keys = tuple(TASKS)
    content = made(keys, [number % 4 for number in range(len(keys))])
    picture = Image.open(BytesIO(matrices.draw_matrix(content)))
    assert picture.width < 1800
    (axes,) = figures[0].axes
    order = [key for group in content["groups"] for key in group]
    assert [label.get_text() for label in axes.get_yticklabels()] == order and sorted(order) == sorted(keys)
    numbers = [text.get_text() for text in axes.texts]
    first, second = keys.index(order[0]), keys.index(order[1])
    whole = content["whole"]
    wanted = [whole["itself"][first], whole["debiased"][first][second], whole["cosine"][second][first]]
    shown = [numbers[0], numbers[1], numbers[len(keys)]]
    assert shown == [matrices._number(value) for value in wanted]


def test_numbers_are_short_and_signed() -> None:
    values = {0.123: ".12", -0.4: "−.40", 1.0: "1.00", -0.001: ".00", None: "–", -1.25: "−1.25"}
    assert {value: matrices._number(value) for value in values} == values


def test_what_has_no_gradient_is_drawn_as_such(tmp_path: Path, parse: Callable[[Path], Any]) -> None:
    content = made(FEW, GROUPS)
    none = [[None] * 6 for _ in FEW]
    kind = {**content["kinds"][0], "cosine": none, "itself": [None] * 6, "mean": None, "conflicting": None}
    content["kinds"][0] = kind
    content["pieces"][0] |= {"mean": None, "conflicting": None, "clearly": None}
    page = parse(write_conflict_page(tmp_path, content, "c")[1])
    assert len(page.root.all("img")) == 5


def test_the_table_on_a_terminal() -> None:
    content = trusted(made(FEW, GROUPS))
    console = Console(width=80, record=True, file=StringIO())
    console.print(conflict_table(content))
    text = console.export_text()
    assert all(key in text for key in FEW) and "rank correlation" in text
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text


def test_verdicts() -> None:
    one = made(FEW[:3], (1, 1, 1))
    assert verdict(one).endswith("No grouping is suggested: the keys form one group.")
    one["settings"]["warmup"] = 0
    assert "at its very start" in verdict(one)
    one["settings"]["config"]["adapter"]["start"] = "out/final"
    assert "at out/final" in verdict(one)

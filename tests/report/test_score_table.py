"""The table on a terminal shows every number of the issue, in order."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from crabplus.report.table import score_table
from crabplus.schema import Score

SCORES = {
    "ave": Score("segment_accuracy", 0.8456, 0.25, 200, 3, 1, (0.752, 0.85), {"errors": 2.0}),
    "avqa": Score("accuracy", 0.5, 0.3, 120, 0, 0, (0.4, 0.6)),
}


def text(width: int, *arguments: object) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(score_table(*arguments))  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined]


def lines(*arguments: object) -> list[list[str]]:
    shown = text(140, *arguments).splitlines()
    return [[cell.strip() for cell in line.strip().strip("┃│").replace("┃", "│").split("│")] for line in shown]


def test_all_columns() -> None:
    off = {"ave": Score("segment_accuracy", 0.1, 0.25, 200, 0, 0, (0, 0.2))}
    _, *header, _, first, second, _ = lines(SCORES, off)
    assert [" ".join(words).strip() for words in zip(*header, strict=True)] == [
        "key", "metric", "score", "95 %", "adapter off", "best constant", "n", "no answer",
    ]  # fmt: skip
    assert first == ["ave", "segment accuracy", "0.846", "0.75–0.85", "0.100", "0.250", "200", "6"]
    assert second == ["avqa", "accuracy", "0.500", "0.40–0.60", "–", "0.300", "120", "0"]


def test_nothing_is_shortened_on_a_narrow_terminal() -> None:
    marked = {"avqa_thu": replace(SCORES["ave"], partial=True)}
    assert "…" not in text(80, marked, marked)


def test_no_column_for_an_adapter_that_was_not_taken_off() -> None:
    assert "adapter" not in lines(SCORES)[1]


def test_partial_scores_and_notes_are_marked() -> None:
    marked = {"ave": replace(SCORES["ave"], partial=True, notes=("no METEOR: java absent",)), "avqa": SCORES["avqa"]}
    shown = lines(marked)
    assert [row[2] for row in shown[4:7]] == ["0.846", "partial", "0.500"]
    assert shown[-1] == ["ave: no METEOR: java absent"]

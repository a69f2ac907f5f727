"""What the commands share."""

import pytest
from typer import BadParameter

from crabplus.cli.options import clock, track


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1:30", 90), ("0:01:30.5", 90.5), ("2:00:00", 7200), ("0", 0)]
)
def test_times_as_a_clock_shows_them(text, seconds):
    assert clock(text) == seconds


@pytest.mark.parametrize("text", ["", "1:", "x", "-3", "1:2:3:4", "1.2.3", "1:-2"])
def test_what_is_no_time(text):
    with pytest.raises(BadParameter, match="h:mm:ss"):
        clock(text)


def test_a_bar_counts_what_was_there_and_ends_at_the_total(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what Rich takes for a terminal
    made = track(iter("abc"), "working", 5, done=2)
    assert [next(made) for _ in range(3)] == ["a", "b", "c"]
    made.close()  # who takes the last one does not come back
    shown = capsys.readouterr()
    assert "5/5" in shown.err and not shown.out
    monkeypatch.delenv("FORCE_COLOR")
    assert list(track("abc", "working", 3)) == ["a", "b", "c"] and capsys.readouterr().err == ""

"""The page on transfer in Chromium."""

import pytest

from crabplus.analysis.transfer import Settings, compare
from crabplus.report.transfer import write_transfer_page
from hand_made_runs import first, write_run, write_suite
from in_a_browser import WIDTHS, opened

pytestmark = pytest.mark.slow


@WIDTHS
def test_nothing_overflows(browser, tmp_path, width):
    alone = {"avqa": (4, 5), "a2v": (10, 10), "ave": (0, 0), "v2a": (6, 7)}
    methods = {name: alone for name in ("lora", "lora-equal", "a-method-with-a-very-long-name-of-one-word", "ilora")}
    runs = write_suite(tmp_path, 10, alone, methods)
    reason = {"status": "failed", "reason": "RuntimeError: " + "a-very-long-word" * 20}
    write_run(runs / "lora" / "avqa" / "seed1", tmp_path / "data", "lora", {"avqa": first(1, 10)}, 1, **reason)
    made = compare([runs], Settings(rounds=100))
    made["runs"] = [{**run, "command": "crabplus train " + "folder/" * 50} for run in made["runs"]]
    made["notes"].append("note/" * 60)
    _, page = write_transfer_page(tmp_path, made, "crabplus transfer " + "folder/" * 50)
    with opened(browser, page, width) as tab:
        assert tab.evaluate("document.images.length") > 0

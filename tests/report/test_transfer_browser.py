"""The page on transfer in Chromium: it fits wide and narrow screens, and asks nobody for anything."""

import pytest

from crabplus.analysis.transfer import Settings, compare
from crabplus.report.transfer import write_transfer_page
from hand_made_runs import first, write_run, write_suite

pytestmark = pytest.mark.slow
OUTSIDE = """() => [...document.querySelectorAll("header *, main *")]
    .filter(e => !e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("width", [1200, 400])
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
    tab = browser.new_page(viewport={"width": width, "height": 900})
    asked, wrong = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: wrong.append(message.text))
    tab.goto(page.as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width and tab.evaluate(OUTSIDE) == []
    assert tab.evaluate("document.querySelector('img').naturalWidth") > 0
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == [] and wrong == []
    tab.close()

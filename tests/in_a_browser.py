"""What holds for every page that is written: it fits the screen, asks nobody for anything, and its media play."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WIDTHS = pytest.mark.parametrize("width", [1200, 400])
OUTSIDE = """() => [...document.querySelectorAll("header *, main *")]
    .filter(e => !e.closest(".scroll") && !e.parentElement.closest("svg"))
    .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(e => e.outerHTML.slice(0, 80))"""
PLAYED = "[...document.querySelectorAll('video, audio')].every(e => e.currentTime > 0)"


@contextmanager
def opened(browser: Any, page: Path, width: int) -> Iterator[Any]:
    """The page in a window of this width, with everything unfolded; its pictures are there and nothing sticks out.

    In the end it has asked nobody for anything, and found nothing to complain of.
    """
    tab = browser.new_page(viewport={"width": width, "height": 900})
    asked, wrong = list[str](), list[str]()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(page.as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    until(tab, "[...document.images].every(image => image.complete && image.naturalWidth)")
    outside, wide = tab.evaluate(OUTSIDE), tab.evaluate("document.documentElement.scrollWidth")
    assert not outside and wide == width, (outside, wide)
    yield tab
    away = [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not away and not wrong, (away, wrong)
    tab.close()


def play(tab: Any) -> int:
    """Play everything, without a sound; how many players there are."""
    tab.evaluate("document.querySelectorAll('video, audio').forEach(e => { e.muted = true; e.play(); })")
    until(tab, PLAYED)
    count: int = tab.evaluate("document.querySelectorAll('video, audio').length")
    return count


def until(tab: Any, condition: str) -> None:
    """Wait for something; the pages forbid themselves what playwright would wait with."""
    for _ in range(600):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(100)
    pytest.fail(f"never: {condition}")

"""The page as people use it, in Chromium."""

import json
import os
import time
from base64 import b64decode
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.slow
MINUTE = 60_000.0  # milliseconds


@pytest.fixture
def page(browser, server) -> Iterator[object]:
    """The page in a new window; at the end nothing may have gone wrong in it, or have been asked of another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(2 * MINUTE)
    wrong, asked = [], []
    page.on("console", lambda message: _is_wrong(message) and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.address)
    page.wait_for_selector("#ask")
    yield page
    context.close()
    own = (server.address, "data:", f"blob:{server.address}")
    assert [url for url in asked if not url.startswith(own)] == []
    assert wrong == []


def _is_wrong(message) -> bool:
    # this is how gradio closes its own stream of an upload's progress
    return message.type in ("error", "warning") and message.text != "Method not implemented."


def ask(page, task: str) -> str:
    """Choose a task and ask; the text of the answer."""
    page.wait_for_timeout(500)  # gradio loses a question that is asked in the moment in which another job is done
    page.evaluate("document.querySelector('#shown .piece').classList.add('old')")
    page.click(f"#task >> text={task}:")
    page.click("#ask")
    page.wait_for_selector("#shown .piece:not(.old)")
    return page.inner_text("#shown")


def drop(page, path) -> None:
    page.set_input_files("#file input[type=file]", path)
    page.wait_for_selector("#file .file-preview-holder, #file table, #file .file-preview")


def test_from_a_clip_to_events_words_boxes_and_masks(page, clip):
    drop(page, clip)
    said = ask(page, "Events")
    assert "heard and seen" in said and "Reasoning" in said and "b id=bold" in said
    assert page.locator("#shown svg.timeline rect.event").count() == 1
    assert page.locator("#bold").count() == 0  # a file name is no markup
    seconds = page.evaluate("document.querySelector('#shown video').duration")
    assert 9 < seconds < 11  # it can be played
    reply = page.get_attribute("#shown a[download='reply.json']", "href")
    told = json.loads(b64decode(reply.split(",")[1]))
    assert told["answer"]["events"] and told["media"][0]["path"] == os.path.basename(told["media"][0]["path"])

    assert "Can you see" in ask(page, "Question") and page.locator("#shown .answer").inner_text() in ("yes", "no")

    ask(page, "Boxes")
    assert page.locator("#shown .overlay .frame").count() == 1 and page.locator("#shown img.mask").count() == 0
    ask(page, "Masks")
    picture, mask = (page.locator(f"#shown .masked {name}").bounding_box() for name in ("figure img", "img.mask"))
    assert mask == picture  # it lies over its picture
    assert page.get_attribute("#shown a[download='masks.json']", "href").startswith("data:application/json")


def test_a_newcomer_sees_something_at_once(page):
    page.click("#example")
    page.wait_for_selector("#file >> text=tidepool-")
    page.click("text=More")
    page.click("text=Show which heads the router chose")
    assert "gong" in ask(page, "Events") or page.locator("#shown .answer").count() == 1
    assert page.locator("#shown .routing dd").count() == 3  # video, audio, text
    page.fill("#from input, #from textarea", "soon")
    assert "a time is written as" in ask(page, "Events")


def test_refusals_are_words(page, tmp_path):
    page.click("#ask")
    page.wait_for_selector("#shown .refusal")
    assert "no file yet" in page.inner_text("#shown")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"neither seen nor heard" * 9)
    drop(page, broken)
    said = ask(page, "Events")
    assert said.startswith("broken.mp4: holds no known picture") and "crabplus-ui" not in said


def test_files_go_when_their_visitor_does(browser, server, clip):
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.address)
    page.wait_for_selector("#ask")
    drop(page, clip)
    page.click("#ask")
    page.wait_for_selector("#shown .card, #shown .refusal", timeout=2 * MINUTE)
    assert page.locator("#shown .card").count(), page.inner_text("#shown")
    (held,) = [path for path in server.uploads() if path.name == os.path.basename(page.inner_text("#shown h3"))]
    context.close()
    for _ in range(300):
        if not held.exists():
            return
        time.sleep(0.1)
    pytest.fail(f"{held} is still there")


def test_it_fits_a_narrow_screen(browser, server):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(server.address)
    page.wait_for_selector("#ask")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()

"""The page about one's own files: what is shown of each, where it lies, and that it stays small and harmless."""

import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from crabplus.report.own import write_replies
from crabplus.report.timeline import file_timeline
from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Reply,
    TextAnswer,
    Window,
)

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7 * 7 }}"
HOURS = Media("clip", "video", "two hours.mkv", duration=7200.0, fps=25.0, size=(1920, 1080))
THINGS = (
    Object("violin", (0.25, 0.5, 0.75, 1.0), time=0.5),
    Object("cello", (0, 0, 0.5, 0.5), ((0.1, 0.1),), time=1.5),
)


@pytest.fixture
def clip(folder: Path) -> Media:
    """16 pictures of 64 x 48 at 8 a second."""
    return Media("clip", "video", str(folder / "clip.mp4"), duration=2.0, fps=8.0, size=(64, 48))


@pytest.fixture
def photo(folder: Path) -> Media:
    return Media("frame", "image", str(folder / "frame.jpg"), size=(80, 60))


@pytest.fixture
def show(tmp_path: Path, parse: Callable) -> Callable:
    """Writes a page about replies and parses it."""

    def write(*replies: Reply, **options: object):
        write_replies(tmp_path / "page.html", replies, **{"title": "My films", **options})  # type: ignore[arg-type]
        return parse(tmp_path / "page.html").root

    return write


def texts(elements: Sequence) -> list[str]:
    return [element.text.replace("\u00a0", " ") for element in elements]


def test_summary_stands_on_top(show: Callable, clip: Media, photo: Media) -> None:
    windows = (Window(0, 5, answer=LabelAnswer("joy")), Window(5, 10, error="no"))
    page = show(
        Reply("1", "ave", answer=EventsAnswer(), media=(clip,)),
        Reply("2", "meld", answer=LabelAnswer("joy"), media=(HOURS,), windows=windows),
        Reply("3", "ave", reason="no event tag", media=(clip,)), Reply("4", "ave", error="cut short", media=(photo,)),
        notes=["One.", "Two."],
    )  # fmt: skip
    top = page.all("header", "top")[0]
    assert texts(top.all("p")) == ["One.", "Two."]
    assert texts(top.all("dl", "figures")[0].all("div")) == [
        "Files 3", "Questions 4", "Length 2:00:02", "Answered 2", "Unreadable 1", "Failed 1", "Windows 2",
        "Windows without answer 1",
    ]  # fmt: skip
    assert [card["aria-label"] for card in page.all("article")] == [clip.path, HOURS.path, photo.path]
    links = {link["href"][1:] for link in page.all("a")}
    assert links <= {element.attributes.get("id") for element in page.every()} and len(links) == 4


def test_answer_reasoning_and_confidence(show: Callable, clip: Media) -> None:
    page = show(
        Reply("1", "avqa_thu", question="Who barks?", options=("a cat", "a dog"), answer=ChoiceAnswer(1), media=(clip,),
              reasoning="I hear barking.", confidence=0.834, text="<answer>2</answer>"),
        Reply("2", "ave", answer=EventsAnswer((Event("bell", 0.5, 1.25),)), media=(clip,)),
    )  # fmt: skip
    first, second = page.all("div", "about")
    assert texts(first.all("p")) == ["✓ answered avqa_thu confidence 83%", "Who barks?", "a dog"]
    assert texts(first.all("ol")) == ["a cat a dog"] and texts(first.all("blockquote")) == ["Reasoning I hear barking."]
    assert first.all("pre")[0].words == ["<answer>2</answer>"]
    assert texts(second.all("p", "answer")) == ["bell 0.5 to 1.25 s"]
    assert len(page.all("video")) == 1, "a file is shown once, however many questions there are"


def test_small_files_are_played_and_large_ones_pictured(show: Callable, clip: Media, folder: Path) -> None:
    said = Reply("1", "ave", answer=EventsAnswer(), media=(clip,))
    (video,) = show(said).all("video")
    assert b64decode(video["src"].split(",")[1]) == (folder / "clip.mp4").read_bytes()
    page = show(said, file_limit=10)
    assert not page.all("video") and len(page.all("figure")) == 6
    assert "more than the limit" in texts(page.all("p", "remark"))[0]


def test_page_has_a_bound(show: Callable, clip: Media, folder: Path) -> None:
    other = Media("clip", "video", str(folder / "clip.avi"), duration=2.0, fps=8.0, size=(64, 48))
    replies = [Reply(str(n), "ave", answer=EventsAnswer(), media=(media,)) for n, media in enumerate((clip, other))]
    room = (folder / "clip.mp4").stat().st_size * 4 // 3 + 10
    page = show(*replies, page_limit=room)
    assert len(page.all("video")) == 1 and not page.all("figure")
    assert "as many pictures as it may" in texts(page.all("p", "remark"))[-1]
    assert not show(*replies, page_limit=10).all("video")


def test_errors_are_told_in_words(show: Callable, clip: Media, folder: Path) -> None:
    broken = Media("clip", "video", str(folder / "broken.mp4"))
    page = show(
        Reply("1", "ave", error="broken.mp4: holds no known picture", media=(broken,)),
        Reply("2", "ave", reason="no event tag found", text="So what", media=(clip,)),
        Reply("3", "ave", error="lost.mp4: no such file", media=(Media("clip", "video", "lost.mp4"),)),
        Reply("4", "ave", answer=EventsAnswer(), media=(Media("clip", "video", str(folder / "broken.mp4"), end=9),)),
        Reply("5", "ave", error="nothing is known of it"),
    )
    cards = page.all("article")
    assert texts(cards[0].all("span", "mark")) == ["✗ failed", "✓ answered"]
    assert texts(cards[0].all("p", "remark"))[0].startswith("broken.mp4 cannot be shown: holds no known picture")
    assert texts(cards[0].all("p", "remark"))[1] == "broken.mp4: holds no known picture"
    assert texts(cards[1].all("span", "mark")) == ["✗ unreadable"]
    assert texts(cards[1].all("p", "remark")) == ["no event tag found"]
    lost = ["lost.mp4 is not there, so that it cannot be shown", "lost.mp4: no such file"]
    assert texts(cards[2].all("p", "remark")) == lost
    assert texts(cards[3].all("p", "remark")) == ["nothing is known of it"]


def test_timeline_is_over_the_whole_file(show: Callable) -> None:
    bells = Event("bell", 720, 1440, confidence=0.5), Event("bell", 7000, 7200)
    events = EventsAnswer((*bells, Event("dog", 0, 72, "audio")))
    windows = (Window(0, 3600, answer=EventsAnswer((Event("dog", 0, 72),)), confidence=0.5),
               Window(3600, 5400, answer=EventsAnswer()), Window(5400, 7200, reason="no event tag"))  # fmt: skip
    page = show(Reply("1", "ave", answer=events, media=(HOURS,), windows=windows))
    (lanes,) = page.all("svg", "timeline")
    assert lanes["data-length"] == "7200.0" and lanes["data-start"] == "0"
    rows = lanes.all("g", "row")
    assert texts([row.all("text", "name")[0] for row in rows]) == ["dog (audio)", "bell", "Windows"]
    bars = [(bar["x"], bar["width"], bar.text) for bar in rows[1].all("rect", "event")]
    assert bars == [("10.0%", "10.0%", "bell, 0:12:00 to 0:24:00"), ("97.222%", "2.778%", "bell, 1:56:40 to 2:00:00")]
    pieces = rows[2].all("rect")
    assert [(piece["x"], piece["width"], piece["class"].split()[0]) for piece in pieces] == [
        ("0.0%", "50.0%", "answered"), ("50.0%", "25.0%", "empty"), ("75.0%", "25.0%", "failed")
    ]  # fmt: skip
    assert texts(pieces) == [
        "0:00:00 to 1:00:00: dog 0 to 72 s", "1:00:00 to 1:30:00: nothing happens", "1:30:00 to 2:00:00: no event tag"
    ]  # fmt: skip
    assert texts(lanes.all("text", "tick"))[:3] == ["0:00:00", "0:20:00", "0:40:00"]
    assert "1 of 3 windows have no answer" in page.text


def test_events_and_windows_are_listed(show: Callable) -> None:
    windows = tuple(Window(600 * n, 600 * n + 600, answer=TextAnswer(f"Part {n}."), confidence=0.5,
                           reasoning="I see it.") for n in range(12))  # fmt: skip
    page = show(
        Reply("1", "avcap", answer=TextAnswer("All."), media=(HOURS,), windows=windows),
        Reply("2", "ave", answer=EventsAnswer((Event("bell", 61, 62.5, "visual", 0.25),)), media=(HOURS,)),
    )
    said, heard = page.all("table", "list")
    rows = texts(said.all("tr"))
    assert rows[:2] == ["From To Confidence Answer Reasoning", "0:00:00 0:10:00 50% Part 0. I see it."]
    assert len(rows) == 13 and rows[-1].startswith("1:50:00 2:00:00 50% Part 11.")
    assert texts(heard.all("tr")) == ["From To Confidence Sense Event", "0:01:01 0:01:02.5 25% seen bell"]
    assert "open" in page.all("details", "lines")[0].attributes


def test_a_time_in_a_table_leads_the_player_there(show: Callable, clip: Media) -> None:
    events = EventsAnswer((Event("bell", 0.5, 1.5, confidence=0.5),))
    (button,) = show(Reply("1", "ave", answer=events, media=(clip,))).all("button", "seek")
    assert button["data-time"] == "0.5" and button.text == "0.5 s"
    assert not show(Reply("1", "ave", answer=events, media=(HOURS,))).all("button")


def test_boxes_lie_on_the_pictures_of_their_times(show: Callable, clip: Media) -> None:
    """The film gets lighter by 10 from picture to picture, eight of which are shown in a second."""
    page = show(Reply("1", "s4", answer=ObjectsAnswer(THINGS), media=(clip,)))
    figures = page.all("figure")
    assert texts(page.all("figcaption")) == ["0.5 s: violin", "1.5 s: cello"]
    files = [BytesIO(b64decode(figure.all("img")[0]["src"].split(",")[1])) for figure in figures]
    shades = [Image.open(file).getpixel((60, 4))[0] for file in files]
    assert shades == pytest.approx([40, 120], abs=6)
    boxes = [[float(f.all("rect", "line")[0][name]) for name in ("x", "y", "width", "height")] for f in figures]
    assert boxes == [[16, 24, 32, 24], [0, 0, 32, 24]]
    assert texts(figures[0].all("text", "label")) == ["violin"] and figures[1].all("circle", "said")
    assert "Predicted box: violin from 25% across" in figures[0].all("img")[0]["alt"]
    assert "True" not in figures[0].all("img")[0]["alt"]
    assert texts(page.all("table", "list")[0].all("tr")) == [
        "At Pixels Thing", "0.5 s 16, 24 to 48, 48 violin", "1.5 s 0, 0 to 32, 24 cello"
    ]  # fmt: skip


def test_boxes_on_a_still(show: Callable, photo: Media) -> None:
    page = show(Reply("1", "s4", answer=ObjectsAnswer((Object("cat", (0.25, 0.5, 0.75, 1.0)),)), media=(photo,)))
    (figure,) = page.all("figure")
    assert figure.all("svg", "overlay")[0]["viewbox"] == "0 0 80 60" and figure.all("rect", "line")[0]["x"] == "20.0"


def test_many_pictures_are_few_and_that_is_said(show: Callable, clip: Media) -> None:
    things = tuple(Object("cat", (0, 0, 0.5, 0.5), time=n / 16) for n in range(30))
    page = show(Reply("1", "s4", answer=ObjectsAnswer(things), media=(clip,)))
    assert len(page.all("figure")) == 12 and "12 of the 30 pictures with boxes are shown" in page.text
    assert "in 30 pictures: cat (30 times)" in page.text
    assert texts(page.all("figcaption"))[0] == "0 s: cat" and texts(page.all("figcaption"))[-1] == "1.81 s: cat"


def long_reply() -> Reply:
    """Four hours by ten seconds, with an event of twelve words in each and reasoning of 320 letters."""
    events = [Event(f"sound number {n % 40}", 10 * n + 2, 10 * n + 5, "audio", 0.5) for n in range(1440)]
    windows = tuple(
        Window(10 * n, 10 * n + 10, answer=EventsAnswer((event,)), confidence=0.5, reasoning="I hear a sound. " * 20)
        for n, event in enumerate(events)
    )
    film = Media("clip", "video", "four hours.mp4", duration=14_400.0, fps=25.0, size=(1920, 1080))
    return Reply("1", "ave", answer=EventsAnswer(tuple(events)), media=(film,), windows=windows)


def test_a_long_file_gives_a_small_page(show: Callable, tmp_path: Path) -> None:
    page = show(long_reply())
    assert (tmp_path / "page.html").stat().st_size < 1.5 * 2**20
    assert len(page.all("g", "strip")[0].all("rect")) == 1440
    names = texts(page.all("text", "name"))
    assert len(names) == 22 and names[-2] == "20 other labels"
    assert texts(page.all("p", "answer"))[0].startswith("1,440 events: sound number 0 (36 times), ")
    assert texts(page.all("summary"))[:2] == ["Events (1,440)", "Windows (1,440)"]
    assert not any("open" in details.attributes for details in page.all("details"))


def test_lines_beyond_a_bound_are_counted(show: Callable) -> None:
    windows = tuple(Window(n, n + 1, answer=LabelAnswer("joy")) for n in range(1600))
    page = show(Reply("1", "meld", answer=LabelAnswer("joy"), media=(HOURS,), windows=windows))
    assert len(page.all("tr")) == 1501 and "100 more lines are left out here" in page.text


def test_crowded_bars_are_drawn_as_one() -> None:
    events = tuple(Event("rain", n, n + 1) for n in range(0, 1000, 2))
    lanes = file_timeline(Reply("1", "ave", answer=EventsAnswer((*events, Event("rain", 5000, 5001))), media=(HOURS,)))
    assert lanes
    words = [bar.words for bar in lanes.rows[0].bars]
    assert words == ["rain, 0 to 1 s, and 499 more", "rain, 1:23:20 to 1:23:21"]
    assert lanes.rows[0].bars[0].width == pytest.approx(100 * 998 / 7200 + 0.3, abs=0.01) and lanes.rows[0].lanes == 1


def test_hostile_text_is_inert(show: Callable, photo: Media, clip: Media) -> None:
    film = Media("clip", "video", EVIL, duration=5)
    event, thing = Event(EVIL, 1, 2, confidence=0.5), Object(EVIL, (0, 0, 1, 1))
    page = show(
        Reply(EVIL, EVIL, question=EVIL, options=(EVIL,), answer=TextAnswer(EVIL), reasoning=EVIL, text=EVIL,
              media=(film,), windows=(Window(0, 5, answer=TextAnswer(EVIL), reasoning=EVIL),)),
        Reply("2", "ave", answer=EventsAnswer((event,)), media=(clip,), windows=(Window(0, 2, reason=EVIL),)),
        Reply("3", "s4", answer=ObjectsAnswer((thing,)), media=(photo,)), Reply("4", "ave", error=EVIL, media=(film,)),
        title=EVIL, notes=EVIL,
    )  # fmt: skip
    elements = page.every()
    assert len(page.all("script")) == 1 and not [n for e in elements for n in e.attributes if n.startswith("on")]
    assert all(picture["src"].startswith("data:") for picture in page.all("img"))
    assert len([element for element in elements if EVIL in "".join(element.words)]) > 12
    for element in elements:
        for name in ("src", "href", "poster"):
            assert element.attributes.get(name, "#").startswith(("data:", "#"))
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes)
    assert policy.startswith("default-src 'none';")


def test_page_loads_nothing(show: Callable, clip: Media, tmp_path: Path) -> None:
    show(Reply("1", "s4", answer=ObjectsAnswer(THINGS), media=(clip,)), Reply("2", "ave", error="no"))
    source = re.sub(r"base64,[A-Za-z0-9+/=]+|http-equiv", "", (tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "http" not in source and not re.search(r"url\(|@import", source)

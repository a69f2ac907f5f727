"""The report as a page: it loads nothing, escapes everything, and puts media and answers where they belong."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from crabplus.report.card import Card
from crabplus.report.html import ReportError, write_gallery
from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Prediction,
    Score,
    TextAnswer,
)

SCORE = Score("segment_accuracy", 0.8, 0.25, 200, 3, 0, (0.75, 0.85), {"auc": 0.5, "Audio": None, "errors": 0.0})
OFF = Score("segment_accuracy", 0.1, 0.25, 200, 3, 0, (0.05, 0.15))
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7 * 7 }}"
Make = Callable[..., Card]


@pytest.fixture
def kinds(card: Make) -> list[Card]:
    """One card of every kind of answer."""
    bell = EventsAnswer((Event("bell", 2, 7),))
    box = ObjectsAnswer((Object("bell", (0.25, 0.5, 0.75, 1.0), ((0.5, 0.75),)),))
    picture = (Media("frame", "image", "frame.jpg"), Media("sound", "audio", "sound.wav"))
    return [
        card(bell, EventsAnswer((Event("bell", 2, 6),))),
        card(box, ObjectsAnswer((Object("bell", (0, 0, 0.5, 0.5)),)), task="arig", id="picture-1", media=picture),
        card(TextAnswer("two"), TextAnswer("Two."), task="avqa", question="How many?", id="question-1"),
        card(LabelAnswer("joy"), LabelAnswer("anger"), task="meld", id="label-1"),
        card(ChoiceAnswer(1), ChoiceAnswer(1), task="avqa_thu", id="choice-1", options=("cat", "dog")),
    ]


def test_page_loads_nothing(show: Callable, kinds: list[Card]) -> None:
    report = show(kinds, off={"ave": OFF})
    for element in report.root.every():
        for name in ("src", "href", "poster", "srcset", "data", "action", "xlink:href"):
            value = element.attributes.get(name, "data:")
            assert value.startswith(("data:", "#")), f"<{element.tag} {name}={value[:60]}>"
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+|http-equiv", "", report.source)
    assert not re.search(r"url\(|@import", report.root.all("style")[0].text)


def test_policy_lets_only_the_own_script_run(show: Callable, kinds: list[Card]) -> None:
    report = show(kinds)
    policy = next(meta["content"] for meta in report.root.all("meta") if "http-equiv" in meta.attributes)
    (script,) = report.root.all("script")
    digest = b64encode(sha256("".join(script.words).encode()).digest()).decode()
    assert policy.startswith("default-src 'none';") and f"script-src 'sha256-{digest}'" in policy


def test_names_and_references_agree(show: Callable, kinds: list[Card]) -> None:
    report = show(kinds)
    names = [element["id"] for element in report.root.every() if "id" in element.attributes]
    assert len(names) == len(set(names))
    wanted = {link["href"][1:] for link in report.root.all("a")}
    wanted |= {element["aria-labelledby"] for element in report.root.every() if "aria-labelledby" in element.attributes}
    assert wanted <= set(names)
    assert all("alt" in picture.attributes for picture in report.root.all("img"))


def test_hostile_text_is_inert(show: Callable, card: Make, tmp_path: Path) -> None:
    prediction = Prediction(EVIL, "avqa", text=EVIL, answer=TextAnswer(EVIL), reasoning=EVIL, reason=EVIL)
    evil = card(TextAnswer(EVIL), None, prediction=prediction, task="avqa", id=EVIL, dataset=EVIL, question=EVIL,
                options=(EVIL,), reasoning=EVIL)  # fmt: skip
    events = EventsAnswer((Event(EVIL, 1, 2),))
    things = ObjectsAnswer((Object(EVIL, (0, 0, 1, 1)),))
    failed = Prediction("3", "ave", error=EVIL)
    picture = (Media(EVIL, "image", "frame.jpg"),)
    cards = [evil, card(events, events), card(things, things, media=picture, id="2"),
             card(events, None, prediction=failed, id="3")]  # fmt: skip
    score = Score(EVIL, 0.5, 0.5, 1, 0, 0, (0, 1), {EVIL: 1.0})
    report = show(cards, {"avqa": score, "ave": score}, title=EVIL, notes=[EVIL])
    assert len(report.root.all("script")) == 1
    elements = report.root.every()
    assert not [name for element in elements for name in element.attributes if name.startswith("on")]
    assert all(picture["src"].startswith("data:") for picture in report.root.all("img"))
    shown = [element for element in elements if EVIL in "".join(element.words)]
    assert len(shown) > 15 and "49" not in report.root.all("h1")[0].text
    assert report.root.all("h1")[0].text == EVIL and report.root.all("p", "question")[0].text == EVIL


def test_score_table(show: Callable, kinds: list[Card]) -> None:
    scores = {"ave": SCORE, "arig": Score("iou_0.5", 0.6, 0.1, 50, 0, 4, (0.5, 0.7), {"errors": 2.0})}
    table = show(kinds, scores, off={"ave": OFF}).root.all("table")[0]
    head, ave, arig = (row.text for row in table.all("tr"))
    assert head == "Key Score 0 1 Adapter off Best constant n Unparsable"
    assert ave == "ave segment accuracy 0.800 0.750–0.850 0.100 0.250 200 3"
    assert arig == "arig iou 0.5 0.600 0.500–0.700 – 0.100 50 0 4 missing 2 failed"


def test_no_adapter_column_without_its_scores(show: Callable, kinds: list[Card]) -> None:
    assert "Adapter off" not in show(kinds).root.text


def test_bar_lies_at_the_score(show: Callable, kinds: list[Card]) -> None:
    bar = show(kinds, {"ave": SCORE}, off={"ave": OFF}).root.all("svg", "bar")[0]
    assert bar.all("rect", "value")[0]["width"] == "80.00%"
    assert bar.all("line", "constant")[0]["x1"] == "25.00%"
    assert bar.all("svg")[0]["x"] == "10.00%"
    whisker = bar.all("line", "whisker")[0]
    assert (whisker["x1"], whisker["x2"]) == ("75.00%", "85.00%")


def test_a_score_that_goes_to_ten_has_a_scale_to_ten(show: Callable, kinds: list[Card]) -> None:
    root = show(kinds, {"avcap": Score("cider_d", 8.0, 1.5, 50, 0, 0, (7.5, 8.5))}).root
    bar = root.all("svg", "bar")[0]
    assert bar.all("rect", "value")[0]["width"] == "80.00%" and bar.all("line", "constant")[0]["x1"] == "15.00%"
    assert "cider d, 0 to 10" in root.all("table")[0].text


def test_other_figures_stand_below(show: Callable, kinds: list[Card]) -> None:
    others = show(kinds, {"ave": SCORE}).root.all("details", "others")[0]
    assert "auc 0.500 Audio – errors 0.000" in others.text


def test_media_are_the_files_themselves(show: Callable, kinds: list[Card], folder: Path) -> None:
    report = show(kinds)
    video, audio = report.root.all("video")[0], report.root.all("audio")[0]
    for player, kind, name in ((video, "video/mp4", "clip.mp4"), (audio, "audio/wav", "sound.wav")):
        start, content = player["src"].split(",")
        assert start == f"data:{kind};base64" and b64decode(content) == (folder / name).read_bytes()
        assert "controls" in player.attributes
    assert Image.open(BytesIO(b64decode(video["poster"].split(",")[1]))).size == (64, 48)


def test_window_of_a_clip_is_kept(show: Callable, card: Make) -> None:
    media = (Media("clip", "video", "clip.mp4", start=3.0, end=8.5),)
    report = show([card(EventsAnswer((Event("bell", 1, 2),)), None, media=media)])
    video, timeline = report.root.all("video")[0], report.root.all("svg", "timeline")[0]
    assert (video["data-start"], video["data-end"]) == ("3.0", "8.5")
    assert (timeline["data-start"], timeline["data-length"]) == ("3.0", "5.5")


def test_boxes_lie_over_the_picture(show: Callable, kinds: list[Card]) -> None:
    """The picture has 80 x 60 pixels: x is times 80, y times 60."""
    figure = show(kinds).root.all("figure")[0]
    picture, over = figure.all("img")[0], figure.all("svg", "overlay")[0]
    assert Image.open(BytesIO(b64decode(picture["src"].split(",")[1]))).size == (80, 60)
    assert over["viewbox"] == "0 0 80 60" and (picture["width"], picture["height"]) == ("80", "60")
    boxes = {
        group["class"].split()[1]: [float(group.all("rect", "line")[0][name]) for name in ("x", "y", "width", "height")]
        for group in over.all("g", "frame")
    }
    assert boxes == {"truth": [20, 30, 40, 30], "said": [0, 0, 40, 30]}
    spot = over.all("circle", "truth")[0]
    assert (float(spot["cx"]), float(spot["cy"])) == (40, 45)
    assert "True box: bell from 25% across and 50% down to 75% across and 100% down." in picture["alt"]


def test_boxes_for_a_video_lie_over_its_middle_picture(show: Callable, card: Make) -> None:
    things = ObjectsAnswer((Object("bell", (0, 0, 0.5, 0.5)),))
    report = show([card(things, things)])
    assert report.root.all("svg", "overlay")[0]["viewbox"] == "0 0 64 48" and report.root.all("video")


def test_truth_stands_above_prediction_on_the_timeline(show: Callable, kinds: list[Card]) -> None:
    timeline = show(kinds).root.all("svg", "timeline")[0]
    truth, said = timeline.all("g", "row")
    assert truth.all("text", "name")[0].text == "Truth" and said.all("text", "name")[0].text == "Predicted"
    (true_bar,), (said_bar,) = truth.all("svg"), said.all("svg")
    assert (true_bar["x"], true_bar["width"]) == ("20.0%", "50.0%")
    assert (said_bar["x"], said_bar["width"]) == ("20.0%", "40.0%")
    assert int(true_bar["y"]) + int(true_bar["height"]) < int(said_bar["y"]) < int(timeline["height"])
    assert timeline["role"] == "img" and "bell 2\u00a0to\u00a07\u00a0s" in timeline["aria-label"]


def test_words_of_each_card(show: Callable, kinds: list[Card]) -> None:
    cards = {card.all("code", "id")[0].text: card for card in show(kinds).root.all("article")}
    assert cards["question-1"].all("p", "question")[0].text == "How many?"
    assert cards["question-1"].all("dl")[0].text == "Truth two Predicted Two."
    assert cards["question-1"].all("span", "mark")[0]["class"] == "mark right"
    assert cards["label-1"].all("span", "mark")[0].text == "✗ wrong"
    assert cards["choice-1"].all("dl")[0].text == "Truth dog Predicted dog"
    assert cards["choice-1"].all("ol")[0].text == "cat dog"
    assert not cards["clip-1"].all("span", "mark")


def test_a_caption_in_other_words_is_not_called_wrong(show: Callable, card: Make) -> None:
    true = TextAnswer("A red bell rings on the left.")
    said = {"same": true, "other": TextAnswer("On the left rings a bell."), "short": TextAnswer("two")}
    truth = {"same": true, "other": true, "short": TextAnswer("three")}
    report = show([card(truth[name], said[name], task="avcap", id=name) for name in said])
    cards = {made.all("code", "id")[0].text: made for made in report.root.all("article")}
    assert cards["same"].all("span", "mark")[0].text == "✓ right"
    assert not cards["other"].all("span", "mark")
    assert cards["short"].all("span", "mark")[0].text == "✗ wrong"


def test_text_of_the_model_is_kept(show: Callable, card: Make) -> None:
    said = Prediction(
        "clip-1", "avqa", text="I think.\n  <answer>two</answer>", answer=TextAnswer("two"), reasoning="So."
    )
    report = show([card(TextAnswer("two"), None, prediction=said, task="avqa", reasoning="Because.")])
    assert [pre.words for pre in report.root.all("pre")] == [["I think.\n  <answer>two</answer>"], ["Because."]]
    assert report.root.all("blockquote")[0].text == "Reasoning So."


@pytest.mark.parametrize(
    ("prediction", "mark", "words"),
    [
        (Prediction("clip-1", "ave", reason="no event tag found"), "✗ unreadable", "no event tag found"),
        (Prediction("clip-1", "ave", error="out of memory"), "✗ failed", "out of memory"),
    ],
)
def test_why_there_is_no_answer(show: Callable, card: Make, prediction: Prediction, mark: str, words: str) -> None:
    report = show([card(EventsAnswer((Event("bell", 2, 7),)), None, prediction=prediction)])
    assert report.root.all("span", "mark")[0].text == mark
    assert report.root.all("p", "remark")[0].text == words
    assert "no answer" in report.root.all("g", "said")[0].text


def test_sample_without_prediction(show: Callable, folder: Path, card: Make) -> None:
    report = show([Card(card(TextAnswer("two"), None).sample, None, folder)])
    assert report.root.all("span", "mark")[0].text == "✗ no prediction"


def test_cards_are_limited_and_counted(show: Callable, card: Make) -> None:
    cards = [card(TextAnswer("two"), TextAnswer("two"), id=str(i)) for i in range(5)]
    report = show([*cards, card(TextAnswer("two"), None, task="unscored")], {"ave": SCORE}, cards_per_key=3)
    assert [element["aria-label"] for element in report.root.all("article")] == ["0", "1", "2"]
    assert "over 200 samples of tidepool; 3 shown" in report.root.text


def test_key_without_cards_is_in_the_table(show: Callable) -> None:
    report = show([], {"ave": SCORE})
    assert not report.root.all("article") and report.root.all("tr")[1].text.startswith("ave")


def test_tidepool_is_said(show: Callable, card: Make) -> None:
    ours, real = card(TextAnswer("two"), None), card(TextAnswer("two"), None, dataset="MUSIC-AVQA")
    assert "measured on Tidepool" in show([ours]).root.all("header", "top")[0].text
    assert "Tidepool" not in show([real]).root.text


def test_one_note_is_one_paragraph(show: Callable) -> None:
    assert [note.text for note in show([], {"ave": SCORE}, notes="All of it.").root.all("p")][0] == "All of it."


def test_file_that_is_not_there_is_named(show: Callable, card: Make) -> None:
    lost = card(TextAnswer("two"), None, media=(Media("clip", "video", "lost.mp4"),))
    with pytest.raises(ReportError, match=r"clip-1: .*lost.mp4 is not there"):
        show([lost])


def test_what_cannot_be_decoded_is_said(show: Callable, card: Make) -> None:
    media = (Media("clip", "video", "broken.mp4"), Media("frame", "image", "broken.jpg"))
    remarks = [remark.text for remark in show([card(TextAnswer("two"), None, media=media)]).root.all("p", "remark")]
    assert [remark.split(":")[0] for remark in remarks] == ["clip cannot be shown", "frame cannot be shown"]


@pytest.mark.parametrize(
    ("name", "limit", "words"),
    [("clip.avi", 8 << 20, "browsers do not play .avi"), ("clip.mp4", 10, "0.0 MB are more than the limit")],
)
def test_pictures_stand_in_for_what_is_not_embedded(
    show: Callable, card: Make, name: str, limit: int, words: str
) -> None:
    media = (Media("clip", "video", name),)
    report = show([card(TextAnswer("two"), None, media=media)], file_limit=limit)
    assert not report.root.all("video") and len(report.root.all("figure")) == 6
    assert words in report.root.all("p", "remark")[0].text


def test_failed_write_leaves_the_old_page(show: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = show([], {"ave": SCORE}).source

    def fail(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        show([], {"ave": OFF})
    assert [file.read_text(encoding="utf-8") for file in tmp_path.iterdir()] == [before]


def test_a_gallery_shows_samples_without_verdicts(tmp_path: Path, card: Callable[..., Card]) -> None:
    made = card(EventsAnswer((Event("bell <b>", 2, 7),)), None, split="train", reasoning="I hear a bell.")
    summary = SimpleNamespace(
        key="ave", split="train", family="temporal localisation", samples=1, answered=1, reasoned=1, sounding=1,
        labels={"bell <b>": 1},
    )  # fmt: skip
    write_gallery(
        tmp_path / "page.html", [summary], [replace(made, prediction=None, asked=False)], title="What is in it"
    )
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "1 samples, 1 with an answer, 1 with reasoning" in page and "I hear a bell." in page
    assert "bell &lt;b&gt;" in page and "<b>" not in page
    assert "Predicted" not in page and "no prediction" not in page and "<video" in page

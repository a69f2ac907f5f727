"""CSV, SRT and COCO: what stands in them to the letter, and that the programs they are for can read them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabplus.report.coco import write_coco
from crabplus.report.sheet import write_csv
from crabplus.report.subtitles import Cue, _stacked, file_names, write_srt
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

FILM = Media("clip", "video", "films/a.mp4", duration=20.0, fps=25.0, size=(200, 100))
PHOTO = Media("frame", "image", "b.jpg", size=(50, 40))
BELL, DOG = Event("bell", 1, 3.5, "audio", 0.25), Event("dog", 2, 4)


def rows(path: Path, replies: list[Reply]) -> list[dict[str, str]]:
    write_csv(path / "out.csv", replies)
    with (path / "out.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kept(row: dict[str, str]) -> dict[str, str]:
    """The cells in which something stands, but for file and task."""
    return {name: cell for name, cell in row.items() if cell and name not in ("file", "task")}


def test_csv_to_the_letter(tmp_path: Path) -> None:
    box = ObjectsAnswer((Object("cat", (0.1, 0.2, 0.5, 0.61), confidence=0.75, time=3.0), Object("mat")))
    write_csv(tmp_path / "out.csv", [
        Reply("1", "ave", answer=EventsAnswer((BELL,)), media=(FILM,), reasoning="I hear it."),
        Reply("2", "s4", answer=box, media=(FILM,), confidence=0.5),
    ])  # fmt: skip
    assert (tmp_path / "out.csv").read_bytes().decode() == (
        "file,task,question,label,start,end,modality,x1,y1,x2,y2,time,confidence,text,reasoning,error\r\n"
        "films/a.mp4,ave,,bell,1,3.5,audio,,,,,,0.25,,I hear it.,\r\n"
        "films/a.mp4,s4,,cat,,,,20,20,100,61,3,0.75,,,\r\n"
        "films/a.mp4,s4,,mat,,,,,,,,,0.5,,,\r\n"
    )


def test_csv_of_every_kind_of_answer(tmp_path: Path) -> None:
    made = rows(tmp_path, [
        Reply("1", "meld", answer=LabelAnswer("joy"), media=(FILM,), confidence=0.123456),
        Reply("2", "avqa_thu", question="Who?", options=("cat", "dog"), answer=ChoiceAnswer(1), media=(FILM,)),
        Reply("3", "avcap", answer=TextAnswer("A bell rings."), media=(FILM,)),
        Reply("4", "ave", answer=EventsAnswer(), media=(FILM,)),
        Reply("5", "s4", answer=ObjectsAnswer(present=False), media=(PHOTO,)),
        Reply("6", "ave", error="lost.mp4: no such file"),
        Reply("7", "ave", reason="no event tag found", media=(FILM,)),
    ])  # fmt: skip
    assert [kept(row) for row in made] == [
        {"label": "joy", "confidence": "0.1235"}, {"question": "Who?", "label": "dog"}, {"text": "A bell rings."},
        {"text": "nothing happens"}, {"text": "not in the picture"}, {"error": "lost.mp4: no such file"},
        {"error": "no event tag found"},
    ]  # fmt: skip
    assert [row["file"] for row in made][4:6] == ["b.jpg", "6"]


def test_csv_of_windows(tmp_path: Path) -> None:
    """Words have a row for the file and one for each window; events are those of the file, with failures of windows."""
    said = (Window(0, 10, answer=LabelAnswer("joy"), confidence=0.5), Window(10, 20, error="out of memory"))
    heard = (Window(0, 10, answer=EventsAnswer((BELL,)), reasoning="A bell."), Window(10, 20, reason="no tag"))
    made = rows(tmp_path, [
        Reply("1", "meld", answer=LabelAnswer("joy"), media=(FILM,), windows=said),
        Reply("2", "ave", answer=EventsAnswer((BELL,)), media=(FILM,), windows=heard),
    ])  # fmt: skip
    assert [kept(row) for row in made] == [
        {"label": "joy"}, {"label": "joy", "start": "0", "end": "10", "confidence": "0.5"},
        {"start": "10", "end": "20", "error": "out of memory"},
        {"label": "bell", "start": "1", "end": "3.5", "modality": "audio", "confidence": "0.25",
         "reasoning": "A bell."},
        {"start": "10", "end": "20", "error": "no tag"},
    ]  # fmt: skip


@pytest.mark.parametrize("text", ['a, "b"', "two\nlines", "<script>alert(1)</script>", "ä日本", "it's; fine"])
def test_csv_keeps_texts(tmp_path: Path, text: str) -> None:
    reply = Reply("1", "avqa", question=text, answer=TextAnswer(text), reasoning=text, media=(FILM,))
    (row,) = rows(tmp_path, [reply])
    assert (row["question"], row["text"], row["reasoning"]) == (text, text, text)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", '=HYPERLINK("x")'])
def test_csv_has_no_formulas(tmp_path: Path, text: str) -> None:
    made = rows(tmp_path, [Reply("1", "ave", answer=EventsAnswer((Event(text, 1, 2),)), media=(FILM,)),
                           Reply("2", "avcap", answer=TextAnswer(text), reasoning=text, media=(FILM,)),
                           Reply("3", "ave", error=text, media=(FILM,))])  # fmt: skip
    assert [made[0]["label"], made[1]["text"], made[1]["reasoning"], made[2]["error"]] == [f"'{text}"] * 4


def test_boxes_without_a_size_are_refused(tmp_path: Path) -> None:
    cat = ObjectsAnswer((Object("cat", (0, 0, 1, 1)),))
    reply = Reply("1", "s4", answer=cat, media=(Media("frame", "image", "a.png"),))
    for write, path in ((write_csv, tmp_path / "out.csv"), (write_coco, tmp_path / "out.json")):
        with pytest.raises(ValueError, match="1: .*size of the picture"):
            write(path, [reply])
        assert not path.exists()


def test_srt_to_the_letter(tmp_path: Path) -> None:
    """Two events overlap from 2 to 3.5 s: three cues, the middle one with both."""
    (path,) = write_srt(tmp_path / "new", [Reply("1", "ave", answer=EventsAnswer((DOG, BELL)), media=(FILM,))])
    assert path == tmp_path / "new" / "a.srt"
    assert path.read_bytes().decode() == (
        "1\n00:00:01,000 --> 00:00:02,000\nbell\n\n"
        "2\n00:00:02,000 --> 00:00:03,500\nbell\ndog\n\n"
        "3\n00:00:03,500 --> 00:00:04,000\ndog\n"
    )


@pytest.mark.parametrize(
    ("start", "end", "line"),
    [
        (0.0004, 59.9996, "00:00:00,000 --> 00:01:00,000"),
        (3599.9994, 3661.5, "00:59:59,999 --> 01:01:01,500"),
        (360_000, 360_000.001, "100:00:00,000 --> 100:00:00,001"),
        (5, 5, "00:00:05,000 --> 00:00:05,500"),
    ],
)
def test_srt_times(tmp_path: Path, start: float, end: float, line: str) -> None:
    (path,) = write_srt(tmp_path, [Reply("1", "ave", answer=EventsAnswer((Event("x", start, end),)), media=(FILM,))])
    assert path.read_text().splitlines()[1] == line


def test_srt_of_windows(tmp_path: Path) -> None:
    windows = (Window(0, 5, answer=TextAnswer("One.\n\n2\n00:00:00,000 --> 00:00:09,000")),
               Window(5, 10, answer=TextAnswer("<i>Two</i> {\\an8}")), Window(10, 15, error="failed"),
               Window(15, 20, answer=TextAnswer("Three.")))  # fmt: skip
    (path,) = write_srt(tmp_path, [Reply("1", "avcap", answer=TextAnswer("All."), media=(FILM,), windows=windows)])
    assert path.read_text(encoding="utf-8").split("\n\n") == [
        "1\n00:00:00,000 --> 00:00:05,000\nOne. 2 00:00:00,000 --› 00:00:09,000",
        "2\n00:00:05,000 --> 00:00:10,000\n‹i›Two‹/i› (\\an8)",
        "3\n00:00:15,000 --> 00:00:20,000\nThree.\n",
    ]


def test_srt_of_one_piece_lasts_as_long_as_was_asked(tmp_path: Path) -> None:
    part = Media("clip", "video", "c.mp4", start=4, end=9, duration=60)
    (path,) = write_srt(tmp_path, [Reply("1", "avcap", answer=TextAnswer("Rain."), media=(part,))])
    assert "00:00:04,000 --> 00:00:09,000\nRain.\n" in path.read_text()
    with pytest.raises(ValueError, match="2: subtitles need the length"):
        write_srt(tmp_path, [Reply("2", "avcap", answer=TextAnswer("?"), media=(Media("clip", "video", "d.mp4"),))])


def test_srt_only_where_there_is_something_to_read(tmp_path: Path) -> None:
    silent = [Reply("1", "ave", answer=EventsAnswer(), media=(FILM,)), Reply("2", "ave", error="no", media=(FILM,)),
              Reply("3", "avcap", answer=TextAnswer("A cat."), media=(PHOTO,)),
              Reply("4", "s4", answer=ObjectsAnswer((Object("cat", (0, 0, 1, 1)),)), media=(FILM,))]  # fmt: skip
    assert write_srt(tmp_path, silent) == [] and list(tmp_path.iterdir()) == []


def test_srt_of_two_questions_about_one_file(tmp_path: Path) -> None:
    made = [Reply(str(i), "ave", answer=EventsAnswer((event,)), media=(FILM,)) for i, event in enumerate((BELL, DOG))]
    (path,) = write_srt(tmp_path, made)
    assert path.read_text().count("-->") == 3


CUES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from("abc")), min_size=1, max_size=8)


@given(CUES)
def test_srt_shows_all_that_goes_on_and_nothing_else(made: list[tuple[int, int, str]]) -> None:
    cues = [Cue(start, start + length, words) for start, length, words in made]
    stacked = list(_stacked(cues))
    assert all(one.end <= other.start for one, other in zip(stacked, stacked[1:], strict=False))
    for time in range(40):
        wanted = {cue.words for cue in cues if cue.start <= time < cue.end}
        shown = [cue.words.split("\n") for cue in stacked if cue.start <= time < cue.end]
        assert (set(shown[0]) if shown else set()) == wanted and len(shown) <= 1


def test_srt_names_are_safe_and_never_alike() -> None:
    paths = ["a/clip.mp4", "b/CLIP.avi", "b/clip-2.mp4", "b/clip.mp4", 'x/a:b*"c?.mp4', "con.mp4", "x/.hid", "ä" * 200]
    names = list(file_names(paths))
    assert names[:7] == ["clip", "CLIP-2", "clip-2-2", "clip-3", "a_b__c_", "_con", "_.hid"]
    assert len(names[7].encode()) == 200
    assert len({name.casefold() for name in names}) == len(names)


def test_coco_is_read_by_its_own_library(tmp_path: Path) -> None:
    from pycocotools import mask
    from pycocotools.coco import COCO

    painted = np.zeros((100, 200), np.uint8)
    painted[20:61, 20:100] = 1
    rle = mask.encode(np.asfortranarray(painted))
    film = ObjectsAnswer((Object("mat"), Object("dog", (0.1, 0.2, 0.5, 0.61), time=3.0, confidence=0.75),
                          Object("cat", (0, 0, 0.5, 0.5), time=3.0),
                          Object("dog", (0, 0, 1, 1), time=4.0)))  # fmt: skip
    photo = Media("frame", "image", "c.jpg", size=(30, 20))
    plain = {"size": [40, 50], "counts": [100, 40, 1860]}
    replies = [
        Reply("1", "s4", answer=film, media=(FILM,), confidence=0.5),
        Reply("2", "s4", answer=ObjectsAnswer((Object("cat", (0, 0, 1, 1)),)), media=(PHOTO,)),
        Reply("3", "s4", answer=ObjectsAnswer(present=False), media=(photo,)),
        Reply("4", "s4", error="failed", media=(photo,)),
        Reply("5", "ave", answer=EventsAnswer((BELL,)), media=(FILM,)),
    ]  # fmt: skip
    write_coco(tmp_path / "out.json", replies, {("1", 1): rle, ("2", 0): plain, ("1", 0): rle})
    coco = COCO(str(tmp_path / "out.json"))
    images = [(one["file_name"], one.get("time"), one["width"], one["height"]) for one in coco.imgs.values()]
    assert images == [
        ("films/a.mp4", 3.0, 200, 100), ("films/a.mp4", 4.0, 200, 100), ("b.jpg", None, 50, 40), ("c.jpg", None, 30, 20)
    ]  # fmt: skip
    assert {number: entry["name"] for number, entry in coco.cats.items()} == {1: "cat", 2: "dog"}
    found = [(one["image_id"], one["category_id"], one["bbox"], one.get("score")) for one in coco.anns.values()]
    assert found == [(1, 2, [20, 20, 80, 41], 0.75), (1, 1, [0, 0, 100, 50], 0.5), (2, 2, [0, 0, 200, 100], 0.5),
                     (3, 1, [0, 0, 50, 40], None)]  # fmt: skip
    assert (coco.annToMask(coco.anns[1]) == painted).all() and coco.annToMask(coco.anns[4]).sum() == 40
    assert [coco.anns[n]["area"] for n in (1, 2, 4)] == [80 * 41, 5000, 40]
    assert coco.getImgIds(catIds=[2]) == [1, 2]
    results = [one for one in json.loads((tmp_path / "out.json").read_text())["annotations"] if "score" in one]
    assert len(coco.loadRes(results).anns) == 3


def test_nothing_at_all_is_written_too(tmp_path: Path) -> None:
    assert rows(tmp_path, []) == [] and write_srt(tmp_path, []) == []
    write_coco(tmp_path / "out.json", [])
    assert json.loads((tmp_path / "out.json").read_text())["images"] == []

"""A folder with a small clip, a sound and a picture, cards over them, and a report page as parsed HTML."""

import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from crabplus.report.card import Card
from crabplus.report.html import write_report
from crabplus.schema import Answer, Media, Prediction, Sample, Score

CLIP = Media("clip", "video", "clip.mp4", duration=10.0)
FRAME = Media("frame", "image", "frame.jpg")
SOUND = Media("sound", "audio", "sound.wav")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    _write_clip(folder / "clip.mp4")
    _write_clip(folder / "clip.avi")
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(folder / "frame.jpg")
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(3200))
    (folder / "broken.mp4").write_bytes(b"this is no film")
    (folder / "broken.jpg").write_bytes(b"this is no picture")
    return folder


def _write_clip(path: Path) -> None:
    with av.open(str(path), "w") as clip:
        stream = clip.add_stream("mpeg4" if path.suffix == ".avi" else "h264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(0, 160, 10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")
            clip.mux(stream.encode(frame))
        clip.mux(stream.encode())


@pytest.fixture
def card(folder: Path) -> Callable[..., Card]:
    """Makes a card from a true and a predicted answer; keywords set fields of the sample."""

    def make(
        truth: Answer | None, said: Answer | None, *, prediction: Prediction | None = None, credit: float | None = None,
        **fields: object,
    ) -> Card:  # fmt: skip
        fields = {"id": "clip-1", "dataset": "tidepool", "task": "ave", "split": "test", "media": (CLIP,), **fields}
        sample = Sample(answer=truth, **fields)  # type: ignore[arg-type]
        return Card(sample, prediction or Prediction(sample.id, sample.task, answer=said), folder, credit)

    return make


VOID = {"meta", "link", "img", "br", "hr", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    content: list["Element | str"] = field(default_factory=list)

    @property
    def children(self) -> list["Element"]:
        return [child for child in self.content if isinstance(child, Element)]

    @property
    def words(self) -> list[str]:
        return [text for text in self.content if isinstance(text, str)]

    def all(self, tag: str, name: str | None = None) -> list["Element"]:
        """Elements of a tag below this one, in order; with ``name`` only those of that class."""
        found = []
        for child in self.children:
            if child.tag == tag and (name is None or name in child.attributes.get("class", "").split()):
                found.append(child)
            found += child.all(tag, name)
        return found

    def every(self) -> list["Element"]:
        return [self, *(element for child in self.children for element in child.every())]

    @property
    def text(self) -> str:
        """All text below, in order, with single spaces."""
        parts = (child if isinstance(child, str) else f" {child.text} " for child in self.content)
        return " ".join("".join(parts).split())

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]


class Page(HTMLParser):
    """Builds the tree and refuses one that is not well nested."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.root = Element("root", {})
        self.open = [self.root]
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert [element.tag for element in self.open] == ["root"], "elements left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].content.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


SCORE = Score("segment_accuracy", 0.8, 0.25, 200, 3, 0, (0.75, 0.85), {"auc": 0.5, "Audio": None, "errors": 0.0})


@pytest.fixture
def show(tmp_path: Path) -> Callable[..., "Page"]:
    """Writes a report of cards and parses it."""

    def write(cards: Sequence[Card], scores: Mapping[str, Score] | None = None, **options: object) -> "Page":
        scores = scores or {card.sample.task: SCORE for card in cards}
        write_report(tmp_path / "report.html", scores, cards, **{"title": "Report", **options})  # type: ignore[arg-type]
        return Page(tmp_path / "report.html")

    return write


@pytest.fixture
def parse() -> Callable[[Path], "Page"]:
    """Parses a page."""
    return Page

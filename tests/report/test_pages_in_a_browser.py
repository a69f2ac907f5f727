"""The pages in Chromium, wide and narrow: nothing sticks out, pictures are there, clips and sounds play."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crabplus.datasets.summary import summarise
from crabplus.report.card import Card
from crabplus.report.conflict import write_conflict_page
from crabplus.report.curves import write_curves
from crabplus.report.html import write_gallery, write_report
from crabplus.report.own import write_replies
from crabplus.schema import Event, EventsAnswer, Prediction, Reply, Sample, Score
from crabplus.tidepool.build import build
from hand_made_gradients import made
from in_a_browser import WIDTHS, opened, play

pytestmark = pytest.mark.slow
KEYS = ("a2v", "ucf", "meld", "avqa_thu", "unav", "avvp", "arig", "ref_avs", "avcap")
LONG = "a_word_without_an_end" * 12


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Sample]]:
    """One sample of each family, and some more, as the demo shows them."""
    folder = tmp_path_factory.mktemp("clips")
    return folder, list(build(folder, KEYS, "test", 1, 5))


@WIDTHS
def test_a_report_of_every_family(browser: Any, clips: Any, tmp_path: Path, width: int) -> None:
    folder, samples = clips
    said = [Prediction(sample.id, sample.task, answer=sample.answer, text=LONG) for sample in samples]
    said[1] = replace(said[1], answer=None, reason=LONG)
    cards = [Card(sample, words, folder, 1.0) for sample, words in zip(samples, said, strict=True)]
    scores = {key: Score("accuracy", 0.8, 0.25, 200, 3, 0, (0.75, 0.85), {LONG: 0.5}) for key in KEYS}
    write_report(tmp_path / "report.html", scores, cards, title=LONG, notes=[LONG], off=scores)
    with opened(browser, tmp_path / "report.html", width) as tab:
        assert play(tab) >= len(KEYS)


@WIDTHS
def test_a_gallery_of_data(browser: Any, clips: Any, tmp_path: Path, width: int) -> None:
    folder, samples = clips
    cards = [Card(sample, Prediction(sample.id, sample.task), folder, asked=False) for sample in samples]
    summaries = [summarise(sample.task, "test", [sample]) for sample in samples]
    write_gallery(tmp_path / "data.html", summaries, cards, title=LONG)
    with opened(browser, tmp_path / "data.html", width) as tab:
        assert play(tab) >= len(KEYS)


@WIDTHS
def test_own_files(browser: Any, clips: Any, tmp_path: Path, width: int) -> None:
    folder, samples = clips
    media = [replace(item, path=str(folder / item.path)) for sample in samples for item in sample.media[:1]]
    answer = EventsAnswer((Event(LONG, 1, 3), Event("bell", 2, 9)))
    replies = [Reply(str(n), "ave", answer=answer, media=(item,), text=LONG) for n, item in enumerate(media)]
    write_replies(tmp_path / "own.html", replies, title=LONG, notes=[LONG])
    with opened(browser, tmp_path / "own.html", width) as tab:
        assert play(tab) >= 5


@WIDTHS
def test_conflict(browser: Any, tmp_path: Path, width: int) -> None:
    content = made(("ave", "avqa", "arig", "ks", "ucf", "meld"), (1, 1, 2, -1, 2, 3))
    _, page = write_conflict_page(tmp_path, content, "crabplus transfer predict " + "folder/" * 50)
    with opened(browser, page, width):
        pass


@WIDTHS
def test_a_training_run(browser: Any, tmp_path: Path, width: int) -> None:
    records = [{"step": n, "loss": 1 / n, **{f"loss_key/{key}": 1 / n for key in (*KEYS, LONG)}} for n in range(1, 50)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    (tmp_path / "run.json").write_text(json.dumps({"command": "crabplus train " + "folder/" * 50}), encoding="utf-8")
    _, page = write_curves(tmp_path)
    with opened(browser, page, width):
        pass

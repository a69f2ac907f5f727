"""The report: one HTML file that needs nothing beside it, with every clip playable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crabplus.report.card import Card
from crabplus.report.page import render
from crabplus.report.views import CardView, ReportError, view
from crabplus.schema import Score
from crabplus.whole import write_whole

__all__ = ["Card", "ReportError", "write_gallery", "write_report"]

_LABELS = 40
"""So many labels of a split are listed, the most frequent ones."""
_TIDEPOOL = (
    "All figures here were measured on Tidepool, a small world of drawn pictures and synthesised sounds. "
    "They say nothing about recordings of the real world."
)


@dataclass(frozen=True)
class _Section:
    """One task key: its scores and the cards that are shown."""

    key: str
    score: Score
    off: Score | None
    cards: tuple[CardView, ...]
    datasets: str


def write_report(
    path: str | Path,
    scores: Mapping[str, Score],
    cards: Sequence[Card],
    *,
    title: str,
    notes: str | Sequence[str] = (),
    off: Mapping[str, Score] | None = None,
    cards_per_key: int = 8,
    file_limit: int = 8 * 2**20,
) -> None:
    """Write one self-contained HTML page: the score table, then cards with playable media for each key.

    Media are embedded, texts are escaped, and the page forbids itself to load anything (Content-Security-Policy).
    Where a card comes from Tidepool, the page says that the figures were measured there.

    Args:
        path: the page; its folder is made if need be, and an old page is replaced only by a whole new one.
        scores: score of each key, in the order shown.
        cards: clips to show; those of keys without a score are left out.
        title: heading of the page.
        notes: paragraphs under the heading.
        off: scores of the same keys with the adapter off.
        cards_per_key: at most so many cards are shown of each key, the first ones.
        file_limit: larger media files, in bytes, are not embedded; pictures of a video stand in.

    Raises:
        ReportError: a file of a shown sample is not there.
    """
    chosen = {key: [card for card in cards if card.sample.task == key][:cards_per_key] for key in scores}
    sections = [_section(key, score, (off or {}).get(key), chosen[key], file_limit) for key, score in scores.items()]
    paragraphs = [notes] if isinstance(notes, str) else list(notes)
    if any(card.sample.dataset == "tidepool" for shown in chosen.values() for card in shown):
        paragraphs.append(_TIDEPOOL)
    page = render("report.html.j2", title=title, notes=paragraphs, sections=sections, has_off=bool(off))
    write_whole(Path(path), page.encode())


def write_gallery(
    path: str | Path, summaries: Sequence[Any], cards: Sequence[Card], *, title: str, file_limit: int = 8 * 2**20
) -> None:
    """Write one self-contained HTML page of a data folder: per key and split its counts, labels, and some samples.

    Args:
        path: the page. summaries: of :class:`crabplus.datasets.summary.Summary`, in the order shown.
        cards: samples to show, with ``asked`` false. title: heading.
        file_limit: larger media files, in bytes, are not embedded; pictures of a video stand in.

    Raises:
        ReportError: a file of a shown sample is not there.
    """
    sections = [
        {
            "name": f"{made.key}/{made.split}", "labels": list(made.labels.items())[:_LABELS],
            "words": f"{made.family}: {made.samples} samples, {made.answered} with an answer, {made.reasoned} with "
            f"reasoning, {made.sounding} with sound; {len(made.labels)} labels",
            "cards": [view(c, file_limit) for c in cards if (c.sample.task, c.sample.split) == (made.key, made.split)],
        }
        for made in summaries
    ]  # fmt: skip
    write_whole(Path(path), render("samples.html.j2", title=title, sections=sections).encode())


def _section(key: str, score: Score, off: Score | None, cards: Sequence[Card], file_limit: int) -> _Section:
    datasets = ", ".join(dict.fromkeys(card.sample.dataset for card in cards))
    return _Section(key, score, off, tuple(view(card, file_limit) for card in cards), datasets)

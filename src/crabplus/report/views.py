"""What the template shows of a card: every string, data URI and coordinate ready, nothing left to compute."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crabplus.media import MediaError, frames, image
from crabplus.report.card import Card, Verdict, describe, verdict
from crabplus.report.embed import PLAYABLE, file_uri, picture_uri
from crabplus.report.overlay import Overlay, overlay
from crabplus.report.timeline import Timeline, timeline
from crabplus.schema import Media, ObjectsAnswer, Prediction

__all__ = ["STRIP", "CardView", "Picture", "Player", "ReportError", "drawn", "obstacle", "stills", "view"]

STRIP = 6
"""Pictures shown of a video that browsers do not play or that is too large."""


class ReportError(ValueError):
    """A report that cannot be written; the message names the sample and the remedy."""


@dataclass(frozen=True)
class Player:
    """A video or sound to play, with the window in seconds that is meant; the poster stands until it is played."""

    kind: str
    role: str
    uri: str
    poster: str | None
    start: float
    end: float | None


@dataclass(frozen=True)
class Picture:
    """A picture of ``width`` x ``height`` pixels and what is drawn over it."""

    role: str
    uri: str
    width: int
    height: int
    overlay: Overlay | None


@dataclass(frozen=True)
class CardView:
    """A card as the template reads it; texts are plain, the template escapes them."""

    id: str
    dataset: str
    asked: bool
    verdict: Verdict
    question: str | None
    options: tuple[str, ...]
    truth: str
    said: str
    problem: str | None
    reasoning: str | None
    wanted_reasoning: str | None
    text: str | None
    players: tuple[Player, ...]
    pictures: tuple[Picture, ...]
    timeline: Timeline | None
    remarks: tuple[str, ...]


def view(card: Card, file_limit: int) -> CardView:
    """Read the media of a card and say everything about it in words and coordinates.

    Args:
        card: the sample and what was said about it.
        file_limit: larger files, in bytes, are not embedded; pictures of a video stand in, and the card says so.

    Raises:
        ReportError: a file of the sample is not there.
    """
    players, pictures, remarks = _media(card, file_limit)
    sample = card.sample
    prediction = card.prediction or Prediction(sample.id, sample.task)
    return CardView(
        id=sample.id,
        dataset=sample.dataset,
        asked=card.asked,
        verdict=verdict(card),
        question=sample.question,
        options=sample.options,
        truth="not known" if sample.answer is None else describe(sample.answer, sample),
        said=describe(card.said, sample),
        problem=prediction.error or prediction.reason,
        reasoning=prediction.reasoning,
        wanted_reasoning=sample.reasoning,
        text=prediction.text,
        players=tuple(players),
        pictures=tuple(pictures),
        timeline=timeline(card),
        remarks=tuple(remarks),
    )


def _media(card: Card, file_limit: int) -> tuple[list[Player], list[Picture], list[str]]:
    players: list[Player] = []
    pictures: list[Picture] = []
    remarks: list[str] = []
    for media in card.sample.media:
        path = card.path(media)
        if not path.is_file():
            raise ReportError(f"{card.sample.id}: {path} is not there; give the folder that the sample's paths are in")
        hindrance = None if media.kind == "image" else obstacle(path, file_limit)
        if hindrance:
            remarks.append(f"{media.role} cannot be played here: {hindrance}")
        elif media.kind != "image":
            players.append(Player(media.kind, media.role, file_uri(path), None, media.start or 0.0, media.end))
        try:
            if media.kind == "image":
                pictures.append(drawn(card, media.role, image(path)))
            elif media.kind == "video" and hindrance:
                pictures += [drawn(card, media.role, still) for still in stills(path, media, STRIP)]
            elif media.kind == "video":
                players[-1] = replace(players[-1], poster=picture_uri(stills(path, media, 1)[0], quality=70))
        except MediaError as error:
            remarks.append(f"{media.role} cannot be shown: {error}")
    if _wants_picture(card) and not pictures:
        pictures += _middle(card)
    return players, pictures, remarks


def obstacle(path: Path, file_limit: int) -> str | None:
    """Why a file is not embedded, in words."""
    if path.suffix.lower() not in PLAYABLE:
        return f"browsers do not play {path.suffix or 'files without an ending'}"
    size = path.stat().st_size
    return f"{size / 2**20:.1f} MB are more than the limit" if size > file_limit else None


def _wants_picture(card: Card) -> bool:
    return any(isinstance(answer, ObjectsAnswer) for answer in (card.sample.answer, card.said))


def _middle(card: Card) -> list[Picture]:
    """The middle picture of the video, to draw boxes on, for a sample that has no picture of its own."""
    try:
        videos = card.media("video")[:1]
        return [drawn(card, media.role, stills(card.path(media), media, 1)[0]) for media in videos]
    except MediaError:
        return []


def stills(path: Path, media: Media, count: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """``count`` pictures evenly over the window that is meant of a video, (count, H, W, 3), at ``size`` if given.

    Raises:
        MediaError: they cannot be read.
    """
    return frames(path, count, media.start, media.end, size).images


def drawn(card: Card, role: str, picture: NDArray[np.uint8]) -> Picture:
    """A picture (H, W, 3) with the boxes and points of a card over it."""
    height, width = picture.shape[:2]
    return Picture(role, picture_uri(picture), width, height, overlay(card, width, height))

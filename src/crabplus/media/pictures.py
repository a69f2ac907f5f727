"""Frames of a video at chosen times, in one pass, with a seek where that saves decoding."""

import heapq
import math
from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from crabplus.media.clip import Clip, orient, survey, window_of
from crabplus.media.errors import MediaError
from crabplus.media.records import Frames
from crabplus.media.stills import resize
from crabplus.media.streams import opened, packets

__all__ = ["Walk", "read_frames"]

_SEEK_GAIN = 0.4  # seconds of decoding that a seek must save
_BLIND_GAIN = 5.0  # the same where the container has no index to tell what it would save
_EPSILON = 1e-6
_SLACK = 3  # pictures that may be missing at the end: some encoders announce a few too many

Shown = tuple[float, av.VideoFrame]


def read_frames(path: str, count: int, start: float | None, end: float | None, size: tuple[int, int] | None) -> Frames:
    """See :func:`crabplus.media.frames`.

    Raises:
        MediaError: see there.
    """
    clip = survey(path)
    if clip is None or clip.video is None:
        remedy = "is a still image: read it with image()" if clip is None else "has no pictures, only sound"
        raise MediaError(path, remedy)
    begin, stop = window_of(path, start, end, clip.pictures_end)
    targets = begin + (np.arange(count) + 0.5) / count * (stop - begin)
    size = size or clip.size
    images = np.empty((count, size[1], size[0], 3), np.uint8)
    times = np.empty(count, np.float64)
    with opened(path, clip.format, clip.video) as container:
        before, reformatter = None, VideoReformatter()
        for place, shown in enumerate(Walk(clip, container).at(targets)):
            if shown is before:
                images[place] = images[place - 1]
            else:
                rgb = reformatter.reformat(shown[1], format="rgb24").to_ndarray()
                images[place] = resize(orient(rgb, clip.turn), size)
            times[place], before = shown[0], shown
    return Frames(images, times, begin, stop)


class Walk:
    """Goes through the pictures of one stream in the order of display, forward only."""

    def __init__(self, clip: Clip, container: InputContainer) -> None:
        self.clip, self.container, self.stream = clip, container, container.streams[clip.video]
        self.base = float(self.stream.time_base)
        self.damage: list[tuple[float, float, str]] = []  # from when on, until which key frame, and why
        self.fruitless = False  # a blind seek gained nothing: the pictures between key frames are many
        self.frames = self._decode()
        self.ahead: Shown | None = None

    def at(self, targets: np.ndarray) -> Iterator[Shown]:
        """For each target time, ascending, the picture on display then.

        Raises:
            MediaError: damage before it, or the pictures stop before it.
        """
        shown: Shown | None = None
        if self._gain(targets[0], 0.0):
            self._seek(targets[0])
        self.ahead = next(self.frames, None)
        for target in targets:
            if self.ahead is not None and shown is not None and self._gain(target, self.ahead[0]):
                self._leap(target, self.ahead[0])
            while self.ahead is not None and (shown is None or self.ahead[0] <= target + _EPSILON):
                shown, self.ahead = self.ahead, next(self.frames, None)
            self._check(target, shown)
            yield shown  # type: ignore[misc]

    def every(self) -> Iterator[Shown]:
        """All pictures with their times.

        Raises:
            MediaError: damage, or the pictures stop too soon.
        """
        shown: Shown | None = None
        for shown in self.frames:
            self._check(shown[0], shown)
            yield shown
        self.ahead = None
        self._check(self.clip.last_picture, shown)

    def _check(self, target: float, shown: Shown | None) -> None:
        for begin, until, why in self.damage:
            if begin <= target + _EPSILON < until:
                raise MediaError(self.clip.path, f"is damaged at {max(begin, 0):.2f} s: {why}")
        if shown is None:
            raise MediaError(self.clip.path, "none of its pictures can be decoded")
        gap = _SLACK / (self.clip.fps or 1.0)
        last, end = shown[0], self.clip.pictures_end
        if self.ahead is None and min(target, self.clip.last_picture) - last > gap:
            raise MediaError(self.clip.path, f"is cut short: its pictures stop at {last:.2f} s of {end:.2f} s")

    def _gain(self, target: float, now: float) -> bool:
        """Whether a seek to ``target`` saves enough decoding from ``now`` on."""
        if target - now < _SEEK_GAIN or (self.clip.format == "avi" and self.stream.codec_context.has_b_frames):
            return False  # the times of an avi with B frames are known by counting alone
        entries = self.stream.index_entries
        if len(entries) < 2:
            return target - now > _BLIND_GAIN and not self.fruitless
        place = entries.search_timestamp(self._ticks(target), backward=True, any_frame=False)
        return place >= 0 and entries[place].timestamp * self.base - self.clip.origin - now > _SEEK_GAIN

    def _leap(self, target: float, now: float) -> None:
        self._seek(target)
        self.ahead = next(self.frames, None)
        self.fruitless = self.ahead is None or self.ahead[0] <= now

    def _seek(self, target: float) -> None:
        """Goes to a key frame at or before ``target``; to the start if the container misses that."""
        for ticks in (self._ticks(target), self._ticks(target - _BLIND_GAIN), self._ticks(0.0)):
            self.container.seek(ticks, stream=self.stream)
            self.damage, self.frames = [], self._decode()
            first = next(self.frames, None)
            if first is not None and first[0] <= target + _EPSILON:
                self.frames = _chain(first, self.frames)
                return
        self.container.seek(self._ticks(0.0), stream=self.stream)
        self.damage, self.frames = [], self._decode()

    def _ticks(self, time: float) -> int:
        return round((max(time, 0.0) + self.clip.origin) / self.base)

    def _decode(self) -> Iterator[Shown]:
        """Every picture with its time, from where the container stands."""
        counted: list[int] = []  # avi: what numbers the packets carry; pictures come out in the order of these
        time = -1.0 / (self.clip.fps or 1.0)
        for packet, stamp in packets(self.clip.path, self.container, self.stream):
            if self.clip.format == "avi" and packet.dts is not None and packet.size:
                heapq.heappush(counted, packet.dts)
            at = time if stamp is None else stamp - self.clip.origin
            if packet.is_corrupt:
                self._spoilt(at, "a packet is incomplete")
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                self._spoilt(at, error.strerror)
                continue
            for frame in frames:
                pts = heapq.heappop(counted) if counted else frame.pts
                time = time + 1 / (self.clip.fps or 1.0) if pts is None else pts * self.base - self.clip.origin
                self._judge(time, frame)
                yield time, frame

    def _spoilt(self, time: float, why: str) -> None:
        self.damage.append((time, math.inf, why))

    def _judge(self, time: float, frame: av.VideoFrame) -> None:
        """A key frame makes the pictures from there on good again."""
        if self.damage and frame.key_frame:
            self.damage = [(a, time if a < time < b else b, why) for a, b, why in self.damage]
        if frame.is_corrupt:
            self._spoilt(time, "a picture could be decoded in part only")


def _chain(first: Shown, rest: Iterator[Shown]) -> Iterator[Shown]:
    yield first
    yield from rest

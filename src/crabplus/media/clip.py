"""A clip before decoding: its streams, its clock, where they end, and how its pictures are turned for display."""

import functools
import os
from dataclasses import dataclass, replace

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition, Stream
from numpy.typing import NDArray

from crabplus.media.containers import IMAGES, identify, mp3_states_length
from crabplus.media.errors import MediaError
from crabplus.media.records import Probe
from crabplus.media.stills import read_image
from crabplus.media.streams import first_frame, opened, packets, stamp_of, start_of

__all__ = ["Clip", "orient", "read_probe", "survey", "window_of"]

_CUT = 0.05  # seconds that the packets may fall short of a stated length before the file counts as cut
_RATES = (0.001, 1000.0)  # pictures per second that are believed
_STAY = {"video": 3600.0, "audio": 10.0}  # seconds that one packet may last; what states more is wrong
_PAUSE = 3600.0  # seconds without pictures and sound from which on the time stamps are wrong
_THIN = 4000.0  # bytes per second below which a clip that is longer than that is looked through for such a pause


@dataclass(frozen=True)
class Clip:
    """What is known of a file with moving pictures or sound. Times are seconds on the clip's clock.

    Attributes:
        path, format: the file, and the name of its demuxer.
        video, audio: index of the stream in the container, None without.
        origin: what the container's clock shows at zero of the clip's.
        pictures_end: end of the last picture; last_picture: its start.
        sound_start, sound_end: the sound track's extent.
        fps, size: pictures per second; width and height as displayed.
        turn: (swap axes, mirror left-right, mirror up-down), in this order, that make a decoded picture upright.
    """

    path: str
    format: str
    video: int | None
    audio: int | None
    origin: float = 0.0
    pictures_end: float = 0.0
    last_picture: float = 0.0
    sound_start: float = 0.0
    sound_end: float = 0.0
    fps: float | None = None
    size: tuple[int, int] = (0, 0)
    turn: tuple[bool, bool, bool] = (False, False, False)

    @property
    def end(self) -> float:
        """End of the clip: of its pictures or its sound, whichever is later."""
        return max(self.pictures_end, self.sound_end)


def read_probe(path: str) -> Probe:
    """What the file at ``path`` is.

    Raises:
        MediaError: see :func:`crabplus.media.probe`.
    """
    clip = survey(path)
    if clip is None:
        height, width, _ = read_image(path).shape
        return Probe("image", None, None, (width, height), False, True)
    if clip.video is None:
        return Probe("audio", clip.end, None, None, True, False)
    return Probe("video", clip.end, clip.fps, clip.size, clip.audio is not None, True)


def survey(path: str) -> Clip | None:
    """The clip in a file; None for a still image. Remembered while the file is unchanged.

    Raises:
        MediaError: see :func:`crabplus.media.probe`.
    """
    try:
        found = os.stat(path)
        mark = (found.st_mtime_ns, found.st_size, found.st_ino)
    except OSError:
        mark = (0, 0, 0)
    return _survey(path, mark)


@functools.lru_cache(maxsize=512)
def _survey(path: str, mark: tuple[int, int, int]) -> Clip | None:
    form = identify(path)
    if form in IMAGES:
        return None
    with opened(path, form) as container:
        video, audio = _choose(container, "video"), _choose(container, "audio")
    if video is None and audio is None:
        raise MediaError(path, "has neither pictures nor sound")
    clip = Clip(path, form, video, audio)
    if video is None:
        with opened(path, form, audio) as container:
            stream = container.streams[audio]
            first_frame(path, container, stream)
            clip = replace(clip, origin=start_of(stream))
    else:
        clip = _with_pictures(clip)
    clip = clip if audio is None else _with_sound(clip)
    if clip.end <= 0:
        raise MediaError(path, "is damaged: its time stamps go backwards")
    if clip.end > _PAUSE and mark[1] / clip.end < _THIN:
        _check_pauses(clip)
    return clip


def _choose(container: InputContainer, kind: str) -> int | None:
    """The index of the stream to use: the default one, else the first; cover art is none."""
    streams = [
        stream
        for stream in container.streams
        if stream.type == kind and not stream.disposition & Disposition.attached_pic
    ]
    streams.sort(key=lambda stream: (stream.codec_context is None, not stream.disposition & Disposition.default))
    return streams[0].index if streams else None


def _with_pictures(clip: Clip) -> Clip:
    with opened(clip.path, clip.format, clip.video) as container:
        stream = container.streams[clip.video]
        frame = first_frame(clip.path, container, stream)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        # avi has no presentation times: its pictures are numbered in the order of display
        origin = start_of(stream) if clip.format == "avi" or frame.time is None else float(frame.time)
        turn = _turn(frame)
        size = _displayed(frame, stream, turn)
        last, end = _extent(clip, container, stream) or (0.0, 0.0)
        fps = rate if _RATES[0] <= rate <= _RATES[1] else _mean_rate(clip.path, container, stream)
    stated = start_of(stream) + float(stream.duration * stream.time_base) if stream.duration else end
    end = min(stated, end) if stated > last else last + 1 / fps
    return replace(
        clip, origin=origin, last_picture=last - origin, pictures_end=end - origin, fps=fps, turn=turn, size=size
    )


def _with_sound(clip: Clip) -> Clip:
    with opened(clip.path, clip.format, clip.audio) as container:
        stream = container.streams[clip.audio]
        start = start_of(stream)
        # what libav takes from the bit rate is too short for a matroska without a stated length
        guess = clip.format in ("avi", "matroska") or (clip.format == "mp3" and not mp3_states_length(clip.path))
        stated = float(stream.duration * stream.time_base) if stream.duration and not guess else None
        found = _extent(clip, container, stream, whole=stated is None and clip.format != "matroska")
    if found is None:  # a track that was declared and never filled
        return replace(clip, audio=None)
    end = found[1]
    if stated is not None and clip.format in ("mp3", "flac") and start + stated - end > _CUT:
        raise MediaError(
            clip.path, f"is cut short: it should last {stated:.2f} s and its sound stops at {end - start:.2f} s"
        )
    end = end if stated is None else min(end, start + stated)
    if end <= start:
        raise MediaError(clip.path, "is damaged: its sound has no length")
    return replace(clip, sound_start=start - clip.origin, sound_end=end - clip.origin)


def _mean_rate(path: str, container: InputContainer, stream: Stream) -> float:
    """Pictures per second, counted, where what the file says cannot be."""
    container.seek(0, stream=stream)
    times = [time for packet, time in packets(path, container, stream) if time is not None and not packet.is_discard]
    length = max(times, default=0.0) - min(times, default=0.0)
    return min(max((len(times) - 1) / length, _RATES[0]), _RATES[1]) if length > 0 else 25.0


def _extent(clip: Clip, container: InputContainer, stream: Stream, whole: bool = False) -> tuple[float, float] | None:
    """Start and end of the last packet in seconds on the container's clock, read from those near the stated end.

    None if there is no packet.
    """
    stated = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / av.time_base
    near = 0.0 if whole else max(start_of(stream) + float(stated) - 1.0, 0.0)
    container.seek(int(near / stream.time_base), stream=stream)
    found = _last_packet(clip.path, container, stream)
    if found is None and near:
        container.seek(0, stream=stream)
        found = _last_packet(clip.path, container, stream)
    return found


def _last_packet(path: str, container: InputContainer, stream: Stream) -> tuple[float, float] | None:
    found = None
    for packet, time in packets(path, container, stream):
        if time is None or packet.is_discard:
            continue
        last, end = found or (time, time)
        length = float((packet.duration or 0) * stream.time_base)
        found = max(last, time), max(end, time + (length if length <= _STAY[stream.type] else 0.0))
    return found


def _check_pauses(clip: Clip) -> None:
    """Refuses a clip whose time stamps jump: it would last for days that are not in it.

    Raises:
        MediaError: they do.
    """
    until = 0.0
    with opened(clip.path, clip.format) as container:
        streams = [container.streams[index] for index in (clip.video, clip.audio) if index is not None]
        for packet in container.demux(streams):
            stamp = stamp_of(packet, clip.format == "avi")
            if stamp is None or packet.is_discard:
                continue
            time = float(stamp * packet.time_base) - clip.origin
            if time > until + _PAUSE:
                raise MediaError(clip.path, f"is damaged: its time stamps jump from {until:.2f} to {time:.2f} s")
            until = max(until, time)


def _turn(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """From the display matrix [[a, b, u], [c, d, v], [x, y, w]]: a point (p, q) is shown at (a p + c q, b p + d q)."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return False, False, False
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), np.int32)[:5])
    swap = abs(b) + abs(c) > abs(a) + abs(d)
    return (True, c < 0, b < 0) if swap else (False, a < 0, d < 0)


def orient(picture: NDArray[np.uint8], turn: tuple[bool, bool, bool]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) upright; a view."""
    swap, mirror, flip = turn
    picture = picture.swapaxes(0, 1) if swap else picture
    return picture[:: -1 if flip else 1, :: -1 if mirror else 1]


def _displayed(frame: av.VideoFrame, stream: Stream, turn: tuple[bool, bool, bool]) -> tuple[int, int]:
    """Width and height on display: pixels made square, then turned."""
    aspect = float(stream.sample_aspect_ratio or 1)
    # within 1 % it is rounding by the encoder, and beyond 4 it is an error of the file
    wide = aspect if abs(aspect - 1) > 0.01 and 0.25 <= aspect <= 4 else 1.0
    width, height = max(1, round(frame.width * wide)), frame.height
    return (height, width) if turn[0] else (width, height)


def window_of(path: str, start: float | None, end: float | None, last: float) -> tuple[float, float]:
    """The window [start, end) in seconds, cut at ``last``.

    Raises:
        MediaError: it is empty, or lies outside [0, last).
    """
    begin = 0.0 if start is None else start
    stop = last if end is None else min(end, last)
    if begin < 0 or begin >= last:
        raise MediaError(path, f"the window starts at {begin:g} s, outside of the {last:.3f} s that there are")
    if stop <= begin:
        raise MediaError(path, f"the window from {begin:g} to {end:g} s is empty")
    return begin, stop

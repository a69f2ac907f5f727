"""Opening a container for one of its streams, and noticing what a demuxer passes over in silence."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import av
from av.container import InputContainer
from av.logging import Capture
from av.stream import Discard, Stream

from crabplus.media.errors import MediaError
from crabplus.media.limits import MOST_STREAMS, SOUND_RATES, VIDEO_PIXELS, large

__all__ = ["check_rate", "first_frame", "opened", "packets", "reading", "stamp_of", "start_of"]

T = TypeVar("T")

_SKIPPERS = ("matroska", "ogg")  # their demuxers leave out a damaged stretch and go on, with no more than a message
_MANY = f"has more than {MOST_STREAMS} streams, and no more are read"
_LARGE = f"its pictures claim an impossible size, or more than the {VIDEO_PIXELS:,} pixels that are read"
_WAV_PROBE = "20000"  # bytes; a wav file is searched for other codecs in disguise, by default 5 MB of it

av.logging.set_level(av.logging.ERROR)
av.logging.set_skip_repeated(False)  # or a message that an earlier file gave too would be lost
logging.getLogger("libav").addHandler(logging.NullHandler())


@contextmanager
def opened(path: str, form: str, index: int | None = None) -> Iterator[InputContainer]:
    """The container; with ``index``, set to read that stream alone and to decode it in one thread.

    Raises:
        MediaError: it cannot be read, has no decoder for the stream, asks for more than is given to a file, or a
            damaged stretch was met and left out.
    """
    options = {
        "protocol_whitelist": "file",  # no file may make us read another one
        "max_streams": str(MOST_STREAMS), "max_pixels": str(VIDEO_PIXELS),
    }  # fmt: skip
    if form == "wav":
        options["probesize"] = _WAV_PROBE
    began = 0  # how many messages opening it gave; they may be on streams that are not read
    try:
        # "file:" because a colon in a name would make it an address
        with Capture(local=True) as log, av.open("file:" + path, format=form, options=options,
                                                 metadata_errors="replace") as container:  # fmt: skip
            if index is not None:
                _select(path, container, index)
            began = len(log)
            yield container
    except (av.FFmpegError, MediaError) as error:
        if any("max_streams" in message for _, _, message in log):
            raise MediaError(path, _MANY) from error
        if any(message.startswith("Picture size") for _, _, message in log[began:]):
            raise MediaError(path, _LARGE) from error
        if isinstance(error, MediaError):
            raise
        if isinstance(error, MemoryError):
            raise MediaError(path, "is damaged: it asks for more memory than there is for one file") from error
        raise MediaError(path, f"cannot be read as {form}: {error.strerror}") from error
    for level, source, message in log:
        if "max_streams" in message:
            raise MediaError(path, _MANY)
        if form in _SKIPPERS and level <= av.logging.ERROR and form in source.split(","):
            raise MediaError(path, f"is damaged: {message.strip()}")


def _select(path: str, container: InputContainer, index: int) -> None:
    stream = container.streams[index]
    if stream.codec_context is None:
        raise MediaError(path, f"its {stream.type} is in a format that this build of PyAV cannot decode")
    codec = stream.codec_context
    if stream.type == "video" and codec.width * codec.height > VIDEO_PIXELS:
        raise MediaError(path, large(codec.width, codec.height, VIDEO_PIXELS))
    if stream.type == "audio":
        check_rate(path, codec.sample_rate)
    codec.thread_count, codec.options = 1, {"max_pixels": str(VIDEO_PIXELS)}
    for other in container.streams:
        if other.index != index:
            other.discard = Discard.all


def reading(path: str, form: str, items: Iterable[T]) -> Iterator[T]:
    """The items of something that reads a container, for those who write another one at the same time.

    Raises:
        MediaError: it cannot be read.
    """
    try:
        yield from items
    except av.FFmpegError as error:
        raise MediaError(path, f"cannot be read as {form}: {error.strerror}") from error


def check_rate(path: str, rate: int) -> None:
    """Refuses a rate of samples that no sound has.

    Raises:
        MediaError: it is none.
    """
    if not SOUND_RATES[0] <= rate <= SOUND_RATES[1]:
        raise MediaError(path, f"its sound claims {rate} samples per second, which no sound has")


def packets(path: str, container: InputContainer, stream: Stream) -> Iterator[tuple[av.Packet, float | None]]:
    """The packets from where the container stands on, each with its time in seconds on the container's clock or None.

    Raises:
        MediaError: a piece of an avi that its index lists is not found in its place.
    """
    base, avi = float(stream.time_base), container.format.name == "avi"
    order = {entry.pos + 8: place for place, entry in enumerate(stream.index_entries)} if avi else {}
    before = None
    for packet in container.demux(stream):
        place = order.get(packet.pos)
        if place is not None:
            if before is not None and place > before + 1:
                raise MediaError(path, "is damaged: a piece that its index lists is not in its place")
            before = place
        stamp = stamp_of(packet, avi)
        yield packet, None if stamp is None else stamp * base


def stamp_of(packet: av.Packet, avi: bool) -> int | None:
    """When a packet is presented, in its time base; avi knows only the order of decoding, and its pts are made up."""
    return packet.dts if avi or packet.pts is None else packet.pts


def start_of(stream: Stream) -> float:
    """Where a stream starts, in seconds on the container's clock."""
    return float(stream.start_time * stream.time_base) if stream.start_time else 0.0


def first_frame(path: str, container: InputContainer, stream: Stream) -> av.VideoFrame | av.AudioFrame:
    """The first frame that can be decoded.

    Raises:
        MediaError: there is none.
    """
    error = None
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                return frame
        except av.FFmpegError as problem:
            error = problem
    why = error.strerror if error else "it holds no frame"
    raise MediaError(path, f"its {stream.type} cannot be decoded: {why}") from error

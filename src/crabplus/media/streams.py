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

__all__ = ["first_frame", "opened", "packets", "reading", "stamp_of", "start_of"]

T = TypeVar("T")

_SKIPPERS = ("matroska", "ogg")  # their demuxers leave out a damaged stretch and go on, with no more than a message
_WAV_PROBE = "20000"  # bytes; a wav file is searched for other codecs in disguise, by default 5 MB of it

av.logging.set_level(av.logging.ERROR)
av.logging.set_skip_repeated(False)  # or a message that an earlier file gave too would be lost
logging.getLogger("libav").addHandler(logging.NullHandler())


@contextmanager
def opened(path: str, form: str, index: int | None = None) -> Iterator[InputContainer]:
    """The container; with ``index``, set to read that stream alone and to decode it in one thread.

    Raises:
        MediaError: it cannot be read, has no decoder for the stream, or a damaged stretch was met and left out.
    """
    options = {"protocol_whitelist": "file"}  # no file may make us read another one
    if form == "wav":
        options["probesize"] = _WAV_PROBE
    try:
        # "file:" because a colon in a name would make it an address
        with Capture(local=True) as log, av.open("file:" + path, format=form, options=options,
                                                 metadata_errors="replace") as container:  # fmt: skip
            if index is not None:
                _select(path, container, index)
            yield container
    except av.FFmpegError as error:
        raise MediaError(path, f"cannot be read as {form}: {error.strerror}") from error
    if form in _SKIPPERS:
        for level, source, message in log:
            if level <= av.logging.ERROR and form in source.split(","):
                raise MediaError(path, f"is damaged: {message.strip()}")


def _select(path: str, container: InputContainer, index: int) -> None:
    stream = container.streams[index]
    if stream.codec_context is None:
        raise MediaError(path, f"its {stream.type} is in a format that this build of PyAV cannot decode")
    stream.codec_context.thread_count = 1
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

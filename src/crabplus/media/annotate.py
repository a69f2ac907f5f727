"""Copies of films and pictures with marks drawn over them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from crabplus.media.clip import Clip, orient, survey
from crabplus.media.errors import MediaError
from crabplus.media.marks import Marks
from crabplus.media.painter import Painter
from crabplus.media.pictures import Walk
from crabplus.media.soundtrack import Soundtrack
from crabplus.media.stills import read_image, resize
from crabplus.media.streams import opened, reading

__all__ = ["write_annotated"]

_BASE = 90_000  # ticks of a second: a whole number for each picture at the usual rates
_UNKNOWN, _LIMITED = 2, 1  # in FFmpeg's numbers: an unspecified matrix of colours, and values from 16 to 235
_LOOK = {"preset": "veryfast", "crf": "20", "bf": "0"}
"""How pictures are encoded: in the order of display, so that each is shown as long as in the original, the last too."""
_QUALITY = 92


def write_annotated(path: str, out: str, marks: Marks, form: str) -> None:
    """Write a copy of a film or a picture with marks over it; see :meth:`crabplus.media.Decoder.annotate`.

    Args:
        path: the original; out: the copy. marks: what is drawn. form: of the copy: ``mp4``, ``jpg`` or ``png``.

    Raises:
        MediaError: the original cannot be read to its end, or the copy cannot be written.
    """
    clip = survey(path)
    if (clip is None) != (form != "mp4"):
        raise MediaError(path, f"is {'a still picture' if clip is None else 'no picture'}, which gives no {form}")
    if clip is None:
        picture = read_image(path)
        Painter(marks, picture.shape[1::-1]).paint(picture, 0.0)
        Path(out).write_bytes(_encoded(picture, form))
    elif clip.video is None:
        raise MediaError(path, "has no pictures to draw on, only sound")
    else:
        _film(clip, out, marks)


def _encoded(picture: NDArray[np.uint8], form: str) -> bytes:
    settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if form == "jpg" else []
    return bytes(cv2.imencode(f".{form}", picture[..., ::-1], settings)[1])


def _film(clip: Clip, out: str, marks: Marks) -> None:
    """Picture by picture, with the sound up to each: little is held at a time."""
    with ExitStack() as stack:
        source = stack.enter_context(opened(clip.path, clip.format, clip.video))
        heard = None if clip.audio is None else stack.enter_context(opened(clip.path, clip.format, clip.audio))
        film = stack.enter_context(_writing(clip.path, out))
        pictures = _Pictures(clip, source, film)
        sound = Soundtrack(clip, heard, film) if heard else None
        painter = Painter(marks, clip.size)
        for time, frame in reading(clip.path, clip.format, Walk(clip, source).every()):
            if sound:
                sound.until(time)
            pictures.add(time, frame, painter)
        pictures.finish()
        if sound:
            sound.finish()


@contextmanager
def _writing(path: str, out: str) -> Iterator[OutputContainer]:
    """An mp4 file to write; a player need not read it whole before it starts.

    Raises:
        MediaError: it cannot be written. Whatever FFmpeg says of the original is told where that is read.
    """
    try:
        Path(out).touch()  # FFmpeg opens it with the first packet only
        with av.open("file:" + out, "w", format="mp4", options={"movflags": "+faststart"}) as film:
            yield film
    except (av.FFmpegError, OSError) as error:
        raise MediaError(path, f"its copy cannot be written to {out}: {error.strerror}") from error


class _Pictures:
    """The pictures of a film on their way from one file to another, each at its time."""

    def __init__(self, clip: Clip, source: InputContainer, film: OutputContainer) -> None:
        origin = source.streams[clip.video]
        self.clip, self.film = clip, film
        rate = Fraction(origin.average_rate or origin.guessed_rate or 25)
        self.stream: Any = film.add_stream("libx264", rate=rate, options=_LOOK)
        width, height = clip.size
        self.stream.width, self.stream.height = width + width % 2, height + height % 2
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = Fraction(1, _BASE)
        self.colours = self._same_colours(origin.codec_context)
        self.length = round((clip.pictures_end - clip.last_picture) * _BASE)  # of the last picture
        self.last = -1
        self.forth, self.back = VideoReformatter(), VideoReformatter()

    def _same_colours(self, origin: Any) -> int:
        """Have the copy say how its colours are meant, as the original does; the matrix between them and RGB."""
        context, matrix = self.stream.codec_context, int(origin.colorspace) or _UNKNOWN  # 0, RGB, is not written
        context.colorspace, context.color_range = matrix, _LIMITED
        context.color_primaries, context.color_trc = origin.color_primaries, origin.color_trc
        return matrix

    def add(self, time: float, frame: av.VideoFrame, painter: Painter) -> None:
        """The picture of ``time`` seconds, upright and with square pixels, marks drawn over it."""
        rgb = self.forth.reformat(frame, format="rgb24").to_ndarray()
        picture = resize(orient(rgb, self.clip.turn), self.clip.size)
        painter.paint(picture, time)
        height, width = picture.shape[:2]
        if width % 2 or height % 2:  # H.264 with colour at half the size takes even numbers alone
            picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        drawn = av.VideoFrame.from_ndarray(picture, "rgb24")
        shown = self.back.reformat(drawn, format="yuv420p", dst_colorspace=self.colours)
        self.last = max(round(time * _BASE), self.last + 1)
        shown.pts, shown.time_base = self.last, Fraction(1, _BASE)
        self._mux(shown)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._mux(None)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self.stream.encode(frame):
            packet.duration = self.length
            self.film.mux(packet)

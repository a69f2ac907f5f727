"""The sound of a film on its way into a copy: as it is where mp4 takes it, else as AAC."""

from typing import Any

import av
from av.container import InputContainer, OutputContainer

from crabplus.media.clip import Clip
from crabplus.media.errors import MediaError
from crabplus.media.streams import packets, reading

__all__ = ["Soundtrack"]

_TAKEN = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"))
"""Codecs that mp4 holds unchanged."""
_RATES = frozenset((96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000))
_LAYOUTS = {1: "mono", 6: "5.1"}


class Soundtrack:
    """Carries the sound of a clip into a film, piece by piece.

    Args:
        clip: its sound track is meant. source: its file, set to read that stream. film: the copy, not yet begun.
    """

    def __init__(self, clip: Clip, source: InputContainer, film: OutputContainer) -> None:
        stream = source.streams[clip.audio]
        context: Any = stream.codec_context
        self.clip, self.film = clip, film
        self.copied = context.codec.canonical_name in _TAKEN
        if self.copied:
            self.track: Any = film.add_stream_from_template(stream)
        else:
            rate = context.sample_rate if context.sample_rate in _RATES else 48_000
            self.track = film.add_stream("aac", rate=rate, layout=_LAYOUTS.get(context.channels, "stereo"))
        self.shift = round(clip.origin / stream.time_base)
        self.packets = reading(clip.path, clip.format, packets(clip.path, source, stream))
        self.ahead = next(self.packets, None)

    def until(self, time: float) -> None:
        """Carry over what is heard up to ``time`` seconds on the clip's clock.

        Raises:
            MediaError: damage.
        """
        while self.ahead is not None and (self.ahead[1] is None or self.ahead[1] - self.clip.origin <= time):
            self._carry(self.ahead[0])
            self.ahead = next(self.packets, None)

    def finish(self) -> None:
        """Carry over the rest."""
        self.until(float("inf"))
        if not self.copied:
            self.film.mux(self.track.encode(None))

    def _carry(self, packet: av.Packet) -> None:
        if packet.is_corrupt:
            raise MediaError(self.clip.path, "its sound is damaged: a packet is incomplete")
        if not self.copied:
            for frame in reading(self.clip.path, self.clip.format, packet.decode()):
                frame.pts = None if frame.pts is None else frame.pts - self.shift
                self.film.mux(self.track.encode(frame))
        elif packet.size and packet.dts is not None:
            packet.pts = (packet.dts if packet.pts is None else packet.pts) - self.shift
            packet.dts -= self.shift
            packet.stream = self.track
            self.film.mux(packet)

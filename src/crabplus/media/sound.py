"""The sound of a clip over a window, mono, at one rate, on the clip's clock."""

import math
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from crabplus.media.clip import Clip, survey, window_of
from crabplus.media.containers import wav_states_length
from crabplus.media.errors import MediaError
from crabplus.media.streams import check_rate, opened, packets

__all__ = ["read_waveform"]

_LEAD = 0.25  # seconds decoded ahead of the window, so that decoders and resamplers have settled when it begins
_SEEK_GAIN = 2.0  # seconds of decoding that a seek must save
_JITTER = 0.02  # seconds that time stamps may stray (some containers round them) before it counts as a gap
_LOSSY_SLACK = 0.3  # most seconds that may be missing at the end of a lossy track
_EXACT_SLACK = 0.005  # the same for a lossless one
_STATE_SILENCE = ("mov", "matroska")  # formats in which sound may pause; in others a gap is a loss
_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
_LOSSLESS = ("pcm_", "flac", "alac", "wavpack", "tta", "ape")

Mono = NDArray[np.float32]


def read_waveform(path: str, start: float | None, end: float | None, rate: int) -> Mono:
    """See :func:`crabplus.media.waveform`.

    Raises:
        MediaError: see there.
    """
    clip = survey(path)
    if clip is None or clip.audio is None:
        raise MediaError(path, "has no sound track")
    begin, stop = window_of(path, start, end, clip.end)
    reader = _Reader(clip, begin, stop, rate)
    if not reader.read(seek=begin - _LEAD - clip.sound_start > _SEEK_GAIN):
        reader = _Reader(clip, begin, stop, rate)
        reader.read(seek=False)
    reader.check()
    return reader.samples


class _Reader:
    """Fills the samples of one window.

    Attributes:
        samples: float32 (S,), the window's; zero where nothing was put yet.
        reached: seconds up to which sound was decoded.
        broken: the first damage in the window: when, and what.
        unheard: times of the packets whose sound is not here yet.
    """

    def __init__(self, clip: Clip, start: float, end: float, rate: int) -> None:
        self.clip, self.start, self.end, self.rate = clip, start, end, rate
        self.samples = np.zeros(round((end - start) * rate), np.float32)
        self.reached = clip.sound_start
        self.slack = _EXACT_SLACK
        self.broken: tuple[float, str] | None = None
        self.unheard: list[float] = []
        # then its last packet is as long as it is, and not what is left of a longer one
        self.endless = clip.format == "wav" and not wav_states_length(clip.path)

    def read(self, seek: bool) -> bool:
        """Decodes the window; False if a seek went past its start, and it must be read from the beginning."""
        clip, run, heard = self.clip, None, None
        with opened(clip.path, clip.format, clip.audio) as container:
            stream = container.streams[clip.audio]
            if seek:
                time = self.start - _LEAD + clip.origin
                container.seek(int(time / stream.time_base), stream=stream)
            for time, frame in self._frames(container, stream):
                if heard is None and seek and time > max(self.start - _LEAD / 2, clip.sound_start):
                    return False
                self._judge_gap(heard, time)
                length = frame.samples / frame.sample_rate
                heard = time + length
                if not _lossless(stream.codec_context.name):
                    self.slack = min(_LOSSY_SLACK, 2 * length)
                if heard < self.start - _LEAD:
                    continue
                if run is None or not run.takes(time, frame):
                    check_rate(clip.path, frame.sample_rate)
                    self._finish(run)
                    run = _Run(time, frame, self.rate, free=time < self.start - _LEAD / 2)
                run.push(frame)
                self._put(run)
                self.reached = max(self.reached, run.end)
                if self.reached >= self.end + _LEAD:
                    break
        self._finish(run)
        return True

    def _frames(self, container: InputContainer, stream: av.AudioStream) -> Iterator[tuple[float, av.AudioFrame]]:
        after, base = None, float(stream.time_base)
        for packet, stamp in packets(self.clip.path, container, stream):
            at = after if stamp is None else stamp - self.clip.origin
            length = (packet.duration or 0) * base
            if at is not None:
                self.unheard.append(at)
            if packet.is_corrupt and not self.endless:
                self._spoilt(at, length, "a packet is incomplete")
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                self._spoilt(at, length, error.strerror)
                continue
            for frame in frames:
                time = after if frame.pts is None else frame.pts * base - self.clip.origin
                if time is None:  # right after a seek, ogg does not know the time yet
                    continue
                after = time + frame.samples / frame.sample_rate
                yield time, frame

    def _judge_gap(self, heard: float | None, time: float) -> None:
        """Takes a gap for damage unless the container can state one and has no packet there."""
        early = time - _JITTER / 2
        if heard is not None and time - heard > _JITTER:
            lost = any(heard - _JITTER / 2 <= at < early for at in self.unheard)
            if lost or self.clip.format not in _STATE_SILENCE:
                self._spoilt(heard, time - heard, "a piece of it cannot be decoded")
        self.unheard = [at for at in self.unheard if at >= early]

    def _spoilt(self, time: float | None, length: float, why: str) -> None:
        """Remembers damage if it touches the window."""
        time = self.start if time is None else time
        if self.broken is None and time < self.end and time + length >= self.start:
            self.broken = (time, why)

    def _put(self, run: "_Run") -> None:
        """Puts what a run has resampled into its place."""
        for sound, at in run.take():
            place = round((run.start - self.start) * self.rate) + at
            low, high = max(place, 0), min(place + len(sound), len(self.samples))
            if low < high:
                self.samples[low:high] = sound[low - place : high - place]

    def _finish(self, run: "_Run | None") -> None:
        if run is not None:
            run.finish()
            self._put(run)

    def check(self) -> None:
        """Refuses a window that could not be filled.

        Raises:
            MediaError: damage within, or sound that stops before it should.
        """
        clip, due = self.clip, min(self.end, self.clip.sound_end) - self.slack
        if self.broken is not None and self.broken[0] < due:
            raise MediaError(clip.path, f"its sound is damaged at {self.broken[0]:.2f} s: {self.broken[1]}")
        if self.reached < due:
            raise MediaError(
                clip.path, f"is cut short: its sound stops at {self.reached:.2f} s of {clip.sound_end:.2f} s"
            )


class _Run:
    """Sound without a gap: frames at their own rate in, one mono array at the wanted rate out.

    A run that is ``free`` drops its first few samples, so that it begins where both rates have a sample: then any two
    windows of one file give the same values where they overlap.

    Attributes:
        start, end: seconds on the clip's clock.
    """

    def __init__(self, start: float, frame: av.AudioFrame, wanted: int, free: bool) -> None:
        self.form, self.rate, self.wanted = _form(frame), frame.sample_rate, wanted
        self.skip = -round(start * self.rate) % (self.rate // math.gcd(self.rate, wanted)) if free else 0
        self.begin, self.start, self.length, self.waiting = start, start + self.skip / self.rate, 0, 0
        self.resampler = AudioResampler(format="flt", layout="mono", rate=wanted)
        self.pieces: list[NDArray[Any]] = []
        self.done: list[Mono] = []
        self.given = 0  # samples that were taken

    @property
    def end(self) -> float:
        return self.begin + self.length / self.rate

    def takes(self, time: float, frame: av.AudioFrame) -> bool:
        return _form(frame) == self.form and abs(time - self.end) <= _JITTER

    def push(self, frame: av.AudioFrame) -> None:
        self.pieces.append(_samples(frame))
        self.length += frame.samples
        self.waiting += frame.samples
        if self.waiting >= self.rate:
            self._resample()

    def take(self) -> Iterator[tuple[Mono, int]]:
        """What is done and was not taken yet, each piece with its place after the start of the run."""
        for sound in self.done:
            yield sound, self.given
            self.given += len(sound)
        self.done = []

    def finish(self) -> None:
        self._resample()
        if self.rate != self.wanted and self.length:
            self.done.extend(frame.to_ndarray()[0] for frame in self.resampler.resample(None))

    def _resample(self) -> None:
        if not self.waiting:
            return
        sound = _mono(np.concatenate(self.pieces, axis=1), self.form)
        cut = min(self.skip, len(sound))
        sound, self.skip, self.pieces, self.waiting = sound[cut:], self.skip - cut, [], 0
        if self.rate == self.wanted:
            self.done.append(sound)
        elif len(sound):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), format="flt", layout="mono")
            frame.sample_rate = self.rate
            self.done.extend(piece.to_ndarray()[0] for piece in self.resampler.resample(frame))


def _form(frame: av.AudioFrame) -> tuple[int, int, bool]:
    """Rate, channels, and whether the channels stand one after the other."""
    return frame.sample_rate, len(frame.layout.channels), frame.format.is_planar


def _samples(frame: av.AudioFrame) -> NDArray[Any]:
    """The frame's samples as they are, (channels, S), or (1, S * channels) where the channels alternate.

    Not with PyAV's own ``to_ndarray``: of a frame with more than eight channels, which damage can feign, it counts too
    many planes and reads from wherever the surplus ones point.
    """
    _, channels, planar = _form(frame)
    dtype = _TYPES[frame.format.name.removesuffix("p")]
    count, planes = frame.samples * (1 if planar else channels), frame.planes[: channels if planar else 1]
    return np.stack([np.frombuffer(plane, dtype, count) for plane in planes])


def _lossless(codec: str) -> bool:
    return codec.startswith(_LOSSLESS)


def _mono(data: NDArray[Any], form: tuple[int, int, bool]) -> Mono:
    """The mean of the channels as float32 (S,), full scale 1."""
    if not form[2]:
        data = data.reshape(-1, form[1]).T
    if data.dtype == np.uint8:
        data = data.astype(np.float32) / 128 - 1
    elif data.dtype.kind == "i":
        data = data.astype(np.float32) / -float(np.iinfo(data.dtype).min)
    return data.mean(axis=0, dtype=np.float32)

"""Small media files with known content, written with PyAV.

Every video shows its picture's number as eight black or white blocks in its upper half, over a red left and a blue
right lower half; every sound is silent but for a tone of 1 kHz at a known time.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

AAC, OPUS = ("aac", 44_100), ("libopus", 48_000)


@dataclass(frozen=True)
class Recipe:
    """How to write a file: codecs, seconds, pictures per second, the tone's time, and what is odd about it."""

    name: str
    video: str | None = None
    audio: tuple[str, int] | None = None
    duration: float = 4.0
    fps: int = 10
    size: tuple[int, int] = (64, 48)
    pixels: str = "yuv420p"
    tone: tuple[float, float] = (1.0, 1.5)
    times: tuple[float, ...] = ()  # of the pictures, where they do not follow from fps
    sound_at: float = 0.0
    pictures_at: float = 0.0
    pause: tuple[float, float] = (0.0, 0.0)  # from when, and for how long, the sound track has no packets
    matrix: tuple[int, ...] = ()
    aspect: Fraction | None = None
    gop: int = 10
    video_options: dict[str, str] = field(default_factory=dict, hash=False)
    audio_options: dict[str, str] = field(default_factory=dict, hash=False)
    container: dict[str, str] = field(default_factory=dict, hash=False)


VIDEOS = [
    Recipe("h264.mp4", "libx264", AAC),
    Recipe("fast.mp4", "libx264", AAC, container={"movflags": "faststart"}),
    Recipe("fragments.mp4", "libx264", AAC, container={"movflags": "frag_keyframe+empty_moov"}),
    Recipe("hevc.mp4", "libx265", AAC, video_options={"x265-params": "log-level=none"}),
    Recipe("av1.mp4", "libsvtav1", AAC),
    Recipe("h264.mov", "libx264", ("pcm_s16le", 44_100)),
    Recipe("mpeg4.avi", "mpeg4", ("pcm_s16le", 44_100)),
    Recipe("bframes.avi", "libx264", ("pcm_s16le", 44_100)),
    Recipe("mjpeg.avi", "mjpeg", ("pcm_s16le", 44_100), pixels="yuvj420p"),
    Recipe("h264.mkv", "libx264", ("flac", 44_100)),
    Recipe("vp9.webm", "libvpx-vp9", OPUS),
    Recipe("vp8.webm", "libvpx", OPUS),
    Recipe("live.webm", "libvpx", OPUS, container={"live": "1"}),
]
SOUNDS = [
    Recipe("sound.wav", audio=("pcm_s16le", 44_100)),
    Recipe("sound24.wav", audio=("pcm_s24le", 48_000)),
    Recipe("sound.mp3", audio=("libmp3lame", 44_100)),
    Recipe("sound.flac", audio=("flac", 44_100)),
    Recipe("sound.m4a", audio=AAC),
    Recipe("lossless.m4a", audio=("alac", 44_100)),
    Recipe("opus.ogg", audio=OPUS),
    Recipe("vorbis.ogg", audio=("vorbis", 44_100), audio_options={"strict": "-2"}),
    Recipe("sound.mp4", audio=AAC),
]
LONG = {"duration": 25.0, "gop": 50, "tone": (17.0, 18.0)}
OTHERS = [
    Recipe("silent.mp4", "libx264"),
    Recipe("plain.mp3", audio=("libmp3lame", 44_100), container={"write_xing": "0"}),
    Recipe("odd.mp4", "libx264", size=(65, 47), pixels="yuv444p"),
    Recipe("odd.webm", "libvpx-vp9", size=(65, 47)),
    Recipe("wide.mp4", "libx264", aspect=Fraction(4, 3)),
    Recipe("vfr.mp4", "libx264", times=(0.0, 0.1, 0.15, 0.9, 1.0, 2.5, 2.6, 3.3), video_options={"bf": "0"}),
    Recipe("late_sound.mp4", "libx264", AAC, sound_at=0.7),
    Recipe("late_pictures.mkv", "libx264", AAC, pictures_at=0.7),
    Recipe("pause.mkv", "libx264", AAC, duration=5.0, pause=(2.0, 1.0), tone=(2.5, 3.0)),
    Recipe("groups.mp4", "libx264", gop=2),
    Recipe("tone.mp4", "libx264", AAC, tone=(0.0, 4.0)),
    Recipe("tone.m4a", audio=AAC, tone=(0.0, 4.0)),
    Recipe("tone.ogg", audio=OPUS, tone=(0.0, 4.0)),
    Recipe("tone.flac", audio=("flac", 44_100), tone=(0.0, 4.0)),
    Recipe("tone.webm", "libvpx", OPUS, tone=(0.0, 4.0)),
    Recipe("tone.avi", "mpeg4", ("pcm_s16le", 16_000), tone=(0.0, 4.0)),
    Recipe("long.mp4", "libx264", AAC, **LONG),
    Recipe("long.mkv", "libx264", AAC, **LONG),
    Recipe("long.avi", "mpeg4", ("pcm_s16le", 44_100), **LONG),
    Recipe("long_bframes.avi", "mpeg4", None, **LONG, video_options={"bf": "2"}),
    Recipe("long.mp3", audio=("libmp3lame", 44_100), **LONG),
    Recipe("long.ogg", audio=OPUS, **LONG),
]
RECIPES = {recipe.name: recipe for recipe in VIDEOS + SOUNDS + OTHERS}


def picture(number: int, width: int, height: int) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(8):
        image[: height // 2, bit * width // 8 : (bit + 1) * width // 8] = 255 * (number >> bit & 1)
    image[height // 2 :, : width // 2] = (220, 30, 30)
    image[height // 2 :, width // 2 :] = (30, 30, 220)
    return image


def read_number(image: np.ndarray) -> int:
    """The number that a picture shows."""
    height, width = image.shape[:2]
    return sum(int(image[height // 4, int((bit + 0.5) * width / 8)].mean() > 128) << bit for bit in range(8))


def when_loud(sound: np.ndarray, rate: int = 16_000) -> tuple[float, float]:
    """First and last second with sound in it."""
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    return loud[0] / rate, loud[-1] / rate


def write(folder: Path, recipe: Recipe) -> Path:
    path = folder / recipe.name
    with av.open(str(path), "w", options=recipe.container) as container:
        streams = [_add_video(container, recipe)] if recipe.video else []
        if recipe.audio:
            codec, rate = recipe.audio
            streams.append(container.add_stream(codec, rate=rate, layout="stereo", options=recipe.audio_options))
        for stream in streams:
            for frame in _pictures(recipe) if stream.type == "video" else _sound(recipe):
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def _add_video(container: Any, recipe: Recipe) -> Any:
    stream = container.add_stream(recipe.video, rate=recipe.fps, options=recipe.video_options)
    stream.width, stream.height = recipe.size
    stream.pix_fmt, stream.codec_context.gop_size = recipe.pixels, recipe.gop
    stream.codec_context.time_base = _base(recipe)
    stream.codec_context.thread_count = 1
    if recipe.aspect:
        stream.codec_context.sample_aspect_ratio = recipe.aspect
    if recipe.matrix:
        stream.set_display_matrix(recipe.matrix)
    return stream


def _base(recipe: Recipe) -> Fraction:
    return Fraction(1, 1000) if recipe.times else Fraction(1, recipe.fps)


def _pictures(recipe: Recipe) -> Any:
    times = recipe.times or [number / recipe.fps for number in range(round(recipe.duration * recipe.fps))]
    for number, time in enumerate(times):
        frame = av.VideoFrame.from_ndarray(picture(number, *recipe.size), format="rgb24")
        frame.time_base = _base(recipe)
        frame.pts = round((time + recipe.pictures_at) / frame.time_base)
        yield frame


def _sound(recipe: Recipe) -> Any:
    rate = recipe.audio[1]
    seconds = np.arange(round(recipe.duration * rate)) / rate
    sound = 0.5 * np.sin(2 * np.pi * 1000 * seconds) * ((seconds >= recipe.tone[0]) & (seconds < recipe.tone[1]))
    for start in range(0, len(sound), 1024):
        piece = sound[start : start + 1024].astype(np.float32)
        after = recipe.pause[1] if start / rate >= recipe.pause[0] and recipe.pause[1] else 0.0
        frame = av.AudioFrame.from_ndarray(np.stack([piece, piece]), format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = start + round((recipe.sound_at + after) * rate)
        yield frame

"""Writes scenes as ordinary files: H.264 and AAC in mp4, 16-bit wav, jpg."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.tidepool.ask import Ask, mask_of
from crabplus.tidepool.voices import RATE
from crabplus.tidepool.world import Scene, draw, sound

SIDE = 160  # pixels
FPS = 8
_BLOCK = 1024  # samples in a frame of AAC


def write_clip(path: Path, *scenes: Scene, with_sound: bool = True) -> None:
    """Film scenes, one after the other, at FPS, with their sound unless told otherwise."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20", "threads": "1"})
        video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuv420p"
        audio = file.add_stream("aac", rate=RATE, bit_rate=64000, layout="mono") if with_sound else None
        played = 0  # samples of the scenes before
        for scene in scenes:
            pictures, _ = draw(scene, [(n + 0.5) / FPS for n in range(scene.seconds * FPS)], SIDE)
            for picture in pictures:
                file.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            if audio is not None:
                wave = sound(scene)
                for start in range(0, len(wave), _BLOCK):
                    file.mux(audio.encode(_audio_frame(wave[start : start + _BLOCK], played + start)))
                played += len(wave)
        file.mux(video.encode(None))
        if audio is not None:
            file.mux(audio.encode(None))


def _audio_frame(wave: NDArray[np.float32], start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
    return frame


def write_wav(path: Path, scene: Scene) -> None:
    """The sound of a scene as 16-bit PCM."""
    samples = (sound(scene) * 32767).astype("<i2")
    with av.open(str(path), "w", format="wav") as file:
        stream = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
        frame.sample_rate = RATE
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def write_frame(path: Path, scene: Scene, time: float) -> None:
    """The picture at ``time`` seconds as jpg."""
    picture = draw(scene, [time], SIDE)[0][0]
    if not cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92]):
        raise OSError(f"{path}: could not be written")


def write_mask(path: Path, made: Ask) -> None:
    """The true mask of what is asked for as png, 255 where it is."""
    if not cv2.imwrite(str(path), mask_of(made, SIDE).astype(np.uint8) * 255):
        raise OSError(f"{path}: could not be written")

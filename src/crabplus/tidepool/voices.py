"""How things sound: a timbre per kind, whose pitch and loudness vary from thing to thing."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crabplus.tidepool.speech import RATE, TONES, babble

Wave = NDArray[np.float64]
Voice = Callable[[Wave, float, np.random.Generator], Wave]


def _beats(t: Wave, rate: float, decay: float) -> Wave:
    """Envelope of strokes: ``rate`` per second, each fading with ``decay`` per second."""
    return np.exp(-decay * np.mod(t, 1 / rate))


def _harmonics(phase: Wave, weights: list[float]) -> Wave:
    return np.sum([w * np.sin((k + 1) * phase) for k, w in enumerate(weights)], axis=0)


def _noise(t: Wave, rng: np.random.Generator, low: float, high: float) -> Wave:
    """Noise between two frequencies in Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(len(t)))
    frequency = np.fft.rfftfreq(len(t), 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] = 0
    wave = np.fft.irfft(spectrum, len(t))
    return wave / (np.abs(wave).max() + 1e-9)


def _fish(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Bubbles: short chirps that rise."""
    local = np.mod(t, 0.25)
    return np.sin(2 * np.pi * pitch * (500 * local + 3200 * local**2)) * _beats(t, 4, 12)


def _crab(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Clicks in quick succession."""
    return _noise(t, rng, 2500, 7000) * _beats(t, 9 * pitch, 150)


def _frog(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Croaks: a low buzz, twice a second."""
    buzz = np.sign(np.sin(2 * np.pi * 110 * pitch * t)) * (0.5 + 0.5 * np.sin(2 * np.pi * 28 * t))
    return buzz * (np.mod(t, 0.5) < 0.3)


def _gull(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Cries that fall."""
    local = np.mod(t, 0.5)
    phase = 2 * np.pi * pitch * (1900 * local - 1100 * local**2)
    return _harmonics(phase, [1, 0.5, 0.25]) * (local < 0.36)


def _turtle(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """A slow hum that swells and glides."""
    phase = 2 * np.pi * 170 * pitch * t + 6 * np.sin(2 * np.pi * 1.0 * t)
    return _harmonics(phase, [1, 0.2]) * (0.6 + 0.4 * np.sin(2 * np.pi * 1.0 * t))


def _octopus(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Hissing jets of water."""
    return _noise(t, rng, 500 * pitch, 1600 * pitch) * (0.5 - 0.5 * np.cos(2 * np.pi * 1.5 * t)) * 1.3


def _bell(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Inharmonic partials that ring on."""
    partials = ((1.0, 1.0), (2.76, 0.6), (5.4, 0.4), (8.9, 0.25))
    tones = np.sum([w * np.sin(2 * np.pi * 620 * pitch * ratio * t) for ratio, w in partials], axis=0)
    return tones * _beats(t, 1.5, 4) * 0.7


def _drum(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Thumps."""
    local = np.mod(t, 0.4)
    thump = np.sin(2 * np.pi * 75 * pitch * local + 3 * np.exp(-30 * local)) * np.exp(-9 * local)
    return thump * 1.2 + 0.25 * _noise(t, rng, 100, 900) * _beats(t, 2.5, 40)


def _horn(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """A brassy held tone."""
    return _harmonics(2 * np.pi * 290 * pitch * t, [1 / k for k in range(1, 11)]) * 0.7


def _harp(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Plucked strings, up and down a chord."""
    steps = np.array([1, 1.25, 1.5, 2, 1.5, 1.25])
    note = steps[(t * 5).astype(int) % len(steps)]
    local = np.mod(t, 0.2)
    return _harmonics(2 * np.pi * 440 * pitch * note * local, [1, 0.5, 0.3, 0.2]) * np.exp(-10 * local)


def _rattle(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """Dry shakes of bright noise."""
    return _noise(t, rng, 4200, 7900) * (0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 3 * pitch * t)))


def _gong(t: Wave, pitch: float, rng: np.random.Generator) -> Wave:
    """A deep shimmer that lasts."""
    partials = ((1.0, 1.0), (1.48, 0.8), (2.1, 0.6), (2.9, 0.5), (4.2, 0.3))
    tones = [w * np.sin(2 * np.pi * 130 * pitch * ratio * t + 1.5 * np.sin(2 * np.pi * 5 * t)) for ratio, w in partials]
    return np.sum(tones, axis=0) * _beats(t, 0.7, 1.2) * 0.6


VOICES: dict[str, Voice] = {
    "fish": _fish, "crab": _crab, "frog": _frog, "gull": _gull, "turtle": _turtle, "octopus": _octopus,
    "bell": _bell, "drum": _drum, "horn": _horn, "harp": _harp, "rattle": _rattle, "gong": _gong,
}  # fmt: skip


def speak(kind: str, seconds: float, pitch: float, loudness: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """The voice of a kind, or speech in a tone: (seconds * RATE,) float32 with soft ends.

    Its root mean square is ``0.12 * loudness``.
    """
    t = np.arange(round(seconds * RATE)) / RATE
    wave = babble(kind, seconds, pitch, rng) if kind in TONES else VOICES[kind](t, pitch, rng)
    wave *= np.minimum(1, np.minimum(t, t[::-1]) / 0.03)
    return (wave * (0.12 * loudness / (np.sqrt(np.mean(wave**2)) + 1e-9))).astype(np.float32)

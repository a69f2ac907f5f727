"""How someone speaks: a babble of syllables whose pitch and pace tell a mood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 16000  # samples per second


@dataclass(frozen=True)
class Tone:
    """Hz of the voice, syllables a second, and by how much of its pitch a syllable falls (or rises, below 0)."""

    hertz: float
    pace: float
    falls: float


TONES: dict[str, Tone] = {
    "high and quick": Tone(300, 5.5, -0.15), "high and slow": Tone(300, 2.0, -0.35),
    "low and quick": Tone(125, 5.5, 0.15), "low and slow": Tone(125, 2.0, 0.3), "even": Tone(195, 3.5, 0.0),
}  # fmt: skip
_VOWELS = ((700, 1200), (350, 2200), (400, 850), (550, 1800))  # Hz of two formants


def babble(tone: str, seconds: float, pitch: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Speech without words, (seconds * RATE,) float64; ``pitch`` scales that of the tone."""
    how = TONES[tone]
    t = np.arange(round(seconds * RATE)) / RATE
    number = np.floor(t * how.pace).astype(int)
    inside = t * how.pace - number  # 0..1 within a syllable
    hertz = how.hertz * pitch * (1 - how.falls * (inside - 0.5)) * (1 + 0.02 * np.sin(2 * np.pi * 5 * t))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    vowel = rng.integers(len(_VOWELS), size=number[-1] + 1)[number]
    wave = _voiced(phase, how.hertz * pitch, vowel)
    return wave * np.sin(np.pi * np.clip(inside / 0.85, 0, 1)) ** 0.6


def _voiced(phase: NDArray[np.float64], hertz: float, vowel: NDArray[np.int64]) -> NDArray[np.float64]:
    """Harmonics up to 3500 Hz, the stronger the nearer they are to a formant of the vowel of each sample."""
    harmonics = np.arange(1, int(3500 / hertz) + 1)
    nearness = np.exp(-(((harmonics * hertz - np.array(_VOWELS)[..., None]) / 220) ** 2))
    weights = (0.25 + nearness[:, 0] + 0.6 * nearness[:, 1]) / harmonics**0.5  # (vowels, harmonics)
    before, now, twice = np.zeros_like(phase), np.sin(phase), 2 * np.cos(phase)
    wave = np.zeros_like(phase)
    for column in weights.T:  # sin(n + 1)x = 2 cos x sin nx - sin(n - 1)x: quicker than a sine for each
        wave += column[vowel] * now
        before, now = now, twice * now - before
    return wave

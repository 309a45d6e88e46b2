"""Windows of samples that strain the features: full scale, steps, tones that meet one bin, near silence, noise."""

import numpy as np
from numpy.typing import NDArray

from shared.signal.arrays import Envelope
from shared.signal.definition import ENVELOPE_BINS_MAX, ENVELOPE_BINS_MIN


def strained_windows(samples: int, seed: int = 1) -> NDArray[np.int64]:
    """Windows (windows, samples) of int16 values."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples)
    impulse = np.full(samples, -32768)
    impulse[samples // 3] = 32767
    fixed = [
        np.zeros(samples),
        np.full(samples, -32768),
        np.full(samples, 32767),
        np.where(time % 2, 32767, -32768),
        np.where(time % 4 < 2, 32767, -32768),
        np.where(time < samples // 2, -32768, 32767),
        np.where(time == samples - 1, 32767, -32768),
        np.where(time == 0, -32768, 32767),
        impulse,
        time % 2,
        -(time % 3 == 0).astype(int),
    ]
    for bin_number in (1, 2, samples // 8, samples // 4, samples // 2 - 1):
        for phase in (0.0, 0.7, np.pi / 2):
            tone = np.cos(2 * np.pi * bin_number * time / samples + phase)
            fixed += [np.where(tone < 0, -32768, 32767), np.rint(1000 * tone)]
    noise = [rng.normal(0, spread, samples) for spread in (0.4, 3, 100, 1024, 9000, 40000)]
    noise += [rng.choice([-32768, -1, 0, 1, 32767], samples) for _ in range(4)]
    made: NDArray[np.int64] = np.clip(np.rint(np.array([*fixed, *noise])), -32768, 32767).astype(np.int64)
    return made


def odd_edges(samples: int) -> list[int]:
    """Edges with bands of one bin at both ends, and bin 0 and N/2 among them."""
    half = samples // 2
    return [0, 1, 2, 3, half // 2, half // 2 + 3, half - 2, half - 1, half, half + 1]


def strained_envelopes(samples: int) -> list[Envelope]:
    """Envelopes of windows of `samples` samples: the narrowest and the widest, at the lowest and the highest place."""
    half, widest = samples // 2, min(samples // 4, ENVELOPE_BINS_MAX)
    found = []
    for bins, first in (
        (ENVELOPE_BINS_MIN, 1),
        (ENVELOPE_BINS_MIN, half - ENVELOPE_BINS_MIN),
        (widest, 1),
        (widest, half - widest),
        (min(widest, 64), half // 3),
    ):
        if bins >= ENVELOPE_BINS_MIN:
            found.append((first, bins, tuple(odd_edges(bins)[1:])))
    return found


def knocks(samples: int, seed: int = 1) -> NDArray[np.int64]:
    """Windows (windows, samples) that ring a resonance at several rates and strengths, the faintest of 5 units."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples)
    made = []
    for strength in (5, 60, 900, 30000):
        for rate in (3, 11):
            phase = (rate * time / samples + rng.random()) % 1 * samples / rate
            ringing = np.exp(-phase / 20) * np.cos(0.61 * np.pi * phase)
            made.append(strength * ringing + rng.normal(0, strength / 30, samples))
    windows: NDArray[np.int64] = np.clip(np.rint(np.array(made)), -32768, 32767).astype(np.int64)
    return windows


def plain_windows(samples: int) -> dict[str, NDArray[np.float64]]:
    """One window of each kind, not yet rounded."""
    rng = np.random.default_rng(samples)
    time = np.arange(samples)
    return {
        "noise": np.clip(rng.normal(0, 3000, samples), -32768, 32767),
        "tone": 20000 * np.sin(2 * np.pi * time * (samples // 8 + 0.3) / samples),
        "rails": np.where(time % 2, 32767, -32768),
        "step": np.where(time < samples // 2, 32767, -32768),
        "quiet": rng.integers(-3, 4, samples),
    }

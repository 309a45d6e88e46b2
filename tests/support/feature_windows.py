"""Windows of samples that strain the features: full scale, steps, tones that meet one bin, near silence, noise."""

import numpy as np
from numpy.typing import NDArray


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

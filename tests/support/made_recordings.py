"""Short recordings of made machines, one of each kind that the gateway judges differently; each takes moments to judge.

Their last rows are faulty, so that a verdict on them cannot be empty.
"""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared.recordings import Recording

SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
#: Kinds of `made`.
KINDS = ("rig", "season", "drift", "counters", "vibration", "clips")


def recording(
    values: NDArray[np.float64], rate_hz: float = 1.0, *, clips: tuple[int, ...] = (0,), healthy_rows: int | None = None
) -> Recording:
    """A recording of evenly spaced rows (n, k)."""
    rows, channels = values.shape
    times = START_NS + np.arange(rows, dtype=np.int64) * round(SECOND_NS / rate_hz)
    names = tuple(f"channel {index}" for index in range(channels))
    return Recording(times, values, names, ("",) * channels, rate_hz, np.array(clips, np.int64), healthy_rows)


def coupled(rows: int, channels: int, seed: int) -> NDArray[np.float64]:
    """Correlated, autocorrelated rows (rows, channels) around 20."""
    random = np.random.default_rng(seed)
    found = random.normal(size=(rows, channels)) @ random.normal(size=(channels, channels))
    for index in range(1, rows):
        found[index] += 0.6 * found[index - 1]
    return 20.0 + found


@cache
def made(kind: str) -> tuple[Recording, int]:
    """A recording of this kind and its number of healthy rows."""
    random = np.random.default_rng(len(kind))
    if kind == "rig":
        values = coupled(420, 4, 3)
        values[np.random.default_rng(1).random(values.shape) < 0.02] = np.nan
        values[360:, 1] += 30.0
        return recording(values), 240
    if kind == "season":
        values = np.sin(np.arange(700) / 96 * 2 * np.pi)[:, None] * 5.0 + random.normal(0.0, 0.3, (700, 1))
        values[640:] += 3.0
        return recording(values, 1 / 900), 480
    if kind == "drift":
        values = coupled(500, 3, 5) + np.linspace(0.0, 40.0, 500)[:, None] * [1.0, 0.0, -0.5]
        values[430:, 2] -= 15.0
        return recording(values, 0.1), 320
    if kind == "counters":
        values = np.column_stack((np.arange(400) * 7 % 256, random.integers(0, 3, 400), 100 + np.arange(400) // 9))
        values[350:, 1] += 4
        return recording(values.astype(np.float64)), 260
    rate_hz, window = 3200.0, 1024
    rows, healthy = 110 * window, 80 * window
    values = np.sin(np.arange(rows) * 0.19)[:, None] * [1.0, 0.4] + random.normal(0.0, 0.2, (rows, 2))
    values[100 * window :, 0] += random.normal(0.0, 0.6, rows - 100 * window)
    clips = tuple(range(0, rows, 5 * window)) if kind == "clips" else (0,)
    return recording(values, rate_hz, clips=clips), healthy


def head(whole: Recording, rows: int) -> Recording:
    """The first rows of a recording."""
    return replace(
        whole,
        times_ns=whole.times_ns[:rows],
        values=whole.values[:rows],
        clip_starts=whole.clip_starts[whole.clip_starts < rows],
    )

"""Simulated slow plants for the benchmark of detectors: correlated channels, a season, pieces of any size."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shared.identity import SLOW, Channel, DeviceProfile
from shared.messages.codec import Birth

SECOND_NS = 1_000_000_000
_STEP = 2.0**-16


def plant_birth(name: str, channels: int) -> Birth:
    """A slow device of one reading a second."""
    named = tuple(Channel(f"channel-{number}", "degC", 0.0, _STEP) for number in range(channels))
    return Birth(DeviceProfile(name, f"plant/area/line/{name}", SLOW, 1.0, named), 0, 0, ("value",), 16, 1)


class Plant:
    """Healthy rows of one plant, the same for the same seed however they are cut.

    Parameters
    ----------
    season_rows
        Rows of what repeats; 0 = nothing does.
    """

    def __init__(self, seed: int, channels: int, season_rows: int = 0) -> None:
        self._seed, self._channels, self._season_rows = seed, channels, season_rows
        self._mixing = np.random.default_rng(seed).normal(size=(channels, channels))

    def rows(self, count: int, piece_rows: int = 4096) -> Iterator[NDArray[np.float64]]:
        """`count` rows in pieces, float64 (piece_rows or fewer, channels)."""
        for number, begin in enumerate(range(0, count, piece_rows)):
            random = np.random.default_rng((self._seed, number))
            size = min(piece_rows, count - begin)
            noise = random.normal(size=(size + 2, self._channels))
            mixed = (noise[2:] + 0.6 * noise[1:-1] + 0.3 * noise[:-2]) @ self._mixing
            if self._season_rows:
                turns = np.arange(begin, begin + size) / self._season_rows
                mixed += 3.0 * np.sin(2.0 * np.pi * turns)[:, None]
            yield 20.0 + mixed

"""What repeats: a profile of the period that the healthy part shows, taken out as far as it explains.

The period is measured, not assumed: a day, a shift or a machine's cycle are all the same here. It must have come by
three times in the healthy part and explain a tenth of the variance of readings that it was not made from.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.stacking import stacked

Floats = NDArray[np.float64]

#: Parts of a period; the profile is linear between their middles.
BINS = 48
#: Readings of the shortest period, and of the shortest healthy part that is looked at.
_SHORTEST, _LEAST_READINGS = 24, 192
_BLOCKS = 4
#: A period has at least this autocorrelation, after one that fell below it.
_LEAST_CORRELATION = 0.3
_LEAST_SHARE = 0.1
#: A shorter period is preferred if its autocorrelation is this share of the best one's.
_NEARLY = 0.8
#: Steps in time that differ from the usual by more than half, as a share: above it nothing is periodic for sure.
_UNEVEN_SHARE = 0.05


class Season:
    """Profile (`BINS`, channels) of a period of `period` readings, and the `shares` (channels,) that it explains.

    The place within the period follows from the time since `begin_ns` in steps of `step_ns`: a gap does not shift it.
    """

    def __init__(self, period: int, begin_ns: int, step_ns: int, profile: Floats, shares: Floats) -> None:
        self.period = period
        self.begin_ns = begin_ns
        self.step_ns = step_ns
        self.profile = profile
        self.shares = shares

    @classmethod
    def fit(cls, times_ns: NDArray[np.int64], values: Floats) -> "Season":
        """The season of healthy values (n, channels), complete, around 0; period 0 if there is none."""
        rows, channels = values.shape
        steps = np.diff(times_ns)
        forward = steps[steps > 0]
        step_ns = int(np.median(forward)) if len(forward) else 1
        found = cls(0, int(times_ns[0]) if rows else 0, step_ns, np.zeros((BINS, channels)), np.zeros(channels))
        if rows < _LEAST_READINGS or np.mean(np.abs(steps - step_ns) > step_ns / 2) > _UNEVEN_SHARE:
            return found
        moving, period = _period(values)
        if not period:
            return found
        found.period = period
        index = found.places(times_ns)
        edges = sorted({0, rows, *(rows * block // _BLOCKS // period * period for block in range(1, _BLOCKS))})
        left = np.zeros(channels)
        for begin, end in itertools.pairwise(edges):
            others = np.r_[np.arange(begin), np.arange(end, rows)]
            found.profile = found._profile_of(values[others], index[others])
            left += ((values[begin:end] - found._at(index[begin:end])) ** 2).sum(axis=0)
        about = ((values - values.mean(axis=0)) ** 2).sum(axis=0)
        found.shares = np.clip(1.0 - left / np.maximum(about, 1e-9), 0.0, 1.0) * moving
        # In the precision of the stored one, so that a restored season expects the same.
        found.profile = found._profile_of(values, index).astype(np.float16).astype(np.float64)
        if found.shares[moving].mean() < _LEAST_SHARE:
            found.period = 0
        return found

    def places(self, times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Readings since the beginning, as the time tells it, int64 (m,)."""
        return (times_ns - self.begin_ns + self.step_ns // 2) // self.step_ns

    def expected(self, times_ns: NDArray[np.int64]) -> Floats:
        """What of each channel the season explains at these times, (m, channels)."""
        return np.asarray(self.expected_together([self], times_ns[None])[0])

    @staticmethod
    def expected_together(seasons: Sequence["Season"], times_ns: NDArray[np.int64]) -> Floats:
        """`expected` of D devices with as many channels, (D, m, channels), at times (D, m)."""
        expected = np.zeros((*times_ns.shape, len(seasons[0].shares)))
        numbers = [number for number, season in enumerate(seasons) if season.period]
        if not numbers:
            return expected
        found = [seasons[number] for number in numbers]
        places = stacked([season.places(times) for season, times in zip(found, times_ns[numbers], strict=True)])
        period = np.array([[season.period] for season in found])
        first = BINS * np.arange(len(found))[:, None]
        about = _between(np.concatenate([season.profile for season in found]), first, places, period)
        expected[numbers] = stacked([season.shares for season in found])[:, None] * about
        return expected

    def _profile_of(self, values: Floats, index: NDArray[np.int64]) -> Floats:
        bins = (index % self.period) * BINS // self.period
        counts = np.bincount(bins, minlength=BINS)
        sums = [np.bincount(bins, column, minlength=BINS) for column in np.ascontiguousarray(values.T)]
        return np.asarray(np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None])

    def _at(self, places: NDArray[np.int64]) -> Floats:
        return _between(self.profile, 0, places, self.period)

    def fields(self) -> dict[str, Any]:
        """What later readings depend on; the profile only where there is one."""
        return {
            "season period": self.period,
            "season begin": self.begin_ns,
            "season step": self.step_ns,
            "season profile": self.profile.astype(np.float16) if self.period else np.zeros((0, len(self.shares))),
            "season shares": self.shares,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Season":
        """The season whose `fields` these are; KeyError or ValueError when they do not fit together."""
        shares, profile = fields["season shares"], fields["season profile"].astype(np.float16).astype(np.float64)
        period = int(fields["season period"])
        if period and profile.shape != (BINS, len(shares)):
            raise ValueError("the season's profile does not fit the channels")
        if not period:
            profile = np.zeros((BINS, len(shares)))
        return cls(period, int(fields["season begin"]), max(1, int(fields["season step"])), profile, shares)


def _between(
    profile: Floats, first: NDArray[np.int64] | int, places: NDArray[np.int64], period: NDArray[np.int64] | int
) -> Floats:
    """The profile that begins in row `first` at `places` of its period, linear between its parts."""
    place = (places % period) * BINS / period - 0.5
    low = np.floor(place).astype(np.int64)
    share = (place - low)[..., None]
    return np.asarray(profile[low % BINS + first] * (1.0 - share) + profile[(low + 1) % BINS + first] * share)


def _period(values: Floats) -> tuple[NDArray[np.bool_], int]:
    """Channels that move, and the period in readings, 0 if there is none."""
    rows = len(values)
    size = 1 << (2 * rows - 1).bit_length()
    about = np.ascontiguousarray((values - values.mean(axis=0)).T)
    energy = np.fft.irfft(np.abs(np.fft.rfft(about, size, axis=1)) ** 2, axis=1)[:, :rows]
    moving = energy[:, 0] > 1e-6 * rows
    if not moving.any():
        return moving, 0
    correlation = energy[moving] / energy[moving, :1] * (rows / (rows - np.arange(rows)))
    # The more periodic half of the channels at each lag.
    best = np.sort(correlation, axis=0)[-max(1, len(correlation) // 2) :].mean(axis=0)
    high = rows // 3
    fallen = np.flatnonzero(best[:high] < _LEAST_CORRELATION)
    if not len(fallen):
        return moving, 0
    low = max(_SHORTEST, int(fallen[0]))
    inner = best[low:high]
    if len(inner) < 3 or inner.max() < _LEAST_CORRELATION:
        return moving, 0
    peaks = (inner[1:-1] >= inner[:-2]) & (inner[1:-1] >= inner[2:]) & (inner[1:-1] >= _NEARLY * inner.max())
    if not peaks.any():
        return moving, 0
    # The shortest period that does nearly as well as the best, at the top of its peak.
    period = low + 1 + int(np.flatnonzero(peaks)[0])
    return moving, period + int(best[period : min(high, period + max(2, period // 8))].argmax())

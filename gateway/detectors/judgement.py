"""What a detector found in a batch of readings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A time that never was.
NEVER = np.int64(-(2**63))


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Scores of m readings of a device with k channels, and what they are made of.

    ``scores`` and ``fused`` float64[m], 1.0 = threshold, NaN = none; ``alarm`` bool[m]: in alarm after this reading;
    ``top_channel`` int64[m], the channel that adds most to the distance, or has no value any more; ``deviations``
    float64[m, d], each feature in healthy deviations from its healthy mean (0 without a score); ``weights`` float64[m,
    k], what each channel adds; ``usual`` float64[m, columns], what season and drift let expect, in healthy deviations;
    ``novelty`` float64[m], how new a reading of a single slow channel is: 1.0 = the lowest limit of an event, 0 = no
    newer than those shortly before, NaN = none. ``since_ns`` int64[m], when the scores rose to the alarm that lasts;
    ``lost_since_ns`` int64[m, columns], since when the column has no value; both `NEVER` where it is not so.
    ``standings`` float64[m, 2]: how far the whitened distance and the distance to the kept rows stand above their
    healthy medians, in their healthy heights, NaN = not looked at.
    """

    scores: NDArray[np.float64]
    fused: NDArray[np.float64]
    alarm: NDArray[np.bool_]
    top_channel: NDArray[np.int64]
    deviations: NDArray[np.float64]
    weights: NDArray[np.float64]
    usual: NDArray[np.float64]
    novelty: NDArray[np.float64]
    since_ns: NDArray[np.int64]
    lost_since_ns: NDArray[np.int64]
    standings: NDArray[np.float64]

    @classmethod
    def empty(cls, readings: int, channels: int, features: int, columns: int) -> "Judgement":
        """A judgement of `readings` that have no score yet."""
        return cls(
            np.full(readings, np.nan),
            np.full(readings, np.nan),
            np.zeros(readings, np.bool_),
            np.zeros(readings, np.int64),
            np.zeros((readings, features)),
            np.zeros((readings, channels)),
            np.zeros((readings, columns)),
            np.full(readings, np.nan),
            np.full(readings, NEVER),
            np.full((readings, columns), NEVER),
            np.full((readings, 2), np.nan),
        )

    def part(self, readings: slice) -> "Judgement":
        """Of some of the readings: views, so that what is written there is written here."""
        if readings.start == 0 and readings.stop == len(self.scores):
            return self
        return Judgement(*(getattr(self, name)[readings] for name in self.__slots__))

    @property
    def loudness(self) -> NDArray[np.float64]:
        """What the peak of an alarm is measured by, float64[m]: fused score or novelty, whichever is higher; at least 1
        where a channel is lost."""
        heard = np.fmax(self.fused, self.novelty)
        return np.where((self.lost_since_ns != NEVER).any(axis=1), np.fmax(heard, 1.0), heard)

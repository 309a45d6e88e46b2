"""The plain alarm that a fault must escape at first: a window's RMS above mean plus six healthy deviations.

It is the yardstick of summaries and tests; no tier runs it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.recordings.simulator.machine import SCALE_G

SIGMAS = 6.0
#: A window counts as running when its RMS on some axis is above this (the sensor's own noise is 2 to 4 mg).
RUNNING_G = 0.006


@dataclass(frozen=True, eq=False)
class RmsAlarm:
    """RMS per window and axis in g, shape (windows, 3); the limits per axis; the window that alarms first, or None."""

    rms_g: NDArray[np.float64]
    limits_g: NDArray[np.float64]
    first_window: int | None


def rms_alarm(counts: NDArray[np.int16], healthy_windows: int) -> RmsAlarm:
    """Judge windows of counts, shape (windows, samples, 3), by limits from the first `healthy_windows` of them.

    The mean of each window is taken off first; windows at rest do not count for the limits.
    """
    rms = counts.std(axis=1, dtype=np.float64) * SCALE_G
    healthy = rms[:healthy_windows]
    running = healthy[(healthy > RUNNING_G).any(axis=1)]
    limits = running.mean(axis=0) + SIGMAS * running.std(axis=0)
    above = np.flatnonzero((rms[healthy_windows:] > limits).any(axis=1))
    return RmsAlarm(rms, limits, int(above[0]) + healthy_windows if len(above) else None)

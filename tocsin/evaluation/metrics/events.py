"""Events instead of rows: how long until one is noticed, how many are, and what that costs in false alarms.

An event is a run of anomalous rows. It is caught by a detection inside it; what is said before or after counts as
false. A day is a day of counted healthy time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.evaluation.metrics.vus import ranges

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Events:
    """What became of the events of one recording: `delays_seconds` of those caught, and how many there were."""

    delays_seconds: tuple[float, ...]
    count: int

    @property
    def caught(self) -> int:
        """Events with a detection inside."""
        return len(self.delays_seconds)


def events(times_ns: NDArray[np.int64], labels: NDArray[np.bool_], detected: NDArray[np.bool_]) -> Events:
    """Delay from an event's first row to the first detected row inside it, all arrays (n,).

    >>> times = np.arange(6) * 10**9
    >>> events(times, np.array([0, 1, 1, 1, 0, 1], bool), np.array([1, 0, 0, 1, 0, 0], bool))
    Events(delays_seconds=(2.0,), count=2)
    """
    spans = ranges(labels)
    delays = []
    for begin, end in spans:
        hits = np.flatnonzero(detected[begin:end])
        if len(hits):
            delays.append(float(times_ns[begin + int(hits[0])] - times_ns[begin]) / 1e9)
    return Events(tuple(delays), len(spans))


def begins(raised: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows at which `raised` begins to hold.

    >>> begins(np.array([1, 1, 0, 1], bool)).tolist()
    [True, False, False, True]
    """
    before = np.concatenate(([False], raised[:-1]))
    return raised & ~before


def healthy_days(times_ns: NDArray[np.int64], healthy: NDArray[np.bool_]) -> float:
    """Days that the healthy rows cover: each row stands for the usual step to the next, gaps left out."""
    steps = np.diff(times_ns)
    steps = steps[steps > 0]
    usual = float(np.median(steps)) if len(steps) else 0.0
    return float(np.count_nonzero(healthy)) * usual / _DAY_NS


def false_alarms(alarm: NDArray[np.bool_], labels: NDArray[np.bool_], counted: NDArray[np.bool_]) -> int:
    """Alarms that begin on counted rows that are not anomalous.

    >>> false_alarms(np.array([0, 1, 1, 0, 1], bool), np.array([0, 0, 1, 0, 1], bool), np.ones(5, bool))
    1
    """
    return int(np.count_nonzero(begins(alarm) & counted & ~labels))


def threshold_for_false_alarms(
    scores: NDArray[np.float64], healthy: NDArray[np.bool_], days: float, per_day: float
) -> float:
    """Lowest threshold at which scores of healthy rows begin to pass it at most `per_day` times a day.

    Rows at the threshold pass it. It is fitted on the rows that are judged: a figure of what the ranking could give,
    never of what a plant gets.

    >>> threshold_for_false_alarms(np.array([1.0, 3.0, 2.0, 0.0, 2.5, 0.0]), np.ones(6, bool), 1.0, 1.0)
    3.0
    """
    allowed = int(per_day * days)
    known = np.flatnonzero(healthy & np.isfinite(scores))
    order = known[np.argsort(-scores[known], kind="stable")]
    passed = np.zeros(len(scores) + 2, bool)
    runs, threshold = 0, float("inf")
    for place, row in enumerate(order.tolist()):
        runs += 1 - int(passed[row]) - int(passed[row + 2])
        passed[row + 1] = True
        is_last_of_its_score = place + 1 == len(order) or scores[order[place + 1]] != scores[row]
        if is_last_of_its_score:
            if runs > allowed:
                break
            threshold = float(scores[row])
    return threshold

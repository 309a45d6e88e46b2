"""Volume under the precision-recall surface: average precision that forgives a border drawn a little off.

Paparrizos et al., 2022, *Volume under the surface: a new accuracy evaluation measure for time-series anomaly detection*
(VLDB 15): labels are widened by a buffer of l/2 rows on either side of each anomaly, where they fall off as
``sqrt(1 - distance / l)``; precision and recall are sums of these soft labels, recall weighted by the share of
anomalies that were touched at all; the area under the curve is averaged over buffers l = 0 .. `window`.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tocsin.evaluation.metrics.ranking import shown

#: Points of each curve, evenly along the sorted scores, as in the authors' program.
THRESHOLDS = 250


def ranges(labels: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First row and row after the last of each run of anomalous rows.

    >>> ranges(np.array([0, 1, 1, 0, 1], bool))
    [(1, 3), (4, 5)]
    """
    edges = np.diff(np.concatenate(([0], labels.astype(np.int8), [0])))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(begin), int(end)) for begin, end in zip(begins, ends, strict=True)]


@cache
def _ramp(buffer_rows: int) -> tuple[float, ...]:
    half = buffer_rows // 2
    return tuple(float(np.sqrt(1.0 - distance / buffer_rows)) for distance in range(1, half + 1)) if half else ()


def soft_labels(labels: NDArray[np.bool_], buffer_rows: int) -> NDArray[np.float64]:
    """Labels 0 to 1 with slopes of ``buffer_rows // 2`` rows around each anomaly; where slopes meet they add, up to 1.

    >>> [round(value, 3) for value in soft_labels(np.array([0, 0, 1, 0, 0], bool), 2).tolist()]
    [0.0, 0.707, 1.0, 0.707, 0.0]
    """
    soft = labels.astype(np.float64)
    slope = np.array(_ramp(buffer_rows))
    for begin, end in ranges(labels):
        after = slope[: max(0, len(soft) - end)]
        soft[end : end + len(after)] += after
        before = slope[: min(len(slope), begin)]
        soft[begin - len(before) : begin] += before[::-1]
    return np.minimum(soft, 1.0)


def _merged(labels: NDArray[np.bool_], half: int) -> list[tuple[int, int]]:
    """Anomalies with their slopes of `half` rows; those whose slopes share a row are one."""
    spans: list[tuple[int, int]] = []
    for begin, end in ranges(labels):
        low, high = max(0, begin - half), min(len(labels), end + half)
        if spans and begin - half < spans[-1][1]:
            spans[-1] = (spans[-1][0], high)
        else:
            spans.append((low, high))
    return spans


class _Ranking:
    """Rows by falling score, and how many of them are flagged at each threshold."""

    def __init__(self, labels: NDArray[np.bool_], scores: NDArray[np.float64], thresholds: int) -> None:
        order = np.argsort(-scores, kind="stable")
        falling = scores[order]
        picks = falling[np.linspace(0, len(scores) - 1, thresholds).astype(np.int64)]
        self.labels = labels
        self.order = order
        self.flagged = np.searchsorted(-falling, -picks, side="right")
        self.place = np.empty(len(order), np.int64)
        self.place[order] = np.arange(len(order))
        self.certain = float(np.count_nonzero(labels))
        self.certain_hits = self._sums(labels.astype(np.float64))

    def _sums(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.concatenate(([0.0], np.cumsum(weights[self.order])))[self.flagged])

    def area(self, buffer_rows: int) -> float:
        """Area under the precision-recall curve with a buffer of `buffer_rows`."""
        hits = self._sums(soft_labels(self.labels, buffer_rows))
        # What there is to find: the anomalies, and half of the slopes that were flagged.
        wanted = self.certain + 0.5 * np.maximum(hits - self.certain_hits, 0.0)
        spans = _merged(self.labels, buffer_rows // 2)
        first = np.array([self.place[begin:end].min() for begin, end in spans])
        touched = (first[:, None] < self.flagged[None, :]).sum(axis=0) / len(spans)
        recall = np.minimum(hits / wanted, 1.0) * touched
        precision = hits / self.flagged
        return float((np.diff(recall, prepend=0.0) * precision).sum())


def vus_pr(
    labels: NDArray[np.bool_], scores: NDArray[np.float64], window: int, *, thresholds: int = THRESHOLDS
) -> float:
    """Mean area over buffers 0 to `window` rows, 0 to 1; NaN where every row or none is anomalous.

    Costs `window` passes over the rows.

    >>> labels = np.zeros(60, bool); labels[30:36] = True
    >>> 0.8 < vus_pr(labels, labels.astype(float), 4) <= 1.0
    True
    """
    if labels.all() or not labels.any():
        return float("nan")
    ranking = _Ranking(labels, shown(scores), thresholds)
    return float(np.mean([ranking.area(buffer_rows) for buffer_rows in range(window + 1)]))


def usual_window(labels: NDArray[np.bool_], highest: int = 100) -> int:
    """Median length of the anomalies in rows, at most `highest`: the buffer where a protocol names none."""
    lengths = [end - begin for begin, end in ranges(labels)]
    return min(int(np.median(lengths)), highest) if lengths else 0

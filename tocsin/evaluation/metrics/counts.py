"""Rows flagged and rows anomalous, counted: F1, false-alarm rate, missed-alarm rate.

SKAB's protocol pools the four counts over all files before it divides (Katser and Kozitsin, 2020, *Skoltech Anomaly
Benchmark*). No point adjustment: a row that was not flagged stays missed, whatever happened around it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by verdict and truth. Adding two pools them.

    >>> counts = Counts.of(np.array([0, 0, 1, 1], bool), np.array([0, 1, 1, 0], bool))
    >>> counts.f1, counts.false_alarm_rate, counts.missed_alarm_rate
    (0.5, 0.5, 0.5)
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @classmethod
    def of(cls, labels: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> "Counts":
        """Counts of bool (n,) labels and verdicts of the same rows."""
        return cls(
            int(np.count_nonzero(labels & flagged)),
            int(np.count_nonzero(~labels & flagged)),
            int(np.count_nonzero(labels & ~flagged)),
            int(np.count_nonzero(~labels & ~flagged)),
        )

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
            self.true_negatives + other.true_negatives,
        )

    @property
    def f1(self) -> float:
        """``TP / (TP + (FP + FN) / 2)``, 0 to 1; NaN without an anomalous row."""
        if self.true_positives + self.false_negatives == 0:
            return float("nan")
        return self.true_positives / (self.true_positives + 0.5 * (self.false_positives + self.false_negatives))

    @property
    def false_alarm_rate(self) -> float:
        """Share of the normal rows that were flagged; NaN without one."""
        return _share(self.false_positives, self.true_negatives)

    @property
    def missed_alarm_rate(self) -> float:
        """Share of the anomalous rows that were not flagged; NaN without one."""
        return _share(self.false_negatives, self.true_positives)


#: What pooling begins with.
NOTHING = Counts(0, 0, 0, 0)


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part + rest else float("nan")

"""How well scores rank anomalous rows above normal ones, whatever the threshold.

Ties count half in the area under the curve; in the average precision rows of equal score enter together. Rows without
a score (NaN) rank below all others: a detector that says nothing has found nothing.
"""

import numpy as np
from numpy.typing import NDArray


def shown(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores with those that are missing below all others; infinities stay what they are."""
    return np.where(np.isnan(scores), -np.inf, scores)


def roc_auc(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Probability that an anomalous row has a higher score than a normal one; NaN where one of both kinds is missing.

    Mann and Whitney, 1947; Hanley and McNeil, 1982, *The meaning and use of the area under a ROC curve*.

    >>> roc_auc(np.array([0, 0, 1, 1], bool), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    positives = int(np.count_nonzero(labels))
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, places, counts = np.unique(shown(scores), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle_ranks = ends - 0.5 * (counts - 1)
    total = float(middle_ranks[places[labels]].sum())
    return (total - 0.5 * positives * (positives + 1)) / (positives * negatives)


def average_precision(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Mean of the precision at each threshold, weighted by what it adds to the recall; NaN without an anomalous row.

    No interpolation, which would flatter (Davis and Goadrich, 2006, *The relationship between precision-recall and ROC
    curves*).

    >>> round(average_precision(np.array([0, 0, 1, 1], bool), np.array([0.1, 0.4, 0.35, 0.8])), 4)
    0.8333
    """
    positives = int(np.count_nonzero(labels))
    if not positives:
        return float("nan")
    values, places = np.unique(-shown(scores), return_inverse=True)
    flagged = np.cumsum(np.bincount(places, minlength=len(values)))
    hits = np.cumsum(np.bincount(places, weights=labels.astype(np.float64), minlength=len(values)))
    gained = np.diff(hits, prepend=0.0) / positives
    return float((gained * hits / flagged).sum())

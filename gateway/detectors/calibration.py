"""From healthy scores to a threshold that healthy readings pass at a wanted rate."""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Contiguous parts of the healthy readings; each is scored by a model of the others. Random parts would share their
#: neighbours' running means, and every model would look better than it is.
BLOCKS = 4
#: Share of healthy readings that pass the threshold, 1 in this many.
FLAGGED_ONE_IN = 1000
#: The tail is fitted to the highest tenth, and to no more than this many readings.
TAIL_READINGS = 200


def out_of_block(
    features: NDArray[np.float64], fit: Callable[[NDArray[np.float64]], Callable[[NDArray[np.float64]], float]]
) -> NDArray[np.float64]:
    """Score every row, float64 (n, d), by a model of the other `BLOCKS` - 1 contiguous blocks; float64 (n,).

    `fit` makes a model of rows and returns its way to score one row.
    """
    scores = np.empty(len(features))
    edges = [len(features) * block // BLOCKS for block in range(BLOCKS + 1)]
    for begin, end in itertools.pairwise(edges):
        score = fit(np.concatenate((features[:begin], features[end:])))
        for index in range(begin, end):
            scores[index] = score(features[index])
    return scores


def tail_quantile(values: NDArray[np.float64], one_in: float) -> float:
    """The level that `values` (n,) pass once in `one_in`, by an exponential tail beyond their highest tenth.

    With fewer values than `one_in` this is an extrapolation, and no better than the tail is exponential.

    >>> sample = -np.log(1 - (np.arange(1000) + 0.5) / 1000)
    >>> abs(tail_quantile(sample, 10_000) - math.log(10_000)) < 0.05
    True
    """
    share = min(0.1, TAIL_READINGS / len(values))
    begin = float(np.quantile(values, 1.0 - share))
    beyond = values[values > begin]
    if not len(beyond):
        return begin
    mean_excess = float((beyond - begin).mean())
    return begin + mean_excess * max(0.0, math.log(share * one_in))

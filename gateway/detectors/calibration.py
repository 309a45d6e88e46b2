"""From healthy levels to a threshold that says how much it rests on.

Neighbouring readings resemble each other, so n of them tell as much as fewer independent ones: the effective sample
size. With enough of it the threshold is the tail of the healthy levels plus a margin that shrinks as it grows; with
little it leans on an assumed level, and whoever asks is told that it is provisional. Healthy readings that follow can
only lower a threshold, never raise it: a fault that grows slowly must not make room for itself.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Contiguous parts of the healthy readings; each is scored by a model of the others. Random parts would share their
#: neighbours' running means, and every model would look better than it is.
BLOCKS = 4
#: Share of healthy readings that pass the threshold, 1 in this many.
FLAGGED_ONE_IN = 1000
#: The tail is fitted to the highest tenth, and to no more than this many readings.
TAIL_READINGS = 200
#: Independent readings from which on a threshold rests on what was measured.
ASSURED_READINGS = 40.0
#: Height added to what was measured, over the root of the effective sample size (natural logarithm of a squared score).
MARGIN = 4.0
#: What is assumed of a threshold where nothing is known: this, and so much of the healthy median.
ASSUMED_LEVEL, ASSUMED_SLOPE = 2.0, 0.5
#: Correlation below which readings count as independent.
_INDEPENDENT = 0.05


def out_of_block(features: Floats, fit: Callable[[Floats], Callable[[Floats], Floats]]) -> Floats:
    """Score every row, float64 (n, d), by a model of the other `BLOCKS` - 1 contiguous blocks; float64 (n,).

    `fit` makes a model of rows and returns its way to score rows.
    """
    scores = np.empty(len(features))
    edges = [len(features) * block // BLOCKS for block in range(BLOCKS + 1)]
    for begin, end in itertools.pairwise(edges):
        scores[begin:end] = fit(np.concatenate((features[:begin], features[end:])))(features[begin:end])
    return scores


def tail_quantile(values: Floats, one_in: float) -> float:
    """The level that `values` (n,) pass once in `one_in`, by an exponential tail beyond their highest tenth.

    Excesses over a high level are exponential for a wide family of distributions (Pickands, 1975). With fewer values
    than `one_in` this is an extrapolation, and no better than the tail is exponential.

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


def effective_readings(levels: Floats) -> float:
    """How many independent readings tell as much as these (n,): n over the sum of their autocorrelations.

    The sum ends where the autocorrelation first falls below 0.05 (Geyer, 1992, has a finer rule for chains).

    >>> independent = np.random.default_rng(1).normal(size=1000)
    >>> effective_readings(independent) > 500, effective_readings(np.cumsum(independent)) < 20
    (True, True)
    """
    count = len(levels)
    about = levels - levels.mean()
    size = 1 << max(1, (2 * count - 1).bit_length())
    energy = np.fft.irfft(np.abs(np.fft.rfft(about, size)) ** 2)[:count]
    if energy[0] <= 0.0:
        return 1.0
    correlation = energy / energy[0]
    fallen = np.flatnonzero(correlation < _INDEPENDENT)
    reach = int(fallen[0]) if len(fallen) else count
    return max(1.0, count / (1.0 + 2.0 * float(correlation[1:reach].sum())))


def threshold_of(levels: Floats, effective: float) -> float:
    """The level (natural logarithm of a squared score) that is 1, from healthy levels (n,) out of block."""
    measured = tail_quantile(levels, FLAGGED_ONE_IN) + MARGIN / math.sqrt(effective)
    share = min(1.0, effective / ASSURED_READINGS)
    return share * measured + (1.0 - share) * (ASSUMED_LEVEL + ASSUMED_SLOPE * float(np.median(levels)))

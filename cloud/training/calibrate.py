"""Score weights and threshold from errors of rows that the model did not see, in the integers of the device.

Thresholds from rows that a model was trained on are far too low: on SKAB they flag most of the normal rows that follow.
So the healthy part is cut into contiguous blocks, each judged by a model of the others, and the tail is widened by how
few independent rows there really are.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.training.recipe import Recipe
from shared.identity import SLOW
from shared.model_image import SUM_LIMIT, ImageContent
from shared.quantized import arrays
from shared.signal.definition import UNITS_PER_DEVIATION

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Contiguous blocks of the healthy part, each judged by a model of the others.
BLOCKS = 4
#: Healthy rows at or above the threshold: one in a thousand.
FLAGGED_RATE = 1e-3
#: The tail begins where this part of the rows lies below.
TAIL_FROM = 0.9
#: Standard errors by which the mean excess over that is widened: with few independent rows it may lie far too low.
TAIL_STANDARD_ERRORS = 1.0
#: The threshold's score is at most so many times the highest score of an unseen healthy row: the blocks were judged by
#: models that knew less than the final one, so what goes further blinds it and prevents nothing (docs/training.md).
REACH_MAX = 1.2
#: A squared error of weight 1 adds 2**-18 of it to what a healthy feature gives on average.
WEIGHT_SCALE = 1 << 18
WEIGHT_MAX = 65535
#: A slow feature's share: the raw value and the slope are noisier tellings of what the mean says.
SLOW_SHARES = (0.25, 1.0, 1.0, 0.25)
#: Squared errors above this quantile of their feature count as if they stood there.
ERROR_LIMIT_QUANTILE = 0.99
#: With fewer independent healthy rows than this the threshold is provisional.
EFFECTIVE_ROWS_WANTED = 100.0
#: Autocorrelation is followed over at most so many rows.
_LAGS_MAX = 2000


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold of the score sum, with what it rests on.

    `effective_rows`: independent rows among the healthy ones; `provisional`: they are fewer than wanted.
    """

    value: int
    effective_rows: float
    provisional: bool


def errors_of(image: ImageContent, features: Integers) -> Integers:
    """The model's inputs (rows, inputs) minus their reconstruction, in their units, as the device computes them."""
    errors: Integers = features - arrays.dequantize_output(image, arrays.infer(image, features))
    return errors


def score_weights(recipe: Recipe, errors: Integers) -> list[int]:
    """One weight per input from errors of unseen healthy rows: the inverse of the mean square, times its share."""
    squares = errors.astype(np.float64) ** 2
    limited = np.minimum(squares, np.quantile(squares, ERROR_LIMIT_QUANTILE, axis=0))
    mean = np.maximum(limited.mean(axis=0), 1.0)
    of_features = recipe.kind == SLOW and not recipe.samples
    shares = np.tile(SLOW_SHARES, errors.shape[1] // len(SLOW_SHARES)) if of_features else np.ones(errors.shape[1])
    scale = WEIGHT_SCALE * recipe.units // UNITS_PER_DEVIATION
    weights = np.clip(np.rint(scale * shares / mean), 1, WEIGHT_MAX)
    return [int(weight) for weight in weights]


def sums_of(weights: list[int], errors: Integers) -> Integers:
    """The score's sum of each row of errors, as `shared.quantized.arrays.score_sums` makes it."""
    parts = np.array(weights, np.int64) * errors * errors
    sums: Integers = np.minimum(parts.sum(axis=1) >> 6, SUM_LIMIT - 1)
    return sums


def threshold_of(sums: Integers, blocks: Integers) -> Threshold:
    """The sum that one in a thousand healthy rows reaches, from sums of unseen rows; `blocks` numbers their block.

    The excess over the 90 % quantile of the score (the root of the sum) is taken as exponential; its mean is widened by
    `TAIL_STANDARD_ERRORS`, counted in independent rows; the level stays below `REACH_MAX` times the highest score.
    """
    roots = np.sqrt(sums.astype(np.float64))
    effective = effective_rows(roots, blocks)
    begin = float(np.quantile(roots, TAIL_FROM))
    above = roots[roots > begin]
    excess = float(above.mean()) - begin if len(above) else 0.0
    independent = max(1.0, effective * (1 - TAIL_FROM))
    reach = excess * (1 + TAIL_STANDARD_ERRORS / math.sqrt(independent)) * math.log((1 - TAIL_FROM) / FLAGGED_RATE)
    level = max(min(begin + reach, REACH_MAX * float(roots.max())), 1.0)
    value = max(1, min(SUM_LIMIT - 1, math.ceil(level * level)))
    return Threshold(value, effective, effective < EFFECTIVE_ROWS_WANTED)


def effective_rows(values: Floats, blocks: Integers) -> float:
    """Independent rows that tell as much about the mean of `values` as these correlated ones: ``n / (1 + 2 sum rho)``.

    The sum ends at the first lag whose autocorrelation is not positive (Geyer's initial positive sequence, 1992, in
    its simplest form). Blocks have no neighbours in common.

    >>> independent = np.random.default_rng(0).normal(size=1000)
    >>> blocks = np.zeros(1000, np.int64)
    >>> 600 < effective_rows(independent, blocks) <= 1000
    True
    >>> 60 < effective_rows(np.repeat(independent[:100], 10), blocks) < 150
    True
    """
    count = len(values)
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    if variance <= 0 or count < 4:
        return float(count)
    parts = [centred[blocks == block] for block in np.unique(blocks)]
    together = 0.0
    for lag in range(1, min(_LAGS_MAX, max(len(part) for part in parts))):
        products = sum(float(part[lag:] @ part[:-lag]) for part in parts if len(part) > lag)
        pairs = sum(len(part) - lag for part in parts if len(part) > lag)
        correlation = products / pairs / variance
        if correlation <= 0:
            break
        together += correlation
    return max(1.0, count / (1 + 2 * together))


def block_numbers(rows: int) -> Integers:
    """Number of the contiguous block of each row: `BLOCKS` of about equal length.

    >>> block_numbers(6).tolist()
    [0, 0, 1, 1, 2, 3]
    """
    parts = np.array_split(np.arange(rows), BLOCKS)
    numbers: Integers = np.repeat(np.arange(BLOCKS), [len(part) for part in parts])
    return numbers

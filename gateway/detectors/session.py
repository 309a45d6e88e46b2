"""A new session of the same machine: what is normal now, from a short healthy stretch and from what is known already.

A machine that was moved, repaired or set to another speed has another centre, and much the same relations between its
features. The stretch gives the centre. Its covariance is blended with the old one, which weighs as much as
`OLD_READINGS` independent readings:

    S = (n S_new + 30 S_old) / (n + 30)

n is the effective sample size of the stretch. The threshold comes from scores of each fifth of the stretch by a model
of the others, with the margin that few readings ask for (Student, 1908), and leans on the old one while there are few.
"""

import itertools
import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.calibration import ASSURED_READINGS, FLAGGED_ONE_IN, effective_readings
from gateway.detectors.detector import Floats
from gateway.detectors.precision import inverse_root, invert, moments, product
from gateway.detectors.whitened_distance import RIDGE, WhitenedDistance, as_stored

#: Judged readings that a stretch needs.
MINIMUM_SESSION_READINGS = 24
#: Independent readings that the old covariance weighs as much as.
OLD_READINGS = 30.0
#: Contiguous parts of the stretch; each is scored by a model of the others.
FOLDS = 5
#: How far a sensor's threshold stands above its median healthy score where a stretch tells little.
ASSUMED_SENSOR_HEIGHT = 3.0
#: Fewer degrees of freedom than this say nothing about a tail.
_LEAST_FREEDOM = 3.0
_ROOT_STEPS, _ROOT_TOLERANCE = 40, 1e-13


def distance_of_session(old: WhitenedDistance, rows: Floats, effective: float) -> WhitenedDistance:
    """The distance of a new session, from its healthy rows (n, d), which tell as much as `effective` independent ones.

    Rows are measured in the deviations of the old session, so that scores of both compare.
    """
    known = np.where(np.isnan(rows), old.centre, rows)
    centre = known.mean(axis=0)
    about = np.ascontiguousarray((known - centre) / old.scale)
    matrices, begin = [], 0
    for matrix in old.matrices:
        own = np.ascontiguousarray(about[:, begin : begin + len(matrix)])
        matrices.append(_blended(matrix, own, effective))
        begin += len(matrix)
    return WhitenedDistance(centre, old.scale, matrices)


def recentred(old: WhitenedDistance, rows: Floats) -> WhitenedDistance:
    """The old distance about the centre of rows (n, d) of a new session."""
    return WhitenedDistance(np.where(np.isnan(rows), old.centre, rows).mean(axis=0), old.scale, list(old.matrices))


def _blended(matrix: Floats, about: Floats, effective: float) -> Floats:
    """The matrix of a session's distance, from the old one and rows (n, d) about their centre."""
    covariance = effective * moments(about) / max(len(about) - 1, 1) + OLD_READINGS * covariance_of(matrix)
    covariance /= effective + OLD_READINGS
    covariance[np.diag_indices_from(covariance)] += RIDGE
    covariance *= 1.0 + 1.0 / effective
    found = product(invert(covariance), inverse_root(covariance))
    return as_stored(0.5 * (found + found.T))


def covariance_of(matrix: Floats) -> Floats:
    """The covariance that a distance was made of, without its ridge: ``matrix**(-2/3) - ridge``.

    The inverse cube root comes from a coupled iteration of Newton's (Higham, *Functions of Matrices*, 2008, chapter 7).

    >>> covariance_of(np.diag([1.05**-1.5, 2.05**-1.5])).round(9).tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    size = float(np.abs(matrix).sum(axis=1).max())
    identity = np.eye(len(matrix))
    rest, root = matrix / size, identity
    for _ in range(_ROOT_STEPS):
        step = (4.0 * identity - rest) / 3.0
        root = product(root, step)
        rest = product(product(product(step, step), step), rest)
        if float(np.abs(rest - identity).max()) < _ROOT_TOLERANCE:
            break
    root = 0.5 * (root + root.T) / size ** (1.0 / 3.0)
    return np.asarray(product(root, root) - RIDGE * identity)


def out_of_fold(count: int, score: Callable[[NDArray[np.int64], slice], Floats]) -> Floats:
    """Scores (n,) of n rows: `score` gets the numbers of the rows of all folds but one, and the one to score."""
    edges = [count * fold // FOLDS for fold in range(FOLDS + 1)]
    numbers = np.arange(count)
    parts = [
        score(np.concatenate((numbers[:begin], numbers[end:])), slice(begin, end))
        for begin, end in itertools.pairwise(edges)
    ]
    return np.concatenate(parts)


def session_threshold(levels: Floats, effective: float, old_height: float) -> float:
    """The level that is 1 in a new session, from levels (n,) out of fold; `old_height`: how far the old threshold stood
    above the old median."""
    freedom = max(effective - 1.0, _LEAST_FREEDOM)
    far = student_quantile(1.0 - 1.0 / FLAGGED_ONE_IN, freedom)
    measured = float(levels.mean()) + far * float(levels.std(ddof=1)) * math.sqrt(1.0 + 1.0 / effective)
    share = min(1.0, effective / ASSURED_READINGS)
    return share * measured + (1.0 - share) * (float(np.median(levels)) + old_height)


def student_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t, by the expansion of Cornish and Fisher (Abramowitz and Stegun, 26.7.5).

    >>> round(student_quantile(0.999, 29.0), 2)
    3.4
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4.0,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96.0,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384.0,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160.0,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))


def session_scale(sensor_scores: Floats, old_scale: float) -> float:
    """What scores of a sensor are divided by in a new session, from those of its stretch (n,), NaN = none; never less
    than 1.

    The model of a sensor stays what it is; where the session lifts its healthy scores above their threshold, the
    threshold moves. Without enough scores the old scale stays.
    """
    known = sensor_scores[np.isfinite(sensor_scores) & (sensor_scores > 0.0)]
    if len(known) < MINIMUM_SESSION_READINGS:
        return old_scale
    levels = np.log(known)
    effective = effective_readings(levels)
    return max(1.0, math.exp(session_threshold(levels, effective, math.log(ASSUMED_SENSOR_HEIGHT))))

"""The score of the Numenta Anomaly Benchmark, as its protocol defines it.

Lavin and Ahmad, 2015, *Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark*. Each true
window rewards its earliest detection by a scaled sigmoid, 1 at the window's first row and near 0 at its last; a window
without one costs the profile's false-negative weight; every detection outside costs up to the false-positive weight,
less if it follows a window closely. 0 is a detector that says nothing, 100 one that detects every window at its first
row and nothing else. The first ``min(15 %, 750)`` rows are not scored.

The protocol fits one threshold to the whole corpus on its labels (`best_threshold`): figures that come of it are
marked as fitted, beside those of the detector's own threshold.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PROBATION_SHARE = 0.15
PROBATION_ROWS = 750


@dataclass(frozen=True, slots=True)
class Profile:
    """Weights of an application: what a true window earns, a false detection costs, a missed window costs."""

    name: str
    true_positive: float
    false_positive: float
    false_negative: float


STANDARD = Profile("standard", 1.0, 0.11, 1.0)
LOW_FALSE_POSITIVES = Profile("reward_low_FP", 1.0, 0.22, 1.0)
LOW_FALSE_NEGATIVES = Profile("reward_low_FN", 1.0, 0.11, 2.0)
PROFILES = (STANDARD, LOW_FALSE_POSITIVES, LOW_FALSE_NEGATIVES)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Scores of one recording, float64 (n,), and its true windows: first and last row of each, both inside."""

    scores: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]


def scaled_sigmoid(position: float) -> float:
    """``2 / (1 + exp(5 y)) - 1``, and -1 from 3 on; y is -1 at a window's first row, 0 at its last.

    >>> [round(scaled_sigmoid(y), 5) for y in (-1.0, -0.5, 0.0, 1.0, 3.5)]
    [0.98661, 0.84828, 0.0, -0.98661, -1.0]
    """
    return -1.0 if position > 3.0 else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def _sigmoids(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    near = np.minimum(positions, 3.0)
    return np.where(positions > 3.0, -1.0, 2.0 / (1.0 + np.exp(5.0 * near)) - 1.0)


def probation_rows(rows: int) -> int:
    """Rows at the beginning of a recording that are not scored.

    >>> probation_rows(4032), probation_rows(22695)
    (604, 750)
    """
    return min(int(PROBATION_SHARE * rows), PROBATION_ROWS)


@dataclass(frozen=True, slots=True, eq=False)
class _Rewards:
    """What a detection at each row gives, float64 (n,), and the window it lies in, -1 outside, -2 in probation."""

    values: NDArray[np.float64]
    windows: NDArray[np.int64]


def _rewards(rows: int, windows: tuple[tuple[int, int], ...], profile: Profile) -> _Rewards:
    values = np.full(rows, -profile.false_positive)
    owners = np.full(rows, -1, np.int64)
    highest = scaled_sigmoid(-1.0)
    for number, (first, last) in enumerate(windows):
        length = last - first + 1
        before_end = np.arange(length, 0, -1)
        values[first : last + 1] = _sigmoids(-before_end / length) * profile.true_positive / highest
        owners[first : last + 1] = number
        following = windows[number + 1][0] if number + 1 < len(windows) else rows
        after = np.arange(1, following - last)
        values[last + 1 : following] = _sigmoids(after / max(length - 1, 1)) * profile.false_positive
    owners[: probation_rows(rows)] = -2
    return _Rewards(values, owners)


def _normalised(raw: float, windows: int, profile: Profile) -> float:
    nothing = -profile.false_negative * windows
    perfect = profile.true_positive * windows
    return 100.0 * (raw - nothing) / (perfect - nothing) if windows else float("nan")


def _steps(stream: Stream, profile: Profile) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Thresholds at which the raw score changes, by how much, and the windows that are scored."""
    rewards = _rewards(len(stream.scores), stream.windows, profile)
    scores = np.where(np.isnan(stream.scores), -np.inf, stream.scores)
    outside = rewards.windows == -1
    levels, gains = [scores[outside]], [rewards.values[outside]]
    scored = 0
    for number in range(len(stream.windows)):
        inside = np.flatnonzero(rewards.windows == number)
        if not len(inside):
            continue
        scored += 1
        by_score = inside[np.argsort(-scores[inside], kind="stable")]
        # The earliest detected row counts, and rewards fall along the window: the best so far.
        best = np.maximum.accumulate(np.concatenate(([-profile.false_negative], rewards.values[by_score])))
        levels.append(scores[by_score])
        gains.append(np.diff(best))
    return np.concatenate(levels), np.concatenate(gains), scored


def score(streams: list[Stream], threshold: float, profile: Profile = STANDARD) -> float:
    """Normalised score of all streams together where rows with a score of at least `threshold` are detections.

    >>> quiet, loud = np.zeros(100), np.zeros(100)
    >>> loud[[30, 75]] = 1.0
    >>> windows = ((30, 39), (75, 95))
    >>> [round(score([Stream(scores, windows)], 1.0), 6) for scores in (quiet, loud)]
    [0.0, 100.0]
    """
    return joined([raw(stream, threshold, profile) for stream in streams], profile)


def raw(stream: Stream, threshold: float, profile: Profile) -> tuple[float, int]:
    """What one stream earns before all are joined, and the windows of it that are scored."""
    levels, gains, scored = _steps(stream, profile)
    return float(gains[levels >= threshold].sum()) - profile.false_negative * scored, scored


def joined(parts: list[tuple[float, int]], profile: Profile) -> float:
    """Normalised score of streams that `raw` judged; NaN where none has a window."""
    return _normalised(sum(part[0] for part in parts), sum(part[1] for part in parts), profile)


def best_threshold(streams: list[Stream], profile: Profile = STANDARD) -> tuple[float, float]:
    """Threshold with the highest score over all streams, and that score: fitted on the labels, as the protocol says."""
    parts = [_steps(stream, profile) for stream in streams]
    levels = np.concatenate([part[0] for part in parts])
    gains = np.concatenate([part[1] for part in parts])
    windows = sum(part[2] for part in parts)
    order = np.argsort(-levels, kind="stable")
    levels = levels[order]
    raw = np.concatenate(([0.0], np.cumsum(gains[order]))) - profile.false_negative * windows
    ends = np.concatenate(([True], levels[1:] != levels[:-1], [True]))  # rows of one score are detected together
    allowed = np.flatnonzero(ends)
    best = int(allowed[np.argmax(raw[allowed])])
    threshold = float("inf") if best == 0 else float(levels[best - 1])
    return threshold, _normalised(float(raw[best]), windows, profile)

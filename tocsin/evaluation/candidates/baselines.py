"""Baselines that know nothing of machines. A metric that they do well in says little about the others in its table."""

import numpy as np
from numpy.typing import NDArray

from shared.recordings import Recording
from tocsin.evaluation.trial import Candidate, Scores

#: A baseline flags what its healthy part passes once in so many rows.
FLAGGED_ONE_IN = 1000


def _scores(values: NDArray[np.float64], flagged: NDArray[np.bool_]) -> Scores:
    return Scores(values, flagged, flagged, np.full(len(values), -1))


class Always:
    """Flags every row, all alike."""

    name, tier, deployed = "always", "baseline", False

    def judge(
        self, recording: Recording, healthy_rows: int, recalibration: tuple[int, int] | None, seed: int
    ) -> Scores:
        """1 for every row."""
        return _scores(np.ones(recording.rows), np.ones(recording.rows, bool))


class Random:
    """Draws each score: half of the rows are flagged, for no reason."""

    name, tier, deployed = "random", "baseline", False

    def judge(
        self, recording: Recording, healthy_rows: int, recalibration: tuple[int, int] | None, seed: int
    ) -> Scores:
        """Even draws from 0 to 2."""
        drawn = 2.0 * np.random.default_rng(seed).random(recording.rows)
        return _scores(drawn, drawn >= 1.0)


class Clock:
    """Looks at nothing but how long the recording has run: what a protocol gives away by the place of its faults.

    Flags all that comes later than the healthy part lasted once more.
    """

    name, tier, deployed = "clock", "baseline", False

    def judge(
        self, recording: Recording, healthy_rows: int, recalibration: tuple[int, int] | None, seed: int
    ) -> Scores:
        """Rows since the healthy part, in lengths of the healthy part."""
        late = (np.arange(recording.rows) - healthy_rows + 1.0) / max(healthy_rows, 1)
        return _scores(late, late >= 1.0)


class LastValue:
    """How far a row lies from the one before it, in healthy steps; the mean over the channels."""

    name, tier, deployed = "last value", "baseline", False

    def judge(
        self, recording: Recording, healthy_rows: int, recalibration: tuple[int, int] | None, seed: int
    ) -> Scores:
        """Mean absolute step over its healthy ``1 - 1/1000`` quantile; 0 for a first row and for missing values."""
        steps = np.abs(np.diff(recording.values, axis=0, prepend=recording.values[:1]))
        steps = np.where(np.isfinite(steps), steps, 0.0)
        healthy = steps[1:healthy_rows]
        usual = healthy.mean(axis=0) if len(healthy) else np.ones(steps.shape[1])
        distance = (steps / np.where(usual > 0.0, usual, 1.0)).mean(axis=1)
        limit = float(np.quantile(distance[1:healthy_rows], 1.0 - 1.0 / FLAGGED_ONE_IN)) if len(healthy) else 1.0
        scores = distance / (limit if limit > 0.0 else 1.0)
        return _scores(scores, scores >= 1.0)


BASELINES: tuple[Candidate, ...] = (Always(), Random(), Clock(), LastValue())

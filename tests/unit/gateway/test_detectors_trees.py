"""Half-space trees and LODA as arrays against river's own code."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from river import anomaly

from gateway.detectors.half_space_trees import HEIGHT, REACH, TREES, HalfSpaceTrees
from gateway.detectors.loda import BINS, CUTS, Loda

ROWS = np.random.default_rng(5).normal(size=(700, 4)) * [1.0, 3.0, 0.5, 10.0] + [0.0, 5.0, -2.0, 100.0]


def standardised() -> NDArray[np.float64]:
    return np.asarray((ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0))


@pytest.mark.parametrize("missing", [False, True])
def test_trees_score_and_learn_as_river_s_own(missing: bool) -> None:
    ours = HalfSpaceTrees.drawn(np.zeros(4), np.ones(4), seed=3, window_rows=100)
    theirs: Any = anomaly.HalfSpaceTrees(
        n_trees=TREES, height=HEIGHT, window_size=100, limits=dict.fromkeys(range(4), (-REACH, REACH)), seed=3
    )
    for number, row in enumerate(standardised()[:450]):
        x = dict(enumerate(row.tolist()))
        if missing and number % 7 == 3:
            del x[number % 4]
        if number:  # river draws its trees with the first row that it learns, and has no score before
            assert ours.score_one(x) == pytest.approx(theirs.score_one(x), abs=1e-12)
        ours.learn_one(x)
        theirs.learn_one(x)
    assert ours.score_one(dict.fromkeys(range(4), 5.0)) > ours.score_one(dict.fromkeys(range(4), 0.0)) + 0.1


def test_loda_scores_as_river_s_own() -> None:
    rows = standardised()
    ours = Loda.fit(ROWS, seed=4)
    theirs: Any = anomaly.LODA(n_bins=BINS, n_random_cuts=CUTS, seed=4)
    for row in rows.tolist():
        theirs.learn_one(dict(enumerate(row)))
    strange = np.concatenate((ROWS[:50], ROWS[:50] * 2.0))
    values = (strange - ROWS.mean(axis=0)) / ROWS.std(axis=0)
    expected = [theirs.score_one(dict(enumerate(row))) for row in values.tolist()]
    np.testing.assert_allclose(ours.score_many(strange), expected, rtol=1e-6)

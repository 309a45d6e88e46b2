"""Running moments and distances against the same by whole arrays."""

import numpy as np

from gateway.detectors.novelty_moments import MEMORY_READINGS, RunningDistance, RunningMoments, RunningStandard
from gateway.detectors.novelty_states import STATES, States

ROWS = np.random.default_rng(8).normal(size=(300, 3)) @ np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -0.7], [0.0, 0.0, 0.3]])


def weights(rows: int, span: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    kept = (1.0 - 1.0 / span) ** np.arange(rows)[::-1]
    return np.asarray(kept / kept.sum())


def test_moments_are_those_of_an_exponential_mean() -> None:
    values = ROWS[:, 0] + 1e6
    moments = RunningMoments(20)
    for value in values.tolist():
        moments.take(value)
    share = weights(len(values), 20)
    mean = share @ values
    assert np.isclose(moments.mean, mean, rtol=1e-12)
    assert np.isclose(moments.variance, share @ (values - mean) ** 2, rtol=1e-6)


def test_a_standard_is_of_the_values_before() -> None:
    standard = RunningStandard()
    found = [standard.of(value) for value in ROWS[:, 1].tolist()][-1]
    share = weights(len(ROWS) - 1, MEMORY_READINGS)
    mean = share @ ROWS[:-1, 1]
    variance = share @ (ROWS[:-1, 1] - mean) ** 2
    assert np.isclose(found, (ROWS[-1, 1] - mean) / np.sqrt(variance + 0.05), rtol=1e-9)


def test_a_distance_is_the_mahalanobis_distance_from_the_rows_before() -> None:
    distance = RunningDistance(3)
    found = [distance.of(row) for row in ROWS.tolist()][-1]
    share = weights(len(ROWS) - 1, MEMORY_READINGS)
    about = ROWS[:-1] - share @ ROWS[:-1]
    covariance = (about * share[:, None]).T @ about
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation) + 1e-3 * np.eye(3)
    away = (ROWS[-1] - share @ ROWS[:-1]) / deviation
    assert np.isclose(found, away @ np.linalg.solve(correlation, away) / 3.0, rtol=1e-9)


def test_features_that_are_one_do_not_break_a_distance() -> None:
    distance = RunningDistance(2)
    found = [distance.of((value, value)) for value in ROWS[:, 0].tolist()]
    assert np.isfinite(found).all()
    assert distance.of((1.0, -1.0)) > 100.0 * max(found)


def test_a_state_that_was_seen_is_near_and_another_becomes_one() -> None:
    states = States(2)
    for turn in range(400):
        states.of(np.array([float(turn % 4), 0.0]))
    assert states.of(np.array([3.0, 0.0])) < 0.05
    far = states.of(np.array([3.0, 5.0]))
    assert far > 1.0
    assert states.of(np.array([3.0, 5.0])) < 0.1 * far


def test_states_never_outgrow_their_number() -> None:
    states = States(5)
    for row in np.random.default_rng(1).normal(size=(2000, 5)):
        states.of(row)
    assert states.fields()["kept"].shape == (5, STATES)

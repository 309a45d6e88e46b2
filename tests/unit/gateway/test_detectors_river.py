"""The running Mahalanobis distance against river's own estimators and plain linear algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import covariance

from gateway.detectors import portable
from gateway.detectors.covariance import RunningCovariance
from gateway.detectors.fusion import fuse, fuse_one
from gateway.detectors.mahalanobis import LEARNING_WEIGHT, RIDGE, RunningMahalanobis
from gateway.detectors.precision import invert
from gateway.errors import GatewayError

ROWS = np.random.default_rng(1).normal(size=(300, 5)) @ np.random.default_rng(2).normal(size=(5, 5)) + 3.0


def matrix(estimator: covariance.LedoitWolfCovariance, size: int) -> NDArray[np.float64]:
    return np.array([[estimator[min(i, j), max(i, j)] for j in range(size)] for i in range(size)])


def test_a_fixed_weight_is_river_s_own_estimate() -> None:
    ours, theirs = RunningCovariance(5), covariance.LedoitWolfCovariance(fading_factor=0.01)
    plain = covariance.EwaCovariance(fading_factor=0.01)
    for row in ROWS:
        ours.learn(row, 0.01)
        theirs.update(dict(enumerate(row.tolist())))
        plain.update(dict(enumerate(row.tolist())))
    ours._squared_shares = 0.01  # what river takes for one over the number of rows
    np.testing.assert_allclose(ours.shrunk(), matrix(theirs, 5), rtol=1e-12)
    assert not np.allclose(matrix(theirs, 5), matrix(plain, 5), rtol=1e-3)


def test_weights_of_one_over_n_give_the_plain_mean_and_covariance() -> None:
    running = RunningCovariance(5)
    for index, row in enumerate(ROWS):
        running.learn(row, 1 / (index + 1))
    np.testing.assert_allclose(running.mean, ROWS.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(running._raw_cov(), np.cov(ROWS.T, ddof=0), rtol=1e-9)
    assert running.effective_rows == pytest.approx(300.0)
    assert running.learned == 300


def test_the_distance_equals_one_made_of_river_and_numpy() -> None:
    detector = RunningMahalanobis.fit(ROWS)
    scale = np.sqrt(ROWS.var(axis=0) + 0.01)
    standardised = (ROWS - ROWS.mean(axis=0)) / scale
    theirs = covariance.LedoitWolfCovariance()
    for index, row in enumerate(standardised):
        theirs.fading_factor = 1 / (index + 1)
        theirs.update(dict(enumerate(row.tolist())))
    precision = np.linalg.inv(matrix(theirs, 5) + RIDGE * np.eye(5))
    expected = np.einsum("ij,jk,ik->i", standardised, precision, standardised) / 5
    found = [detector.score_one(dict(enumerate(row.tolist()))) for row in ROWS]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_learning_moves_the_mean_slowly_and_a_restart_changes_no_bit() -> None:
    detector = RunningMahalanobis.fit(ROWS)
    row = ROWS[0] + 1.0
    for _ in range(100):
        detector.learn_one(dict(enumerate(row.tolist())))
    restored = RunningMahalanobis.from_fields(portable.unpack(portable.pack("x", detector.fields()), "x"))
    for _ in range(100):
        detector.learn_many(row[None])
        restored.learn_many(row[None])
        assert restored.score_many(row[None]) == detector.score_many(row[None])
    moved = (1 - LEARNING_WEIGHT) ** 200
    np.testing.assert_allclose(
        detector.covariance.mean, (1 - moved) * (row - detector.centre) / detector.scale, atol=1e-9
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000))
def test_the_inverse_is_the_inverse(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(size, size))
    positive = mixing @ mixing.T / size + 0.05 * np.eye(size)
    inverse = invert(positive)
    assert np.array_equal(inverse, inverse.T)
    np.testing.assert_allclose(inverse @ positive, np.eye(size), atol=1e-9)


@given(st.lists(st.tuples(*[st.one_of(st.just(np.nan), st.floats(0, 1e6))] * 2), min_size=1))
def test_one_reading_and_many_are_fused_to_the_same_bits(pairs: list[tuple[float, float]]) -> None:
    sensor, gateway = np.array(pairs).T
    one_by_one = [fuse_one(*pair) for pair in pairs]
    assert np.array_equal(fuse(sensor, gateway), np.array(one_by_one), equal_nan=True)


@given(
    st.dictionaries(
        st.text(max_size=8).filter(lambda name: name not in ("format", "what")),
        st.one_of(st.integers(-(2**63), 2**63), st.floats(), st.text(), st.booleans(), st.none(), st.binary()),
    )
)
def test_a_state_comes_back_as_it_was(fields: dict[str, portable.Value]) -> None:
    array = np.array([[np.nan, -0.0], [np.inf, 5e-324]])
    back = portable.unpack(portable.pack("thing", {**fields, "array": array}), "thing")
    assert back.pop("array").tobytes() == array.tobytes()
    fields.pop("array", None)
    assert repr(back) == repr(fields)


def test_a_state_of_something_else_is_refused() -> None:
    with pytest.raises(GatewayError, match="stored lamp"):
        portable.unpack(portable.pack("thing", {}), "lamp")

"""The promises of `gateway/detectors/detector.py`, kept by every detector of the registry."""

import itertools
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.detectors import portable
from gateway.detectors.detector import Detector, row_of
from gateway.detectors.registry import DETECTORS

FEATURES = 5
#: Detectors that draw at random give each feature its own draws; the others promise to give nearly the same.
DRAWN = {"half-space trees", "LODA"}
#: Detectors that measure their rows in healthy deviations by themselves; the others are given such rows.
MEASURING = {"half-space trees", "LODA"}
#: In a process of its own: scores, and scores after learning, of a stored detector.
CONTINUE = """
import sys
import numpy as np
from gateway.detectors import portable
from gateway.detectors.registry import DETECTORS
for name in DETECTORS:
    with open(f"{sys.argv[1]}/{name}.state", "rb") as file:
        detector = DETECTORS[name].from_fields(portable.unpack(file.read(), name))
    rows = np.load(f"{sys.argv[1]}/rows.npy")
    before = detector.score_many(rows)
    detector.learn_many(rows)
    np.save(f"{sys.argv[1]}/{name}.npy", np.stack((before, detector.score_many(rows))))
assert not {"cloud", "firmware", "tocsin"} & set(sys.modules)
"""

every_detector = pytest.mark.parametrize("name", list(DETECTORS))


def machine(rows: int, seed: int = 1) -> NDArray[np.float64]:
    """Healthy rows (rows, FEATURES): correlated, autocorrelated, in scales and places of their own."""
    mixing = np.random.default_rng(0).normal(size=(FEATURES, FEATURES))
    found = np.random.default_rng(seed).normal(size=(rows, FEATURES)) @ mixing
    for index in range(1, rows):
        found[index] += 0.5 * found[index - 1]
    return found * [1.0, 20.0, 0.3, 4.0, 1.0] + [0.0, 100.0, -3.0, 7.0, 1.0]


HEALTHY = machine(600)
LATER = machine(200, seed=2)
FAR = LATER + 6.0 * HEALTHY.std(axis=0)


@cache
def state_of(name: str) -> bytes:
    return state(DETECTORS[name].fit(HEALTHY, seed=3), name)


def state(detector: Detector, name: str) -> bytes:
    return portable.pack(name, detector.fields())


def restored(name: str, content: bytes | None = None) -> Detector:
    return DETECTORS[name].from_fields(portable.unpack(content or state_of(name), name))


def with_holes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """A missing value here and there, and one row without any."""
    holes = rows.copy()
    holes[np.random.default_rng(4).random(rows.shape) < 0.1] = np.nan
    holes[7] = np.nan
    return holes


def one(row: NDArray[np.float64]) -> dict[int, float]:
    """A row as river has it: a missing feature is left out."""
    return {number: value for number, value in enumerate(row.tolist()) if value == value}


def parts(rows: NDArray[np.float64], cuts: list[int]) -> Iterator[NDArray[np.float64]]:
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(rows)]):
        yield rows[begin:end]


def test_the_registry_knows_each_by_its_own_name() -> None:
    assert all(detector.name == name for name, detector in DETECTORS.items())
    assert {"half-space trees", "LODA", "running Mahalanobis"} <= set(DETECTORS)


@every_detector
def test_what_is_far_scores_higher_and_equal_fits_give_equal_bits(name: str) -> None:
    detector = DETECTORS[name].fit(HEALTHY, seed=3)
    assert detector.features == FEATURES
    assert state(detector, name) == state_of(name)
    assert np.median(detector.score_many(FAR)) > np.quantile(detector.score_many(LATER), 0.95)


@every_detector
def test_it_never_learns_by_scoring(name: str) -> None:
    detector = restored(name)
    detector.learn_many(LATER[:50])
    before = state(detector, name)
    first = detector.score_many(FAR)
    for row in FAR[:20]:
        detector.score_one(one(row))
    assert state(detector, name) == before
    assert detector.score_many(FAR).tobytes() == first.tobytes()


@every_detector
@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 120), max_size=6))
def test_many_rows_give_the_bits_of_single_rows(name: str, cuts: list[int]) -> None:
    rows = with_holes(np.concatenate((LATER[:60], FAR[:60])))
    whole, parted = restored(name), restored(name)
    assert np.concatenate([parted.score_many(part) for part in parts(rows, cuts)]).tobytes() == (
        whole.score_many(rows).tobytes()
    )
    whole.learn_many(rows)
    for part in parts(rows, cuts):
        parted.learn_many(part)
    assert state(parted, name) == state(whole, name)


@every_detector
def test_single_rows_with_river_s_verbs_give_the_same_bits_too(name: str) -> None:
    rows = with_holes(np.concatenate((LATER, FAR)))
    whole, single = restored(name), restored(name)
    assert whole.score_many(rows).tolist() == [single.score_one(one(row)) for row in rows]
    whole.learn_many(rows)
    for row in rows:
        single.learn_one(one(row))
    assert state(single, name) == state(whole, name)


@every_detector
def test_missing_values_are_survived(name: str) -> None:
    rows = with_holes(FAR)
    detector = restored(name)
    assert np.isfinite(detector.score_many(rows)).all()
    assert np.isfinite(detector.score_one({}))
    detector.learn_many(with_holes(LATER))
    assert np.isfinite(detector.score_many(rows)).all()
    dead = with_holes(HEALTHY)
    dead[:, 1] = np.nan
    dead[:, 2] = 8.25
    fitted = DETECTORS[name].fit(dead, seed=3)
    strange = FAR.copy()
    strange[:, 1] = np.nan
    strange[:, 2] = 8.25
    scores = fitted.score_many(strange)
    assert np.isfinite(scores).all()
    assert np.isfinite(fitted.score_many(FAR)).all(), "a dead and a constant channel come to life"
    assert np.median(scores) > np.median(fitted.score_many(dead)), "the others are judged all the same"


@every_detector
def test_memory_is_bounded(name: str) -> None:
    rows = machine(10_000, seed=5)
    detector = restored(name)
    sizes = []
    for part in (rows[:1000], rows[1000:]):
        detector.learn_many(part)
        detector.score_many(part)
        sizes.append((len(state(detector, name)), len(pickle.dumps(detector))))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01), "bytes of the state, and of all that the object holds"


def test_a_stored_state_continues_to_the_bit_in_another_process(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rows = with_holes(np.concatenate((LATER, FAR)))
    np.save(tmp_path / "rows.npy", rows)
    expected = {}
    for name in DETECTORS:
        detector = restored(name)
        detector.learn_many(LATER[:100])
        (tmp_path / f"{name}.state").write_bytes(state(detector, name))
        before = detector.score_many(rows)
        detector.learn_many(rows)
        expected[name] = np.stack((before, detector.score_many(rows)))
    subprocess.run([sys.executable, "-c", CONTINUE, str(tmp_path)], check=True, timeout=120)
    for name, scores in expected.items():
        assert np.load(tmp_path / f"{name}.npy").tobytes() == scores.tobytes(), name


@every_detector
def test_a_state_with_a_part_missing_or_of_another_size_is_refused(name: str) -> None:
    fields = portable.unpack(state_of(name), name)
    for field, value in fields.items():
        with pytest.raises((KeyError, ValueError)):
            DETECTORS[name].from_fields({key: other for key, other in fields.items() if key != field})
        if isinstance(value, np.ndarray):
            with pytest.raises((KeyError, ValueError)):
                DETECTORS[name].from_fields(fields | {field: value[..., :-1]})


@every_detector
def test_no_clock_is_looked_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = restored(name)
    expected.learn_many(LATER)
    hurried = restored(name)
    for clock in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"):
        monkeypatch.setattr(time, clock, itertools.count(10**18, 10**17).__next__)
    for row in LATER:
        hurried.learn_one(one(row))
    scores = hurried.score_many(FAR)
    monkeypatch.undo()
    assert scores.tobytes() == expected.score_many(FAR).tobytes()


def fitted_scores(name: str, healthy: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    detector = DETECTORS[name].fit(healthy, seed=3)
    detector.learn_many(healthy[:100])
    return detector.score_many(rows)


@every_detector
def test_scale_and_shift_of_a_feature_do_not_matter_or_the_docstring_says_so(name: str) -> None:
    rows = np.concatenate((LATER, FAR))
    expected = fitted_scores(name, HEALTHY, rows)
    shifts = np.array([32.0, -500.0, 0.0, 7.0, 273.15])
    np.testing.assert_allclose(fitted_scores(name, HEALTHY + shifts, rows + shifts), expected, rtol=1e-6)
    if name not in MEASURING:
        assert "in healthy deviations" in " ".join((DETECTORS[name].__doc__ or "").split())
        return
    powers = np.array([2.0, 0.25, 1.0, 1024.0, 2.0**-20])
    assert fitted_scores(name, HEALTHY * powers, rows * powers).tobytes() == expected.tobytes()
    factors = np.array([9 / 5, 1e3, 1e-3, 60.0, 1.0])
    found = fitted_scores(name, HEALTHY * factors + shifts, rows * factors + shifts)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@every_detector
def test_the_order_of_features_does_not_matter_or_the_docstring_says_so(name: str) -> None:
    rows, order = np.concatenate((LATER, FAR)), [3, 0, 4, 2, 1]
    expected = fitted_scores(name, HEALTHY, rows)
    found = fitted_scores(name, HEALTHY[:, order], rows[:, order])
    if name in DRAWN:
        assert "order of features" in (DETECTORS[name].__doc__ or "")
        assert np.corrcoef(found, expected)[0, 1] > 0.9
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_row_of_features_that_are_left_out_is_missing() -> None:
    assert row_of(one(np.array([1.0, np.nan, 3.0])), 3).tolist()[::2] == [1.0, 3.0]

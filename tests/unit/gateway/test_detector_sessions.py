"""A device calibrated anew on a short healthy stretch of a new session: quiet again, and still not blind."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.detectors import portable
from gateway.detectors.device import DeviceDetector
from gateway.detectors.judgement import Judgement
from gateway.detectors.session import MINIMUM_SESSION_READINGS, covariance_of, session_threshold
from gateway.detectors.whitened_distance import RIDGE, WhitenedDistance
from shared.errors import UsageError
from shared.identity import FAST, SLOW, Channel, DeviceProfile
from shared.messages.codec import Birth

HEALTHY, TOLD, LATER = 1200, 120, 600
FEATURES = 4


def birth(kind: str, channels: int) -> Birth:
    profile = DeviceProfile(
        "fan-1",
        "plant/fan-1",
        kind,
        1.0 if kind == SLOW else 200.0,
        tuple(Channel(f"channel-{index}", "g", 0.0, 0.001) for index in range(channels)),
    )
    return Birth(profile, 1, 1, ("level", "crest", "kurtosis", "band-0"), 64, 64)


def machine(rows: int, columns: int, seed: int) -> NDArray[np.float64]:
    """Correlated columns, a little autocorrelated, around 500 with a deviation of about 100."""
    mixing = np.random.default_rng(0).normal(size=(columns, columns))
    found = np.random.default_rng(seed).normal(size=(rows, columns)) @ mixing
    for index in range(1, rows):
        found[index] += 0.3 * found[index - 1]
    return 500.0 + 100.0 * found


def times(rows: int, first: int = 0) -> NDArray[np.int64]:
    return np.arange(first, first + rows, dtype=np.int64) * 10**9


def process(detector: DeviceDetector, values: NDArray[np.float64], first: int) -> Judgement:
    return detector.process(times(len(values), first), np.ones(len(values), np.int64), values)


def commissioned(kind: str, columns: int) -> bytes:
    return DeviceDetector.commission(
        birth(kind, columns if kind == SLOW else columns // FEATURES),
        times(HEALTHY),
        np.zeros(HEALTHY, np.int64),
        machine(HEALTHY, columns, 1),
    ).state()


STATES = {"slow": commissioned(SLOW, 4), "fast": commissioned(FAST, 8), "one": commissioned(SLOW, 1)}
COLUMNS = {"slow": 4, "fast": 8, "one": 1}
every_kind = pytest.mark.parametrize("kind", ["slow", "fast", "one"])


def moved(rows: int, kind: str, seed: int) -> NDArray[np.float64]:
    """The machine at another place: every column shifted by many deviations, one of them far beyond."""
    columns = COLUMNS[kind]
    return machine(rows, columns, seed) + np.linspace(3000.0, 20000.0, columns)


def recalibrated(kind: str, rows: int = TOLD) -> DeviceDetector:
    detector = DeviceDetector.from_state(STATES[kind])
    told = moved(rows, kind, 2)
    process(detector, told, HEALTHY)
    assert detector.evidence.alarm
    detector.recalibrate(told, times(rows, HEALTHY))
    return detector


@every_kind
def test_a_new_session_is_quiet_after_a_short_healthy_stretch(kind: str) -> None:
    before = process(DeviceDetector.from_state(STATES[kind]), moved(LATER, kind, 3), HEALTHY + TOLD)
    assert (before.scores >= 1.0).mean() > 0.9
    detector = recalibrated(kind)
    assert detector.provisional
    assert not detector.evidence.alarm
    after = process(detector, moved(LATER, kind, 3), HEALTHY + TOLD)
    assert np.isfinite(after.scores).all()
    assert (after.scores >= 1.0).mean() < 0.02
    assert not (after.scores >= 1.0)[-200:].any()


@every_kind
def test_a_fault_in_the_new_session_is_found(kind: str) -> None:
    sick = moved(LATER, kind, 3)
    sick[200:, 0] += 1500.0
    found = process(recalibrated(kind), sick, HEALTHY + TOLD)
    assert (found.scores[220:] >= 1.0).mean() > 0.9
    assert found.alarm[-1]
    assert not found.alarm[:200].any() or kind == "one"


@every_kind
def test_a_recalibrated_state_continues_to_the_bit(kind: str) -> None:
    detector = recalibrated(kind)
    again = DeviceDetector.from_state(detector.state())
    assert again.state() == detector.state()
    whole = process(detector, moved(100, kind, 4), HEALTHY + TOLD)
    parts = [process(again, moved(100, kind, 4)[:37], HEALTHY + TOLD)]
    parts.append(process(again, moved(100, kind, 4)[37:], HEALTHY + TOLD + 37))
    assert np.array_equal(np.concatenate([part.fused for part in parts]), whole.fused, equal_nan=True)
    assert again.state() == detector.state()


def test_the_order_of_channels_does_not_matter_to_a_session() -> None:
    turned = DeviceDetector.commission(
        birth(SLOW, 4), times(HEALTHY), np.zeros(HEALTHY, np.int64), machine(HEALTHY, 4, 1)[:, ::-1]
    )
    turned.recalibrate(moved(TOLD, "slow", 2)[:, ::-1], times(TOLD, HEALTHY))
    straight = DeviceDetector.from_state(STATES["slow"])
    straight.recalibrate(moved(TOLD, "slow", 2), times(TOLD, HEALTHY))
    later = moved(100, "slow", 3)
    assert np.array_equal(
        process(turned, later[:, ::-1], HEALTHY + TOLD).scores,
        process(straight, later, HEALTHY + TOLD).scores,
        equal_nan=True,
    )


@pytest.mark.parametrize("kind", ["slow", "fast"])
def test_a_quiet_stretch_does_not_lower_the_threshold(kind: str) -> None:
    detector = DeviceDetector.from_state(STATES[kind])
    threshold = detector.threshold
    middle = np.linspace(3500.0, 20500.0, COLUMNS[kind])
    detector.recalibrate(middle + 0.3 * (moved(TOLD, kind, 2) - middle), times(TOLD, HEALTHY))
    assert detector.threshold >= threshold


def test_too_few_readings_are_refused_and_change_nothing() -> None:
    detector = DeviceDetector.from_state(STATES["slow"])
    told = moved(TOLD, "slow", 2)
    told[MINIMUM_SESSION_READINGS + 7 :] = np.nan
    with pytest.raises(UsageError, match="tell a longer normal stretch"):
        detector.recalibrate(told, times(TOLD, HEALTHY))
    assert detector.state() == STATES["slow"]


def test_missing_values_in_the_stretch_are_survived() -> None:
    told = moved(TOLD, "slow", 2)
    told[::7, 1] = np.nan
    told[:, 2] = np.nan
    detector = DeviceDetector.from_state(STATES["slow"])
    detector.recalibrate(told, times(TOLD, HEALTHY))
    later = moved(LATER, "slow", 3)
    later[:, 2] = np.nan
    assert (process(detector, later, HEALTHY + TOLD).scores >= 1.0).mean() < 0.02


def test_a_sensor_whose_healthy_scores_the_session_lifts_is_scaled() -> None:
    lifted = np.exp(np.random.default_rng(7).normal(1.5, 0.1, TOLD + LATER))
    detector = DeviceDetector.from_state(STATES["fast"])
    detector.recalibrate(moved(TOLD, "fast", 2), times(TOLD, HEALTHY), sensor_scores=lifted[:TOLD])
    later = moved(LATER, "fast", 3)
    found = detector.process(times(LATER, HEALTHY + TOLD), np.ones(LATER, np.int64), later, lifted[TOLD:])
    assert (found.fused >= 1.0).mean() < 0.02
    detector = recalibrated("fast")
    shrill = detector.process(times(LATER, HEALTHY + TOLD), np.ones(LATER, np.int64), later, 9.0 * lifted[TOLD:])
    assert (shrill.fused >= 1.0).all()


def test_states_of_the_time_before_sessions_are_read() -> None:
    fields = portable.unpack(STATES["slow"], "detector")
    for name in ("false alarms per day", "sensor scale"):
        del fields[name]
    old = DeviceDetector.from_state(portable.pack("detector", fields))
    assert old.state() == STATES["slow"]


def test_the_covariance_comes_back_from_its_power() -> None:
    rows = np.random.default_rng(1).normal(size=(3000, 6)) @ np.random.default_rng(2).normal(size=(6, 6))
    rows /= rows.std(axis=0)
    found = covariance_of(WhitenedDistance.fit(rows).matrices[0])
    assert np.abs(found - np.cov(rows.T)).max() < 0.05
    assert np.linalg.eigvalsh(found).min() > -1e-9
    assert RIDGE > 0.0


def test_fewer_readings_give_a_higher_threshold() -> None:
    levels = np.random.default_rng(1).normal(size=200)
    heights = [session_threshold(levels, effective, 3.5) for effective in (200.0, 60.0, 40.0, 10.0, 5.0)]
    assert heights == sorted(heights)

"""A machine with one state: kept rows explain its healthy part, and yet what breaks between its channels is found."""

import numpy as np
import pytest
from drifting_plants import birth
from numpy.typing import NDArray

from gateway.detectors.device import DeviceDetector

HEALTHY, LATER, ONSET = 1500, 800, 400


def loaded(seed: int, channels: int) -> NDArray[np.float64]:
    """Channels that follow one load, each with a gain and noise of its own."""
    drawn = np.random.default_rng(seed)
    pushes = drawn.normal(size=HEALTHY + LATER)
    load = np.zeros(HEALTHY + LATER)
    for row in range(1, len(load)):
        load[row] = 0.9 * load[row - 1] + np.sqrt(1 - 0.9**2) * pushes[row]
    gains = drawn.uniform(0.5, 1.5, channels)
    return load[:, None] * gains + 0.3 * drawn.normal(size=(len(load), channels))


def judged(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_], float]:
    times, stretches = np.arange(len(values)) * 10**9, np.zeros(len(values), np.int64)
    channels = values.shape[1]
    detector = DeviceDetector.commission(birth(channels), times[:HEALTHY], stretches[:HEALTHY], values[:HEALTHY])
    judgement = detector.process(times[HEALTHY:], stretches[HEALTHY:], values[HEALTHY:])
    return judgement.scores, judgement.alarm, detector._level.share


@pytest.mark.parametrize("seed", range(3))
def test_a_channel_that_turns_against_the_load_is_found_though_kept_rows_have_all_the_say(seed: int) -> None:
    values = loaded(seed, 4)
    values[HEALTHY + ONSET :, 1] *= -1.0
    scores, alarm, share = judged(values)
    assert share == 1.0
    assert np.mean(scores[ONSET + 30 :] >= 1.0) > 0.6
    assert alarm[ONSET:].any()
    assert not alarm[:ONSET].any()


@pytest.mark.parametrize("seed", range(3))
def test_an_offset_of_three_deviations_is_found(seed: int) -> None:
    values = loaded(seed, 6)
    values[HEALTHY + ONSET :, 2] += 3.0 * values[:HEALTHY, 2].std()
    scores, alarm, _ = judged(values)
    assert np.mean(scores[ONSET + 30 :] >= 1.0) > 0.6
    assert alarm[ONSET:].any()
    assert not alarm[:ONSET].any()


def test_a_healthy_machine_stays_silent() -> None:
    for seed in range(3):
        scores, alarm, _ = judged(loaded(seed + 10, 4))
        assert np.mean(scores[np.isfinite(scores)] >= 1.0) < 0.01
        assert not alarm.any()

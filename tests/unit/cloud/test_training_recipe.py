import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.training.recipe import Recipe, recipe_for
from cloud.training.scalings import channel_scalings, feature_scalings, scaling_of
from shared.identity import MISSING, Channel, DeviceProfile
from shared.model_image import SCALE_MULTIPLIER_LIMIT, SCALE_SHIFT_MAX
from shared.signal import arrays

SECOND_NS = 1_000_000_000


def profile(kind: str, rate_hz: float, channels: int = 1) -> DeviceProfile:
    return DeviceProfile("a", "plant/a", kind, rate_hz, tuple(Channel(f"c{i}", "", 0.0, 0.01) for i in range(channels)))


def test_a_step_of_two_seconds_at_one_hertz_is_no_gap():
    steps = np.array([SECOND_NS, 2 * SECOND_NS] * 200)
    assert recipe_for(profile("slow", 1.0), 400, steps_ns=steps).gap_ns == 10 * SECOND_NS


def test_uneven_stamps_widen_the_gap():
    steps = np.array([SECOND_NS // 10] * 100 + [8 * SECOND_NS] * 100)
    assert recipe_for(profile("slow", 1.0), 200, steps_ns=steps).gap_ns == 24 * SECOND_NS


def test_five_minute_data_allow_fifty_minutes():
    assert recipe_for(profile("slow", 1 / 300), 400).gap_ns == 3000 * SECOND_NS


@given(
    st.floats(50.0, 100_000.0),
    st.integers(1, 10_000_000),
    st.one_of(st.none(), st.integers(32, 100_000)),
    st.integers(1, 400),
)
def test_a_fast_recipe_is_one_that_an_image_may_carry(rate_hz, rows, shortest, channels):
    recipe = recipe_for(profile("fast", rate_hz, channels), rows, shortest_stretch=shortest)
    assert 32 <= recipe.window <= 4096
    assert recipe.window & (recipe.window - 1) == 0
    assert shortest is None or recipe.window <= shortest
    assert recipe.hop >= recipe.window
    edges = recipe.edges()
    assert edges == sorted(set(edges))
    assert edges[-1] == recipe.window // 2 + 1
    assert channels * recipe.features_per_channel() <= 4096


def test_windows_of_a_streaming_device_cost_a_two_hundredth_of_its_samples():
    recipe = recipe_for(profile("fast", 3200.0, 3), 3200 * 600)
    assert recipe.hop == 6400
    assert 2 * recipe.features_per_channel() * 200 <= 2 * recipe.hop


def test_a_window_that_is_no_power_of_two_is_refused():
    with pytest.raises(ValueError, match="power of two"):
        recipe_for(profile("slow", 1.0), 400, window=12)


@given(st.floats(-2e9, 2e9), st.floats(0.5, 2e9), st.sampled_from([64, 1024]))
def test_a_scaling_fits_the_image_and_maps_one_deviation_to_its_units(centre, deviation, units):
    scaling = scaling_of(centre, deviation, units)
    assert 0 < scaling.multiplier < SCALE_MULTIPLIER_LIMIT
    assert 1 <= scaling.shift <= SCALE_SHIFT_MAX
    assert scaling.multiplier / 2**scaling.shift * deviation == pytest.approx(units, rel=1e-4)


def test_channels_are_scaled_to_their_healthy_deviation_and_wild_rows_hardly_count():
    draw = np.random.default_rng(1)
    counts = np.rint(draw.normal(5000, 300, (2000, 2))).astype(np.int32)
    counts[::400, 1] = 2_000_000_000
    counts[5, 0] = MISSING
    scalings = channel_scalings(profile("slow", 1.0, 2), counts)
    for scaling in scalings:
        assert scaling.centre == pytest.approx(5000, abs=60)
        assert 64 / (scaling.multiplier / 2**scaling.shift) == pytest.approx(300, rel=0.2)


@pytest.mark.parametrize("value", [0, 7, 10**9, MISSING])
def test_a_constant_channel_gets_a_usable_scaling(value):
    counts = np.full((100, 1), value, np.int32)
    (scaling,) = channel_scalings(profile("slow", 1.0), counts)
    assert 0 < scaling.multiplier < SCALE_MULTIPLIER_LIMIT
    assert 1 <= scaling.shift <= SCALE_SHIFT_MAX


def test_constant_features_stay_usable():
    recipe = Recipe("slow", 16, 1, 0, 1, 1000)
    raw = np.zeros((50, 4), np.int64)
    scalings = feature_scalings(recipe, raw)
    scaled = arrays.scale(
        raw + 1024,
        *(np.array([getattr(one, name) for one in scalings]) for name in ("centre", "multiplier", "shift")),
    )
    assert (np.abs(scaled) < 3000).all()
    assert scaled[0, 0] == 64

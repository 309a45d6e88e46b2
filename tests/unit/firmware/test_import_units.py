import json

import numpy as np
import pytest

from firmware.errors import FirmwareError
from firmware.importing.threshold import healthy_level, level_of
from firmware.importing.units import Standard, Units, channel_scaling, new_channel, read_standards, units_of
from shared.errors import UsageError
from shared.identity import Channel
from shared.recordings.profile import to_counts
from shared.signal.integer import clamp16, scale
from shared.tflite.reader import TfliteModel


def model_of(input_scale, output_scale=None, input_zero=3, output_zero=-9):
    return TfliteModel([], input_scale, input_zero, output_scale or input_scale, output_zero)


def int8_of(values, channel, standard, units, zero):
    """Values as the device makes int8 of them: counts, scaled samples, the image's input quantization."""
    scaling = channel_scaling(channel, standard, units)
    half = 1 << (units.input_shift - 1)
    result = []
    for count in to_counts(np.asarray(values, np.float64), channel).tolist():
        x = clamp16(scale(count, scaling.centre, scaling.multiplier, scaling.shift))
        result.append(max(-128, min(127, ((x * units.input_multiplier + half) >> units.input_shift) + zero)))
    return np.array(result)


def expected_int8(values, standard, step, zero):
    floats = (np.asarray(values) - standard.mean) / standard.deviation
    return np.clip(np.floor(floats / step + 0.5) + zero, -128, 127), floats / step + 0.5


@pytest.mark.parametrize("step", [0.0123, 0.391015, 7.0])
@pytest.mark.parametrize("standard", [Standard(), Standard(412.7, 0.031), Standard(-3.0, 250.0)])
def test_a_device_made_of_the_model_quantizes_as_the_model_does(step, standard):
    model = model_of(step)
    units = units_of(model)
    rng = np.random.default_rng(5)
    values = standard.mean + standard.deviation * step * rng.uniform(-200, 200, 4000)
    channel = new_channel("x", "", standard, units, None)
    expected, places = expected_int8(values, standard, step, model.input_zero)
    sure = np.abs(places - np.round(places)) > 1e-6  # not on a border, where floats decide
    given = int8_of(values, channel, standard, units, model.input_zero)
    assert len(np.unique(given)) > 200
    assert (given[sure] == expected[sure]).all()
    assert sure.sum() > 3990


def test_fine_counts_differ_only_at_borders():
    standard, model = Standard(20.0, 4.0), model_of(0.05)
    units = units_of(model)
    channel = new_channel("x", "degC", standard, units, 10_000.0)
    assert (channel.offset, channel.step) == (0.0, 1e-4)
    values = standard.mean + standard.deviation * 0.05 * np.random.default_rng(6).uniform(-140, 140, 4000)
    expected, places = expected_int8(values, standard, 0.05, model.input_zero)
    sure = np.abs(places - np.round(places)) > 1e-3  # one count is 1/2000 of a step
    assert (int8_of(values, channel, standard, units, model.input_zero)[sure] == expected[sure]).all()


def test_units_give_way_to_wide_outputs():
    assert units_of(model_of(0.1)).per_step == 64
    assert units_of(model_of(0.1, 0.9)).per_step == 32
    wide = units_of(model_of(0.1, 0.9))
    assert wide.per_value == pytest.approx(320)
    assert wide.output_multiplier / 2**wide.output_shift == pytest.approx(0.9 * 320)
    with pytest.raises(FirmwareError, match=r"steps of 100 and its inputs of 0\.1: more than an image can compare"):
        units_of(model_of(0.1, 100.0))


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        (
            Channel("t", "degC", 1e12, 1e-3),
            r"channel t \(offset 1e\+12, step 0.001 degC\) .* its zero would lie at count",
        ),
        (Channel("t", "", 0.0, 1e9), "one count would be"),
        (Channel("t", "", 0.0, 1e-30), "one count would be"),
        (Channel("t", "", 0.0, float("inf")), "too large or too small"),
    ],
)
def test_channels_that_integers_cannot_say(channel, said):
    with pytest.raises(FirmwareError, match=said):
        channel_scaling(channel, Standard(), units_of(model_of(0.1)))


def test_standards_come_from_a_file(tmp_path):
    path = tmp_path / "scaler.json"
    path.write_text(json.dumps({"mean": [1, 2], "scale": [3, 4.5]}))
    assert read_standards(path, 2) == [Standard(1.0, 3.0), Standard(2.0, 4.5)]
    path.write_text(json.dumps({"mean": 5, "scale": [2]}))
    assert read_standards(path, 3) == [Standard(5.0, 2.0)] * 3
    assert read_standards(None, 2) == [Standard()] * 2
    for wrong in ('{"mean": [1, 2, 3], "scale": [1]}', "[1, 2]", "no json", '{"mean": 1}', '{"mean": "a", "scale": 1}'):
        path.write_text(wrong)
        with pytest.raises(UsageError, match="must hold"):
            read_standards(path, 2)
    for wrong in ('{"mean": [1, NaN], "scale": [1]}', '{"mean": 1, "scale": [1, 0]}'):
        path.write_text(wrong)
        with pytest.raises(UsageError, match="finite means and scales above 0"):
            read_standards(path, 2)
    with pytest.raises(UsageError, match="cannot be read"):
        read_standards(tmp_path / "none.json", 2)


UNITS = Units(64, 160.0, 1 << 30, 30)


def test_a_threshold_is_a_mean_squared_error():
    level = level_of(0.25, 40, UNITS)
    assert level.threshold == pytest.approx(level.weight * 0.25 * 40 * 160.0**2 / 64, abs=0.5)
    assert (level.weight, level.threshold < 2**28) == (1 << 15, True)
    assert level_of(2.5, 40, UNITS).weight == 1 << 12
    assert level.windows is None
    assert not level.provisional
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(FirmwareError, match="give a mean squared error above 0"):
            level_of(wrong, 40, UNITS)
    for wrong in (1e-12, 1e9):
        with pytest.raises(FirmwareError, match=r"int8 steps of 0\.4 the mean squared error must be from \S+ to \S+"):
            level_of(wrong, 40, UNITS)


def test_one_in_a_thousand_healthy_windows_passes():
    rng = np.random.default_rng(8)
    seen = np.rint(rng.normal(0, 80, (20_000, 16))).astype(np.int64)
    level = healthy_level(seen, UNITS)
    later = rng.normal(0, 80, (200_000, 16))
    sums = level.weight * (np.rint(later) ** 2).sum(axis=1) / 64
    assert 3e-4 < (sums >= level.threshold).mean() < 3e-3
    assert (level.windows, level.provisional) == (20_000, False)
    assert healthy_level(seen[:500], UNITS).provisional
    assert healthy_level(np.zeros((50, 16), np.int64), UNITS).threshold >= 1

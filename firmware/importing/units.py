"""Between counts of a sensor, float inputs of a model, scaled samples and int8: the scalings of an imported image.

A scaled sample has `Units.per_step` units for each step of the model's int8 input. It is rounded *down*: then rounding
it again to int8, half up, gives exactly what rounding the float input to int8 gives.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware.errors import FirmwareError
from shared.errors import UsageError
from shared.identity import COUNT_LIMIT, Channel
from shared.model_image import EXPECTED_LIMIT, SCALE_MULTIPLIER_LIMIT, SCALE_SHIFT_MAX, Scaling
from shared.tflite.quantization import quantize_multiplier
from shared.tflite.reader import TfliteModel

#: Units of a scaled sample per step of the int8 input: 255 steps then fill half of int16.
PER_STEP_MAX = 64
_MULTIPLIER_BITS = 29


@dataclass(frozen=True, slots=True)
class Units:
    """Units of a scaled sample: `per_step` of the int8 input (a power of two), `per_value` for 1.0 of the float one.

    The other three are the image's output quantization: its multiplier and shift give these units.
    """

    per_step: int
    per_value: float
    output_multiplier: int
    output_shift: int

    @property
    def input_multiplier(self) -> int:
        """With `input_shift`: exactly one over `per_step`."""
        return 1 << 30

    @property
    def input_shift(self) -> int:
        """See `input_multiplier`."""
        return 30 + self.per_step.bit_length() - 1


@dataclass(frozen=True, slots=True)
class Standard:
    """What was done to a channel before the model saw it: ``(value - mean) / deviation``."""

    mean: float = 0.0
    deviation: float = 1.0


def units_of(model: TfliteModel) -> Units:
    """The finest units, up to `PER_STEP_MAX`, in which the model's outputs stay within an image's range.

    FirmwareError: its outputs span more than 256 times its inputs.
    """
    per_step = PER_STEP_MAX
    while per_step:
        multiplier, shift = quantize_multiplier(model.output_scale / model.input_scale * per_step)
        if shift >= 1:
            ends = [((value - model.output_zero) * multiplier + (1 << (shift - 1))) >> shift for value in (-128, 127)]
            if max(map(abs, ends)) <= EXPECTED_LIMIT:
                return Units(per_step, per_step / model.input_scale, multiplier, shift)
        per_step //= 2
    raise FirmwareError(
        f"the model's outputs have steps of {model.output_scale:g} and its inputs of {model.input_scale:g}: "
        "more than an image can compare; it must give back what it was given"
    )


def read_standards(path: Path | None, channels: int) -> list[Standard]:
    """Mean and deviation of each channel from a JSON file ``{"mean": [...], "scale": [...]}``; UsageError if wrong.

    A list of one number holds for all channels; without a file nothing was done to any.
    """
    if path is None:
        return [Standard()] * channels
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        lists = [told["mean"], told["scale"]]
        values = [np.broadcast_to(np.asarray(each, np.float64), (channels,)) for each in lists]
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a file with mean and scale") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f'{path} must hold {{"mean": [...], "scale": [...]}} with one number or {channels} in each list; correct it'
        ) from error
    if not np.isfinite(values).all() or not (values[1] > 0).all():
        raise UsageError(f"{path} must hold finite means and scales above 0; correct it")
    return [Standard(float(mean), float(scale)) for mean, scale in zip(*values, strict=True)]


def new_channel(name: str, unit: str, standard: Standard, units: Units, counts_per_unit: float | None) -> Channel:
    """A channel for a device made of the model.

    With `counts_per_unit`, that many counts for 1.0 from zero on. Without, one count is one unit of the scaled sample,
    offset by half a count: a count is rounded to the nearest, and shall become the sample rounded down.
    """
    if counts_per_unit is not None:
        return Channel(name, unit, 0.0, 1.0 / counts_per_unit)
    step = standard.deviation / units.per_value
    return Channel(name, unit, standard.mean + step / 2, step)


def channel_scaling(channel: Channel, standard: Standard, units: Units) -> Scaling:
    """From a channel's counts to scaled samples; FirmwareError when integers of an image cannot say it."""
    ratio = units.per_value * channel.step / standard.deviation
    zero = (standard.mean - channel.offset) / channel.step
    if not (0 < ratio < math.inf and math.isfinite(zero)):
        raise FirmwareError(_out_of_range(channel, "its numbers are too large or too small"))
    shift = max(1, min(SCALE_SHIFT_MAX, _MULTIPLIER_BITS - math.ceil(math.log2(ratio))))
    multiplier = round(math.ldexp(ratio, shift))
    # the device rounds half up; half a unit more on the centre makes it round down
    centre = math.floor(zero + 0.5 / ratio + 0.5)
    if not 1 <= multiplier < SCALE_MULTIPLIER_LIMIT:
        raise FirmwareError(_out_of_range(channel, f"one count would be {ratio:g} units of a scaled sample"))
    if not -COUNT_LIMIT <= centre <= COUNT_LIMIT:
        raise FirmwareError(_out_of_range(channel, f"its zero would lie at count {centre}, which no int32 holds"))
    return Scaling(centre, multiplier, shift)


def _out_of_range(channel: Channel, reason: str) -> str:
    return (
        f"channel {channel.name} (offset {channel.offset:g}, step {channel.step:g} {channel.unit}".rstrip()
        + f") cannot feed this model: {reason}; give other --counts-per-unit or another --scaler"
    )

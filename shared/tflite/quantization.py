"""Scales as a file says them and as integers: LiteRT's own rounding, so that every byte comes out the same."""

import math

import numpy as np
from numpy.typing import NDArray

from shared.model_image import LAYER_SHIFT_MAX

#: Fewer zeros at the end of a multiplier leave no sum half way between two bytes.
_ZEROS_OF_TIES = 22


def quantize_multiplier(ratio: float) -> tuple[int, int]:
    """``(multiplier, shift)`` with ``ratio`` about ``multiplier / 2**shift``, as LiteRT rounds it.

    31 bits of the double's fraction and a power of two. A ratio too small for a shift of 62 gives the pair that maps
    every sum to 0; one of 2**30 and more gives a shift below 1, which no image holds.

    >>> quantize_multiplier(0.5), quantize_multiplier(3.0), quantize_multiplier(1e-30)
    ((1073741824, 31), (1610612736, 29), (1, 62))
    """
    fraction, exponent = math.frexp(ratio)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        exponent += 1
    if exponent < -31 or multiplier < 1:
        return 1, LAYER_SHIFT_MAX
    return multiplier, 31 - exponent


def away_from_zero(multiplier: int, shift: int, reach: int) -> int:
    """The multiplier with which rounding half up gives what LiteRT's rounding half away from zero gives.

    LiteRT rounds a dense layer's product once, and sums that lie half way between two bytes away from zero; a layer of
    an image rounds them up. Only a multiplier with at least 22 zeros at its end can have such sums within the outputs
    (their odd part times half a sum is at most 256). One more in it moves each product by its sum: a negative tie to
    the other side, a positive one not, and no other product across, as all of them lie ``2**zeros`` from the ties. That
    holds for sums below ``2**zeros`` (`reach` is the largest), and for all that the output does not cut anyway where
    the shift is at most 22 more than the zeros.

    >>> away_from_zero(1 << 30, 31, 1000), away_from_zero((1 << 30) + 1, 31, 1000)
    (1073741825, 1073741825)
    """
    zeros = (multiplier & -multiplier).bit_length() - 1
    exact = reach < 1 << zeros or shift <= zeros + 22
    return multiplier + 1 if zeros >= _ZEROS_OF_TIES and exact else multiplier


def row_multipliers(
    input_scale: float, weight_scales: NDArray[np.float32], output_scale: float, rows: int
) -> list[tuple[int, int]]:
    """Multiplier and shift of each row: units of its sum in units of the output.

    Scales are float32 in the file and products are float64 for every operator, per tensor too: measured at sums where
    a float32 product gives other bytes (tests/equivalence/test_tflite_rounding.py).

    >>> row_multipliers(0.5, np.array([0.25], np.float32), 0.125, 2)
    [(1073741824, 30), (1073741824, 30)]
    """
    ratios = float(input_scale) * weight_scales.astype(np.float64) / float(output_scale)
    return [quantize_multiplier(float(ratio)) for ratio in np.broadcast_to(ratios, (rows,))]


def upper_limit(limit: float, scale: float, zero: int) -> int:
    """The int8 value at which an activation that ends at `limit` cuts, 127 when the type ends before.

    >>> upper_limit(6.0, 6 / 255, -128), upper_limit(6.0, 0.1, -128)
    (127, -68)
    """
    steps = float(np.float32(limit) / np.float32(scale))
    return min(127, zero + math.floor(steps + 0.5))

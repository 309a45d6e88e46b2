"""The features of a fast window: level, crest, kurtosis, bands, and the bands of its envelope.

Runs in MicroPython too. Ranges of a window of N <= 4096 samples of int16: their sum is at most 2**27, the mean is
int16, ``x = v - mean`` is at most 65535 in magnitude, ``x*x`` below 2**32, ``E2 = sum(x*x) < 2**44``. `fourth_shift`
brings a square below 2**24, its square below 2**48, and 4096 of those below 2**60. The logarithms are at most 61 * 256,
features between -2**15 and 2**15 before scaling.
"""

from shared.signal.envelope import EnvelopePlan
from shared.signal.integer import log2_q8
from shared.signal.spectrum import SpectrumPlan, windowed_energies


def fourth_shift(square: int) -> int:
    """How far squares up to this one are moved right so that 4096 of them, squared once more, stay below 2**60.

    >>> fourth_shift(4095 * 4095), fourth_shift(4096 * 4096), fourth_shift(65535 * 65535)
    (0, 1, 8)
    """
    shift = 0
    while square >> (24 + shift):
        shift += 1
    return shift


def fast_features(
    plan: SpectrumPlan, values: "list[int]", edges: "list[int]", envelope: "EnvelopePlan | None" = None
) -> "list[int]":
    """``[level, crest, kurtosis, bands..., envelope bands...]`` of one axis' window, before scaling.

    `values`: N scaled samples, int16; `edges`: the bands' bins, ascending, one more than there are bands; `envelope`:
    what the image says of one, made with the same plan.

    >>> fast_features(SpectrumPlan(32), [1000, -1000] * 16, [1, 8, 17])[:3]
    [6382, -1280, -5376]
    """
    mean = (sum(values) + (plan.samples >> 1)) >> plan.log2_samples
    x = [value - mean for value in values]
    squares = [value * value for value in x]
    level = log2_q8(sum(squares) + 1)
    square = max(squares)
    shift = fourth_shift(square)
    fourth = 0
    for value in squares:
        reduced = value >> shift
        fourth += reduced * reduced
    fourth >>= 16 - 2 * shift
    result = [level, log2_q8(square + 1) - level, log2_q8(fourth + 1) - 2 * level]
    shift = plan.shift_for(square)
    real, imag = plan.of_samples(x, shift)
    energies = windowed_energies(real, imag)
    sums = [sum(energies[edges[band] : edges[band + 1]]) for band in range(len(edges) - 1)]
    result.extend([log2_q8((total >> plan.energy_shift(shift)) + 1) for total in sums])
    if envelope is not None:
        result.extend(envelope.features(real, imag, shift))
    return result

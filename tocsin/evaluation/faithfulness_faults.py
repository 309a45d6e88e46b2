"""Faults of a single channel, put into healthy rows."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Strength of a fault in healthy deviations of its channel.
AMPLITUDES = (1, 2, 3, 4, 6, 8, 12)
#: What an amplitude means, fault by fault; a loss has none.
FAULTS = {
    "offset": "the value is so many deviations too high, or too low",
    "drift": "the same, reached along a straight line at the end of the stretch",
    "stuck": "the value stands still so many deviations above, or below, the healthy mean",
    "noise": "independent normal noise of so many deviations is added",
    "scale": "the distance from the healthy mean is multiplied by one more than this",
    "frozen": "the value stands still where it last was",
    "loss": "no value at all",
}
WITHOUT_AMPLITUDE = ("frozen", "loss")


def amplitudes_of(fault: str) -> tuple[int, ...]:
    """Amplitudes that a fault is tried with; 0 where it has none."""
    return (0,) if fault in WITHOUT_AMPLITUDE else AMPLITUDES


def with_fault(
    values: Floats, fault: str, amplitude: int, mean: float, deviation: float, last: float, random: np.random.Generator
) -> Floats:
    """The values (n,) of a channel with a fault from the first one on.

    `mean`, `deviation`: of the channel while it was healthy; `last`: its value before the first one.

    >>> with_fault(np.zeros(3), "stuck", 0, 5.0, 1.0, 7.0, np.random.default_rng(0)).tolist()
    Traceback (most recent call last):
    ...
    ValueError: a stuck channel needs an amplitude
    >>> with_fault(np.zeros(3), "frozen", 0, 5.0, 1.0, 7.0, np.random.default_rng(0)).tolist()
    [7.0, 7.0, 7.0]
    """
    if amplitude not in amplitudes_of(fault):
        raise ValueError(f"a {fault} channel needs an amplitude")
    size = amplitude * deviation * (1.0 if random.random() < 0.5 else -1.0)
    count = len(values)
    match fault:
        case "offset":
            return values + size
        case "drift":
            return values + size * np.arange(1, count + 1) / count
        case "stuck":
            return np.full(count, mean + size)
        case "noise":
            return values + size * random.normal(size=count)
        case "scale":
            return mean + (values - mean) * (1.0 + amplitude)
        case "frozen":
            return np.full(count, last)
        case _:
            return np.full(count, np.nan)

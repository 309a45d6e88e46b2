"""What an alarm says of itself, device by device."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.messages.codec import Line, Reason

#: How much each way of being strange has to say, by its name: ``device/channel/mean+``.
Signature = dict[str, float]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a device is in alarm, at one reading.

    `since_ns`: when the change behind it began, None where that is not known. `detectors`: what spoke up, in words.
    """

    reasons: tuple[Reason, ...]
    since_ns: int | None = None
    detectors: tuple[str, ...] = ()
    signature: tuple[tuple[str, float], ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Healthy:
    """What is healthy, column by column in the device's own order.

    ``mean, scale`` float64 (columns,), physical; ``centre, spread`` float64 (kinds * columns,), mean and deviation of
    each running feature in healthy deviations of its column; ``matrix`` float64 (kinds * columns, kinds * columns),
    what the whitened distance weighs features in their own deviations by.
    """

    kinds: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    matrix: NDArray[np.float64]

"""What a run on an emulated core gives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.errors import FirmwareError


class MachineError(FirmwareError):
    """A program did what it must not on the emulated core; the sentence names the place."""


@dataclass(frozen=True, eq=False)
class Run:
    """Outputs (rows, outputs) int8; instructions of each inference; deepest stack."""

    outputs: NDArray[np.int8]
    instructions: NDArray[np.int64]
    stack_bytes: int

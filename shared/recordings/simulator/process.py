"""Bearing temperature and motor current at 1 Hz."""

import numpy as np
from numpy.typing import NDArray

from shared.recordings.simulator.faults import TEMPERATURE, Fault
from shared.recordings.simulator.machine import STREAM_PROCESS, Machine, stream
from shared.recordings.simulator.schedule import Operation

NAMES = (TEMPERATURE, "motor_current")
UNITS = ("degC", "A")
#: What the two instruments resolve.
RESOLUTION = (0.01, 0.001)
#: Extra heat of a fully grown fault in degC; faults of the sensor make none.
_CYCLE_S = 180
_HEAT = {"inner_race": 5.0, "outer_race": 5.0, "imbalance": 1.0, "looseness": 1.5}


def process_values(
    seed: int, machine: Machine, operation: Operation, fault: Fault, seconds: int
) -> NDArray[np.float64]:
    """Temperature in degC and current in A, shape (seconds, 2), one row at the end of each second.

    The temperature follows speed and load with one time constant; the current has the magnetizing part, a part that
    follows the power (cube of the speed), and what starting takes.
    """
    random = stream(seed, STREAM_PROCESS)
    ambient = random.uniform(18.0, 26.0)
    rise = random.uniform(16.0, 24.0)
    memory_s = random.uniform(70.0, 110.0)
    idle_a, load_a = random.uniform(2.2, 3.0), random.uniform(5.0, 7.0)
    phase = random.uniform(0, 2 * np.pi)
    noise = random.standard_normal((seconds, 2))
    time_s = np.arange(1, seconds + 1, dtype=np.float64)
    speed, load = operation.at(time_s)
    relative = speed / machine.rated_speed_hz
    extra = _HEAT.get(fault.fault, 0.0) * fault.severity(time_s) * relative
    usual = ambient + 0.15 * np.sin(2 * np.pi * time_s / 2400.0 + phase) + rise * relative * (0.5 + 0.5 * load)
    target = usual + extra
    keep = float(np.exp(-1.0 / memory_s))
    level = float(usual[:_CYCLE_S].mean())  # it ran like this before the recording began
    temperature = np.empty(seconds)
    for second, aim in enumerate(target.tolist()):
        level = keep * level + (1 - keep) * aim
        temperature[second] = level
    temperature += 0.06 * noise[:, 0]
    turning = np.clip(relative / 0.2, 0.0, 1.0)
    starting = np.clip(np.gradient(relative), 0.0, None) * 12.0
    current = turning * idle_a * (0.7 + 0.3 * relative) + load_a * relative**3 * load + starting
    current = current * (1 + 0.008 * noise[:, 1]) + 0.01 * noise[:, 1]
    values = np.stack([temperature, np.maximum(current, 0.0)], axis=1)
    resolution = np.array(RESOLUTION)
    shown: NDArray[np.float64] = np.round(np.rint(values / resolution) * resolution, 6)
    return shown


def hold_temperature(values: NDArray[np.float64], onset_row: int) -> None:
    """The thermometer repeats its last value from a row on, in place."""
    if 0 < onset_row < len(values):
        values[onset_row:, 0] = values[onset_row - 1, 0]

"""A seeded motor-driven pump: vibration, bearing temperature and motor current, healthy at first, then with a fault.

The formulas, the ranges that a seed draws from and what a plain RMS alarm sees are in docs/simulator.md.
"""

from shared.recordings.simulator.faults import FAULTS, HEALTHY
from shared.recordings.simulator.rms import RmsAlarm, rms_alarm
from shared.recordings.simulator.simulation import Simulation, VibrationWindows, simulate, simulate_windows
from shared.recordings.simulator.write import write_simulation

__all__ = [
    "FAULTS",
    "HEALTHY",
    "RmsAlarm",
    "Simulation",
    "VibrationWindows",
    "rms_alarm",
    "simulate",
    "simulate_windows",
    "write_simulation",
]

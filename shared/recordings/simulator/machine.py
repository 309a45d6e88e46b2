"""What a seed makes of the pump: its bearing, its structure, its levels. All ranges stand here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.recordings.simulator.bearing import Bearing

#: Sensor: three axes, +-16 g in 16 bits, 3.2 kHz.
SAMPLE_RATE_HZ = 3200
AXES = ("acceleration_x", "acceleration_y", "acceleration_z")
FULL_SCALE_G = 16.0
#: g per count; a power of two, so that counts times scale is exact.
SCALE_G = FULL_SCALE_G / 32768
LINE_HZ = 50.0
#: Shaft harmonics that a healthy machine shows.
HARMONICS = (1, 2, 3, 4, 5, 6)

# Independent random streams of one seed; a fault has its own, so that it changes nothing before its onset.
STREAM_MACHINE, STREAM_SCHEDULE, STREAM_NOISE, STREAM_PROCESS, STREAM_FAULT, STREAM_FAULT_NOISE = range(1, 7)


def stream(seed: int, *path: int) -> np.random.Generator:
    """A random stream that depends on nothing but the seed and the path."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence((seed, *path))))


@dataclass(frozen=True, eq=False)
class Machine:
    """One pump and its sensor. Accelerations are amplitudes in g at rated speed and full load.

    Arrays are per axis (3,), per mode (modes,), or (3, modes), (3, harmonics).
    """

    rated_speed_hz: float
    speeds_hz: tuple[float, ...]
    loads: tuple[float, ...]
    vanes: int
    bearing: Bearing
    mode_hz: NDArray[np.float64]
    mode_damping: NDArray[np.float64]
    mode_gain: NDArray[np.float64]
    noise_density: NDArray[np.float64]
    flow_density: NDArray[np.float64]
    noise_floor_g: float
    harmonic_g: NDArray[np.float64]
    harmonic_phase: NDArray[np.float64]
    vane_g: NDArray[np.float64]
    vane_phase: NDArray[np.float64]
    line_g: NDArray[np.float64]
    gravity_g: NDArray[np.float64]
    ring_hz: float
    ring_damping: float
    ring_gain: NDArray[np.float64]

    def response(self, frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gain from force to acceleration of shape (3, *frequencies): second-order modes added in power."""
        f = np.asarray(frequency_hz, dtype=np.float64)[..., None]
        modes = f**4 / ((self.mode_hz**2 - f**2) ** 2 + (2 * self.mode_damping * self.mode_hz * f) ** 2)
        gain: NDArray[np.float64] = np.sqrt(np.einsum("...m,am->a...", modes, self.mode_gain**2))
        return gain


def draw_machine(seed: int) -> Machine:
    """The machine of a seed.

    >>> machine = draw_machine(1)
    >>> machine.mode_gain.shape, 24 <= machine.rated_speed_hz <= 29.5
    ((3, 4), True)
    """
    random = stream(seed, STREAM_MACHINE)
    rated = random.uniform(24.0, 29.5)
    balls = int(random.integers(8, 11))
    pitch = random.uniform(34.0, 60.0)
    bearing = Bearing(balls, pitch * random.uniform(0.18, 0.23), pitch, np.deg2rad(random.uniform(0.0, 10.0)))
    mode_hz = np.array([random.uniform(*span) for span in ((130, 180), (310, 430), (620, 800), (1320, 1480))])
    mode_gain = random.uniform(0.3, 1.0, (3, 4)) * np.array([0.5, 1.0, 0.8, 0.6])
    noise_rms = random.uniform(0.035, 0.06, 3)
    machine = Machine(
        rated_speed_hz=rated,
        speeds_hz=tuple(rated * share for share in (random.uniform(0.58, 0.66), random.uniform(0.77, 0.84), 1.0)),
        loads=(random.uniform(0.45, 0.6), random.uniform(0.9, 1.0)),
        vanes=int(random.integers(5, 8)),
        bearing=bearing,
        mode_hz=mode_hz,
        mode_damping=random.uniform(0.025, 0.06, 4),
        mode_gain=mode_gain,
        noise_density=np.ones(3),
        flow_density=np.ones(3),
        noise_floor_g=random.uniform(0.0022, 0.0035),
        harmonic_g=random.uniform(0.6, 1.4, (3, 6)) * np.array([0.013, 0.009, 0.006, 0.004, 0.003, 0.002]),
        harmonic_phase=random.uniform(0, 2 * np.pi, (3, 6)),
        vane_g=random.uniform(0.5, 1.5, (3, 2)) * np.array([0.022, 0.008]),
        vane_phase=random.uniform(0, 2 * np.pi, (3, 2)),
        line_g=random.uniform(0.003, 0.008, 3),
        gravity_g=np.array([random.uniform(-0.04, 0.04), random.uniform(-0.04, 0.04), 1.0]),
        ring_hz=random.uniform(900.0, 1250.0),
        ring_damping=random.uniform(0.03, 0.05),
        ring_gain=random.uniform(0.55, 1.0, 3),
    )
    # Densities such that the broadband part has the level drawn above, at rated speed and full load.
    f = np.arange(5.0, SAMPLE_RATE_HZ / 2, 5.0)
    flow_rms = noise_rms * random.uniform(0.3, 0.5)
    shape = np.sum(machine.response(f) ** 2, axis=1) * 5.0
    machine.noise_density[:] = noise_rms**2 / shape
    machine.flow_density[:] = flow_rms**2 / np.sum(flow_shape(f) * 5.0)
    return machine


def flow_shape(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative power density of the flow's own noise: a broad hump around 800 Hz.

    >>> bool(flow_shape(np.array([800.0]))[0] > flow_shape(np.array([100.0]))[0])
    True
    """
    return np.exp(-0.5 * ((np.asarray(frequency_hz) - 800.0) / 350.0) ** 2)

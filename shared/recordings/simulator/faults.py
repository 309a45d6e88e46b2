"""What a fault adds to the acceleration, from its onset on; before it nothing is touched.

Amplitudes are in g at rated speed and full severity. Severity begins at `FIRST_SEVERITY` and grows to 1,
faster at first: as the `GROWTH_POWER` of the time since the onset.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.recordings.simulator.machine import (
    AXES,
    SAMPLE_RATE_HZ,
    STREAM_FAULT,
    STREAM_FAULT_NOISE,
    Machine,
    stream,
)
from shared.recordings.simulator.schedule import BLOCK, BLOCK_S, Operation
from shared.recordings.simulator.vibration import turned

HEALTHY = "healthy"
FAULTS = ("inner_race", "outer_race", "imbalance", "looseness", "sensor_stuck", "sensor_detached")
BEARING_FAULTS = ("inner_race", "outer_race")
#: Channels that `sensor_stuck` can hold; the acceleration axes are drawn, the temperature must be asked for.
TEMPERATURE = "bearing_temperature"
FIRST_SEVERITY = 0.15
GROWTH_POWER = 0.75
#: Impact of a race defect per pass, imbalance of the first harmonic, looseness of its series and of its rattle, in g.
IMPACT_G = {"outer_race": 0.5, "inner_race": 0.7}
IMBALANCE_G = 0.16
LOOSENESS_G = 0.035
RATTLE_G = 0.35
#: Slip of the rolling elements: deviation of the time between two impacts, as a share of it.
SLIP = 0.015
#: A sensor comes off within this time; its cable still passes some of the tones and hardly any of the noise.
DETACHING_S = 8.0
DETACHED_TONE_GAIN = (0.25, 0.6)
DETACHED_NOISE_GAIN = (0.02, 0.06)
_RING_SAMPLES = 96
_SAMPLES = np.arange(BLOCK, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Impacts:
    """Impacts in the order of time: seconds, and strength in g."""

    time_s: NDArray[np.float64]
    strength_g: NDArray[np.float64]
    ring_hz: float
    ring_damping: float
    gain: NDArray[np.float64]

    def ringing(self, block: int) -> NDArray[np.float32]:
        """The structure's answer of shape (3, BLOCK): each impact a decaying oscillation."""
        begin = block * BLOCK
        at = self.time_s * SAMPLE_RATE_HZ
        first, last = np.searchsorted(at, [begin - _RING_SAMPLES, begin + BLOCK])
        start = np.ceil(at[first:last]).astype(np.int64)
        samples = start[:, None] + np.arange(_RING_SAMPLES)
        t = (samples - at[first:last, None]) / SAMPLE_RATE_HZ
        decay = 2 * np.pi * self.ring_hz * self.ring_damping
        ring = self.strength_g[first:last, None] * np.exp(-decay * t) * np.sin(2 * np.pi * self.ring_hz * t)
        place = samples - begin
        inside = (place >= 0) & (place < BLOCK)
        summed = np.bincount(place[inside], ring[inside], BLOCK)
        return (self.gain[:, None] * summed).astype(np.float32)


class Fault:
    """A fault of one machine: `apply` changes blocks of acceleration in place, from the onset on."""

    def __init__(
        self,
        seed: int,
        fault: str,
        machine: Machine,
        operation: Operation,
        onset_s: float,
        growth_s: float,
        channel: str,
    ) -> None:
        self.fault = fault
        self.seed = seed
        self.machine = machine
        self.operation = operation
        self.onset_s = onset_s
        self.growth_s = growth_s
        self.first_sample = round(onset_s * SAMPLE_RATE_HZ)
        random = stream(seed, STREAM_FAULT)
        self.axis = AXES.index(channel) if channel in AXES else int(random.integers(3))
        self.phase = random.uniform(0, 2 * np.pi, (3, 12))
        self.tone_gain = random.uniform(*DETACHED_TONE_GAIN, 3)
        self.noise_gain = random.uniform(*DETACHED_NOISE_GAIN, 3)
        self.tilt_g = random.uniform(-0.4, 0.4, 3)
        self.held: int | None = None
        self.impacts = self._impacts(random)

    def severity(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 before the onset, then from `FIRST_SEVERITY` to 1."""
        grown = np.clip((time_s - self.onset_s) / self.growth_s, 0.0, 1.0)
        return np.where(time_s < self.onset_s, 0.0, FIRST_SEVERITY + (1 - FIRST_SEVERITY) * grown**GROWTH_POWER)

    def touches(self, block: int) -> bool:
        """Whether a block reaches beyond the onset."""
        return self.fault != HEALTHY and (block + 1) * BLOCK > self.first_sample

    def apply(self, block: int, signal: NDArray[np.float32], tones: NDArray[np.float32]) -> None:
        """Change one block of shape (3, BLOCK), in g; `tones` is the part of it that turns with the shaft."""
        time_s = block * BLOCK_S + _SAMPLES / SAMPLE_RATE_HZ
        since = max(0, self.first_sample - block * BLOCK)
        if self.fault == "sensor_detached":
            self._detach(block, time_s, since, signal, tones)
            return
        severity = self.severity(time_s)
        blocks = np.array([block])
        speed = np.interp(_SAMPLES / BLOCK, [0.0, 1.0], self.operation.speed_hz[[block, block + 1]])
        force = severity * (speed / self.machine.rated_speed_hz) ** 2
        added = np.zeros((3, BLOCK), dtype=np.float32)
        if self.impacts is not None:
            added += self.impacts.ringing(block)
        if self.fault in ("imbalance", "looseness"):
            half = turned(self.operation.angle(blocks, _SAMPLES)[0] / 2)
            added += self._imbalance(half, force) if self.fault == "imbalance" else self._looseness(half, force)
        signal[:, since:] += added[:, since:]

    def _imbalance(self, half: NDArray[np.complex64], force: NDArray[np.float64]) -> NDArray[np.float32]:
        """A rotating force: two radial axes in quadrature, a little of it along the shaft."""
        wave = half * half * np.exp(1j * self.phase[0, 0])
        parts = (wave.real, wave.imag, 0.2 * wave.real)
        return np.stack([IMBALANCE_G * force * part for part in parts]).astype(np.float32)

    def _looseness(self, half: NDArray[np.complex64], force: NDArray[np.float64]) -> NDArray[np.float32]:
        """Half orders 0.5 to 5.5 and whole ones in between: the structure lifts off and truncates the wave."""
        power = np.ones_like(half)
        total = np.zeros((3, BLOCK), dtype=np.float64)
        for place in range(11):
            power = power * half
            strength = LOOSENESS_G / (1 + 0.25 * place)
            for axis in range(3):
                total[axis] += strength * (power * np.exp(1j * self.phase[axis, place])).real
        return (total * force).astype(np.float32)

    def _detach(
        self,
        block: int,
        time_s: NDArray[np.float64],
        since: int,
        signal: NDArray[np.float32],
        tones: NDArray[np.float32],
    ) -> None:
        off = np.clip((time_s - self.onset_s) / DETACHING_S, 0.0, 1.0)[since:]
        static = self.machine.gravity_g[:, None]
        floor = stream(self.seed, STREAM_FAULT_NOISE, block).standard_normal((3, BLOCK))[:, since:]
        turning = tones[:, since:]
        noise = signal[:, since:] - static - turning
        moving = turning * (1 - off * (1 - self.tone_gain[:, None])) + noise * (
            1 - off * (1 - self.noise_gain[:, None])
        )
        moving += floor * self.machine.noise_floor_g * np.sqrt(off)
        signal[:, since:] = moving + static + self.tilt_g[:, None] * off

    def _impacts(self, random: np.random.Generator) -> Impacts | None:
        """All impacts of the recording: one per pass of a rolling element, or about one per turn for a rattle."""
        machine, operation = self.machine, self.operation
        if self.fault in BEARING_FAULTS:
            ratio = machine.bearing.outer_race if self.fault == "outer_race" else machine.bearing.inner_race
            slip, strength, ring_hz, gain = SLIP, IMPACT_G[self.fault], machine.ring_hz, machine.ring_gain
        elif self.fault == "looseness":
            ratio, slip, strength, ring_hz = 1.0, 0.06, RATTLE_G, float(machine.mode_hz[2])
            gain = machine.mode_gain[:, 2]
        else:
            return None
        count = int(operation.turns[-1] * ratio)
        angle = (np.arange(count) + 0.5 + slip * random.standard_normal(count)) / ratio
        # The angle grows with time, and stands still at rest: its inverse on a grid of 1/20 of a block.
        parts = 20
        inner = operation.angle(
            np.arange(len(operation.turns) - 1), np.arange(parts, dtype=np.float64) * (BLOCK / parts)
        ).ravel()
        grid = np.append(inner, operation.turns[-1])
        time_s = np.sort(np.interp(angle, grid, np.arange(len(grid)) * (BLOCK_S / parts)))
        speed, load = operation.at(time_s)
        force = (speed / machine.rated_speed_hz) ** 1.5 * (0.7 + 0.3 * load)
        spread = np.exp((0.5 if self.fault == "looseness" else 0.15) * random.standard_normal(count))
        strength_g = strength * self.severity(time_s) * force * spread
        if self.fault == "inner_race":  # the defect turns with the shaft, through the loaded zone and out of it
            strength_g = strength_g * (0.15 + 0.85 * (0.5 + 0.5 * np.cos(2 * np.pi * angle)) ** 2)
        return Impacts(time_s, strength_g, ring_hz, machine.ring_damping, gain)

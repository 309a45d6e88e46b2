"""How the pump is run: several speeds and loads, with start, stop and rest, as the seed draws them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.recordings.simulator.machine import SAMPLE_RATE_HZ, STREAM_SCHEDULE, Machine, stream

#: Samples of a block: the grain of the simulation (0.4 s). Speed and load are linear within a block.
BLOCK = 1280
BLOCK_S = BLOCK / SAMPLE_RATE_HZ
_REST_S = (9.0, 15.0)
_DWELL_S = (14.0, 24.0)
_START_S = (4.0, 6.0)
_STOP_S = (3.0, 5.0)
_CHANGE_S = (2.0, 3.5)


@dataclass(frozen=True, eq=False)
class Operation:
    """Speed, load and shaft angle at the edges of blocks, shape (blocks + 1,). The angle is in turns."""

    speed_hz: NDArray[np.float64]
    load: NDArray[np.float64]
    turns: NDArray[np.float64]

    def angle(self, blocks: NDArray[np.int64], samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shaft angle in turns of shape (blocks, samples), at `samples` after the beginning of each block."""
        t = samples / SAMPLE_RATE_HZ
        first, last = self.speed_hz[blocks][:, None], self.speed_hz[blocks + 1][:, None]
        turned: NDArray[np.float64] = t * (first + (last - first) / (2 * BLOCK_S) * t)
        return self.turns[blocks][:, None] + turned

    def at(self, time_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Speed in Hz and load (0 to about 1) at given times."""
        edges = np.arange(len(self.speed_hz)) * BLOCK_S
        return np.interp(time_s, edges, self.speed_hz), np.interp(time_s, edges, self.load)


def draw_operation(seed: int, machine: Machine, blocks: int) -> Operation:
    """Cycles of: start, every pair of speed and load once in random order, stop, rest. Longer is a continuation."""
    random = stream(seed, STREAM_SCHEDULE)
    regimes = [(speed, load) for speed in machine.speeds_hz for load in machine.loads]
    time_s, knots = 0.0, [(0.0, 0.0, 0.0)]

    def go(seconds: float, speed: float, load: float) -> None:
        nonlocal time_s
        time_s += seconds
        knots.append((time_s, speed, load))

    end_s = blocks * BLOCK_S
    while time_s < end_s:
        go(random.uniform(*_REST_S), 0.0, 0.0)
        for place, index in enumerate(random.permutation(len(regimes))):
            speed, load = regimes[index]
            go(random.uniform(*(_CHANGE_S if place else _START_S)), speed, load)
            go(random.uniform(*_DWELL_S), speed, load)
        go(random.uniform(*_STOP_S), 0.0, 0.0)
    edges = np.arange(blocks + 1) * BLOCK_S
    times, speeds, loads = (np.array(values) for values in zip(*knots, strict=True))
    speed_wander = _wander(stream(seed, STREAM_SCHEDULE, 1), blocks + 1, 4.0)
    load_wander = _wander(stream(seed, STREAM_SCHEDULE, 2), blocks + 1, 6.0)
    speed_hz = np.interp(edges, times, speeds) * (1 + 0.0015 * speed_wander)
    load = np.clip(np.interp(edges, times, loads) * (1 + 0.03 * load_wander), 0.0, 1.2)
    turns = np.concatenate([[0.0], np.cumsum((speed_hz[1:] + speed_hz[:-1]) / 2 * BLOCK_S)])
    return Operation(speed_hz, load, turns)


def _wander(random: np.random.Generator, count: int, seconds: float) -> NDArray[np.float64]:
    """A slow random walk around 0 with deviation 1 and the given memory, bounded to three deviations."""
    keep = float(np.exp(-BLOCK_S / seconds))
    steps = (random.standard_normal(count) * np.sqrt(1 - keep**2)).tolist()
    values, value = [], 0.0
    for step in steps:
        value = keep * value + step
        values.append(value)
    bounded: NDArray[np.float64] = np.clip(values, -3.0, 3.0)
    return bounded

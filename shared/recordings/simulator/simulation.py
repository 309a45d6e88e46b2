"""The simulated recordings of one asset, with their ground truth."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recordings.recording import Recording
from shared.recordings.simulator.faults import BEARING_FAULTS, FAULTS, HEALTHY, TEMPERATURE, Fault
from shared.recordings.simulator.machine import AXES, SAMPLE_RATE_HZ, SCALE_G, draw_machine
from shared.recordings.simulator.process import NAMES, UNITS, hold_temperature, process_values
from shared.recordings.simulator.schedule import BLOCK, draw_operation
from shared.recordings.simulator.vibration import HealthyVibration, quantized
from shared.recordings.timing import evenly

#: When every simulated recording begins: 2026-01-01T00:00:00Z.
START_NS = 1_767_225_600_000_000_000
#: Blocks made at once: what a processor's cache holds.
_AT_ONCE = 32
_LONGEST_S = 7 * 86_400


@dataclass(frozen=True, eq=False)
class Simulation:
    """What two devices of one asset recorded, and the truth about it (which no tier may see).

    Attributes
    ----------
    vibration
        Three axes in g at 3.2 kHz.
    process
        Bearing temperature in degC and motor current in A at 1 Hz.
    onset_ns
        UTC nanoseconds at which the fault begins; None when there is none.
    fault, fault_channel
        One of `FAULTS` or `HEALTHY`; the channel that a sensor fault concerns, else empty.
    truth
        Seed, onset, bearing ratios, speeds, loads and a sentence: what `truth.json` holds.
    """

    vibration: Recording
    process: Recording
    vibration_counts: NDArray[np.int16]
    asset: str
    onset_ns: int | None
    fault: str
    fault_channel: str
    truth: dict[str, object]


@dataclass(frozen=True, eq=False)
class VibrationWindows:
    """Windows cut from the vibration without making the rest of it.

    `counts` has the shape (windows, samples, 3), `SCALE_G` g each; `times_ns` is the time of each window's last sample.
    """

    counts: NDArray[np.int16]
    times_ns: NDArray[np.int64]
    onset_ns: int | None


def simulate(
    seed: int,
    fault: str = HEALTHY,
    *,
    duration_s: float = 1800.0,
    onset_s: float = 900.0,
    growth_s: float | None = None,
    asset: str = "pump-1",
    channel: str | None = None,
) -> Simulation:
    """Simulate one pump.

    Parameters
    ----------
    seed
        Draws the machine, its schedule and its noise. The same seed gives the same bytes, and before the onset the
        same bytes whatever the fault.
    fault
        One of `FAULTS`, or `HEALTHY`.
    duration_s, onset_s
        Length of the recording and begin of the fault, in seconds from its start. Whole seconds are recorded.
    growth_s
        Time from the onset to full severity; None grows until the end.
    asset
        A name for people; no number depends on it.
    channel
        Which channel `sensor_stuck` concerns: an acceleration axis or 'bearing_temperature'; None lets the seed draw
        an axis.

    Raises
    ------
    UsageError
        Unknown fault or channel, or an onset outside the recording.
    """
    made = _Made(seed, fault, duration_s, onset_s, growth_s, channel)
    counts = np.concatenate([made.counts(blocks) for blocks in _portions(np.arange(made.blocks))])
    counts = counts.reshape(-1, 3)[: made.samples]
    seconds = made.samples // SAMPLE_RATE_HZ
    values = process_values(seed, made.machine, made.operation, made.fault, seconds)
    if made.fault.fault == "sensor_stuck" and made.channel == TEMPERATURE:
        hold_temperature(values, math.ceil(onset_s) - 1)  # row k is taken at the end of second k + 1
    note = (f"Simulated pump of seed {seed}.",)
    first = np.zeros(1, dtype=np.int64)
    vibration = Recording(
        evenly(made.samples, SAMPLE_RATE_HZ, START_NS),
        counts * SCALE_G,
        AXES,
        ("g",) * 3,
        float(SAMPLE_RATE_HZ),
        first,
        notes=note,
    )
    process = Recording(evenly(seconds, 1.0, START_NS + 1_000_000_000), values, NAMES, UNITS, 1.0, first, notes=note)
    return Simulation(
        vibration, process, counts, asset, made.onset_ns, made.fault.fault, made.channel, made.truth(asset)
    )


def simulate_windows(
    seed: int,
    fault: str = HEALTHY,
    *,
    window: int = 1024,
    hop: int = 6400,
    first: int = 0,
    duration_s: float = 1800.0,
    onset_s: float = 900.0,
    growth_s: float | None = None,
    channel: str | None = None,
) -> VibrationWindows:
    """The windows that begin at samples `first`, `first + hop`, ... of what `simulate` would give, to the bit.

    Only the blocks that hold them are made: a fraction of the work when `hop` is several windows.
    """
    if window < 1 or hop < 1 or first < 0:
        raise UsageError(f"window {window} and hop {hop} must be at least 1 and first {first} at least 0; correct them")
    made = _Made(seed, fault, duration_s, onset_s, growth_s, channel)
    starts = np.arange(first, made.samples - window + 1, hop)
    counts = np.empty((len(starts), window, 3), dtype=np.int16)
    wanted = np.unique(np.concatenate([np.arange(s // BLOCK, (s + window - 1) // BLOCK + 1) for s in starts.tolist()] or
                                      [np.zeros(0, np.int64)]))  # fmt: skip
    cache = dict(zip(wanted.tolist(), (row for part in _portions(wanted) for row in made.counts(part)), strict=True))
    for place, start in enumerate(starts.tolist()):
        blocks = range(start // BLOCK, (start + window - 1) // BLOCK + 1)
        whole = np.concatenate([cache[block] for block in blocks])
        counts[place] = whole[start % BLOCK : start % BLOCK + window]
    ends = evenly(made.samples, SAMPLE_RATE_HZ, START_NS)[starts + window - 1]
    return VibrationWindows(counts, ends, made.onset_ns)


class _Made:
    """One machine with its schedule and fault, from which blocks of counts can be taken in any order."""

    def __init__(
        self, seed: int, fault: str, duration_s: float, onset_s: float, growth_s: float | None, channel: str | None
    ) -> None:
        fault = HEALTHY if fault == "none" else fault
        if fault not in (*FAULTS, HEALTHY):
            raise UsageError(f"there is no fault {fault!r}; choose one of {', '.join((HEALTHY, *FAULTS))}")
        if seed < 0:
            raise UsageError(f"seed must not be negative, it is {seed}; give another one")
        if not 1 <= duration_s <= _LONGEST_S:
            raise UsageError(f"a simulation lasts 1 to {_LONGEST_S} seconds, not {duration_s:g}; correct the duration")
        if fault != HEALTHY and not 0 < onset_s < duration_s:
            raise UsageError(f"the onset must lie within the {duration_s:g} seconds, not at {onset_s:g}; correct it")
        if growth_s is not None and not 0 < growth_s < math.inf:
            raise UsageError(f"a fault grows for more than 0 seconds, not {growth_s:g}; correct the growth")
        if channel is not None and channel not in (*AXES, TEMPERATURE):
            raise UsageError(f"there is no channel {channel!r} to be stuck; choose {', '.join((*AXES, TEMPERATURE))}")
        self.seed = seed
        self.onset_s = onset_s
        self.growth_s = growth_s if growth_s is not None else max(duration_s - onset_s, 1.0)
        self.samples = int(duration_s) * SAMPLE_RATE_HZ
        self.blocks = -(-self.samples // BLOCK)
        self.machine = draw_machine(seed)
        self.operation = draw_operation(seed, self.machine, self.blocks)
        self.healthy = HealthyVibration(seed, self.machine, self.operation)
        self.fault = Fault(seed, fault, self.machine, self.operation, onset_s, self.growth_s, channel or "")
        self.onset_ns = None if fault == HEALTHY else START_NS + round(onset_s * 1e9)
        self.channel = ""
        self._stuck_at: NDArray[np.int16] | None = None
        if fault == "sensor_stuck":
            self.channel = channel or AXES[self.fault.axis]
            if self.channel in AXES:
                last = self.fault.first_sample - 1
                counts = quantized(self.healthy.acceleration(np.array([last // BLOCK])))
                self._stuck_at = counts[0, :, last % BLOCK]
        elif fault == "sensor_detached":
            self.channel = "acceleration"

    def counts(self, blocks: NDArray[np.int64]) -> NDArray[np.int16]:
        """Counts of shape (blocks, BLOCK, 3)."""
        signal = self.healthy.acceleration(blocks)
        touched = [place for place, block in enumerate(blocks.tolist()) if self.fault.touches(block)]
        detached = self.fault.fault == "sensor_detached"
        tones = self.healthy.tones(blocks) if touched and detached else np.zeros_like(signal)
        for place in touched:
            self.fault.apply(int(blocks[place]), signal[place], tones[place])
        counts = quantized(signal).transpose(0, 2, 1)
        if self._stuck_at is not None:
            axis = self.fault.axis
            sample = blocks[:, None] * BLOCK + np.arange(BLOCK)
            counts[..., axis][sample >= self.fault.first_sample] = self._stuck_at[axis]
        return counts

    def truth(self, asset: str) -> dict[str, object]:
        machine, fault = self.machine, self.fault.fault
        onset = None if self.onset_ns is None else self.onset_s
        if fault == HEALTHY:
            sentence = "Healthy to the end."
        else:
            where = f" of {self.channel}" if self.channel else ""
            sentence = f"{fault.replace('_', ' ').capitalize()}{where} from {self.onset_s:g} s on."
        ratio = {"outer_race": machine.bearing.outer_race, "inner_race": machine.bearing.inner_race}.get(fault)
        return {
            "asset": asset,
            "seed": self.seed,
            "fault": fault,
            "fault_channel": self.channel,
            "start_ns": START_NS,
            "onset_ns": self.onset_ns,
            "onset_s": onset,
            "growth_s": None if onset is None or fault not in FAULTS[:4] else self.growth_s,
            "description": sentence,
            "fault_frequency_per_shaft_turn": ratio if fault in BEARING_FAULTS else None,
            "rated_speed_hz": machine.rated_speed_hz,
            "speeds_hz": list(machine.speeds_hz),
            "loads": list(machine.loads),
            "vanes": machine.vanes,
            "bearing_ratios": {
                "outer_race": machine.bearing.outer_race,
                "inner_race": machine.bearing.inner_race,
                "ball_spin": machine.bearing.ball_spin,
                "cage": machine.bearing.cage,
            },
            "resonance_hz": machine.ring_hz,
        }


def _portions(blocks: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [blocks[at : at + _AT_ONCE] for at in range(0, len(blocks), _AT_ONCE)]

"""Faults of every kind and strength through the deployed detector and alarm, and which channel they name."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.alarms.asset_alarm import AssetAlarms
from gateway.detectors.device import DeviceDetector
from shared.identity import SLOW, Channel, DeviceProfile
from shared.messages.codec import Birth
from tocsin.evaluation.faithfulness_faults import FAULTS, amplitudes_of, with_fault
from tocsin.evaluation.faithfulness_plants import Plant

#: Rows that a fault lasts, stretches that it is put into, channels that it is put into (spread evenly).
DURATION_ROWS, STRETCHES, CHANNELS = 120, 4, 6
#: Without an alarm a fault counts as detected when at least this share of its rows is flagged.
FLAGGED_SHARE = 0.1
_FIRST_ROWS = 30
_DEVICE = "device-1"


@dataclass(slots=True)
class Cell:
    """One fault at one amplitude in one plant: how many runs, and in how many it was ...

    `alarmed`; `detected` (or flagged); detected and the injected channel named first (`named`), in the alarm as it was
    told last; and the same as the alarm began (`named_at_begin`). Of all rows of detected runs that are flagged or in
    alarm (`rows`) the injected channel is the stored top channel in `top_rows`. `since_rows`: the rows from the
    injection to the told change, alarm by alarm.
    """

    plant: str
    fault: str
    amplitude: int
    runs: int = 0
    alarmed: int = 0
    detected: int = 0
    named: int = 0
    named_at_begin: int = 0
    rows: int = 0
    top_rows: int = 0
    since_rows: list[int] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """The cell as JSON has it."""
        return asdict(self)


class Injected:
    """A plant with its detector, commissioned once and judged up to each stretch."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        values, healthy = plant.values, plant.values[: plant.healthy_rows]
        self.mean, self.deviation = np.nanmean(healthy, axis=0), np.nanstd(healthy, axis=0)
        self.times_ns = np.arange(len(values), dtype=np.int64) * round(plant.step_seconds * 1e9) + 10**18
        self._stretch = np.zeros(len(values), np.int64)
        profile = DeviceProfile(
            _DEVICE,
            "plant/line/asset",
            SLOW,
            1.0 / plant.step_seconds,
            tuple(Channel(f"channel-{number}", "", 0.0, 1.0) for number in range(values.shape[1])),
        )
        detector = DeviceDetector.commission(
            Birth(profile, 1, 0, (), 1, 1),
            self.times_ns[: plant.healthy_rows],
            self._stretch[: plant.healthy_rows],
            healthy,
        )
        moving = np.flatnonzero(self.deviation > 1e-9 * np.abs(self.mean) + 1e-12)
        self.channels = moving[np.linspace(0, len(moving) - 1, min(CHANNELS, len(moving))).astype(np.int64)].tolist()
        self.stretches: list[tuple[int, bytes]] = []
        #: Stretches in which an alarm stood or began without any fault: nothing is put into them.
        self.left_out = 0
        position = plant.healthy_rows
        last = len(values) - DURATION_ROWS
        for begin in np.linspace(position + _FIRST_ROWS, last, STRETCHES).astype(np.int64).tolist():
            self._judge(detector, position, values[position:begin])
            position, state = begin, detector.state()
            told, _, _, _ = self._run(state, begin, values[begin : begin + DURATION_ROWS])
            if told:
                self.left_out += 1
            else:
                self.stretches.append((begin, state))

    def cells(self, fault: str, seed: int) -> Iterator[Cell]:
        """The cells of one fault, one per amplitude."""
        for amplitude in amplitudes_of(fault):
            cell = Cell(self.plant.name, fault, amplitude)
            for begin, state in self.stretches:
                for channel in self.channels:
                    random = np.random.default_rng([seed, list(FAULTS).index(fault), amplitude, begin, channel])
                    self._one(cell, begin, state, channel, random)
            yield cell

    def _one(self, cell: Cell, begin: int, state: bytes, channel: int, random: np.random.Generator) -> None:
        rows = self.plant.values[begin : begin + DURATION_ROWS].copy()
        last = float(self.plant.values[begin - 1, channel])
        mean, deviation = float(self.mean[channel]), float(self.deviation[channel])
        rows[:, channel] = with_fault(rows[:, channel], cell.fault, cell.amplitude, mean, deviation, last, random)
        told, flagged, strangest, tops = self._run(state, begin, rows)
        name = f"channel-{channel}"
        cell.runs += 1
        cell.alarmed += bool(told)
        cell.detected += bool(told) or flagged
        if told or flagged:
            cell.rows += len(tops)
            cell.top_rows += int((tops == channel).sum())
        if told:
            cell.named += told[-1][0] == name
            cell.named_at_begin += told[0][0] == name
            if told[0][1] is not None:
                step_ns = int(self.times_ns[1] - self.times_ns[0])
                cell.since_rows.append((told[0][1] - int(self.times_ns[begin])) // step_ns)
        elif flagged:
            cell.named += strangest == name
            cell.named_at_begin += strangest == name

    def _run(
        self, state: bytes, begin: int, rows: NDArray[np.float64]
    ) -> tuple[list[tuple[str, int | None]], bool, str, NDArray[np.int64]]:
        """First channel and begin of the change of each telling of an alarm; whether many rows are flagged, and the
        first channel of the strangest; the top channel of each row that is flagged or in alarm."""
        detector = DeviceDetector.from_state(state)
        judgement = self._judge(detector, begin, rows)
        times_ns = self.times_ns[begin : begin + len(rows)]
        told = [
            (alarm.reasons[0].channel if alarm.reasons else "", alarm.since_ns)
            for alarm in AssetAlarms("plant").update(
                _DEVICE, times_ns, judgement, lambda index: detector.explain(judgement, index), detector.provisional
            )
        ]
        flagged = bool((judgement.scores >= 1.0).mean() >= FLAGGED_SHARE)
        tops = judgement.top_channel[judgement.alarm | (judgement.scores >= 1.0)]
        if told or not flagged:
            return told, flagged, "", tops
        strangest = detector.explain(judgement, int(np.nanargmax(judgement.scores))).reasons[0].channel
        return told, flagged, strangest, tops

    def _judge(self, detector: DeviceDetector, begin: int, rows: NDArray[np.float64]) -> Any:
        part = slice(begin, begin + len(rows))
        return detector.process(self.times_ns[part], self._stretch[part], rows)

"""Each detector by itself, in the place of the recipe's distances: the recipe's features in, its calibration behind.

What differs between two rows of a table is then the detector alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.host.sensor import birth_of
from gateway.alarms.evidence import DEFAULT_FALSE_ALARMS_PER_DAY, Evidence
from gateway.detectors.calibration import ASSURED_READINGS, out_of_block
from gateway.detectors.detector import Detector, Floats
from gateway.detectors.device import GATE_QUANTILE, MINIMUM_HEALTHY_READINGS, SEGMENT_READINGS
from gateway.detectors.level import FIT_ROWS
from gateway.detectors.order import canonical_order
from gateway.detectors.recipe import healthy_scale, warm_up
from gateway.detectors.registry import DETECTORS
from gateway.detectors.row_features import Found, RowFeatures
from gateway.detectors.tightening import Tightening
from gateway.detectors.window_features import WindowFeatures
from gateway.judgement import values_of
from shared.errors import UsageError
from shared.identity import SLOW
from shared.recordings import Recording
from tocsin.evaluation.candidates.deployed import by_row
from tocsin.evaluation.device_arrays import data_of
from tocsin.evaluation.trial import Scores
from tocsin.provisioning import Provisioned, provision, reading_rows
from tocsin.score import ASSET, DEVICE, Verdicts

_LEAST_SCORE, _LEAST_SPREAD = 1e-9, 1e-3


@dataclass(frozen=True, eq=False)
class _Readings:
    """Readings of a device in their order: values (n, columns), `starts` of stretches, and `ages` within them."""

    times_ns: NDArray[np.int64]
    values: Floats
    starts: NDArray[np.bool_]
    ages: NDArray[np.int64]

    def part(self, rows: slice) -> "_Readings":
        return _Readings(self.times_ns[rows], self.values[rows], self.starts[rows], self.ages[rows])


@dataclass(frozen=True)
class Single:
    """A detector of `gateway/detectors/registry.py`, fitted on the healthy part; later it learns healthy readings.

    It is given the first block of running features. Its scores are brought to the scale that the calibration is meant
    in: their logarithm, 0 in the middle of the healthy ones and 1 at their highest twentieth.
    """

    name: str
    tier: str = "gateway"
    deployed: bool = False
    false_alarms_per_day: float = DEFAULT_FALSE_ALARMS_PER_DAY

    def judge(
        self, recording: Recording, healthy_rows: int, recalibration: tuple[int, int] | None, seed: int
    ) -> Scores:
        """Scores of every row; no channel is named."""
        provisioned = provision(recording, DEVICE, ASSET, healthy_rows, seed=seed, model=False)
        verdicts, provisional = _Run(provisioned, DETECTORS[self.name], self.false_alarms_per_day, seed).verdicts()
        return by_row(verdicts, recording.rows, provisional)


class _Run:
    """One detector on one recording."""

    def __init__(self, provisioned: Provisioned, made: type[Detector], false_alarms_per_day: float, seed: int) -> None:
        content, source = provisioned.content, provisioned.source
        healthy = provisioned.healthy_readings
        if healthy < MINIMUM_HEALTHY_READINGS:
            raise UsageError(
                f"the healthy part gives {healthy} readings, and a detector needs {MINIMUM_HEALTHY_READINGS}; "
                "declare a longer healthy part"
            )
        self._kind = birth_of(provisioned.profile, 1, content).profile.kind
        self._rows = reading_rows(content, source.times_ns, np.array(sorted(source.clip_starts), np.int64))
        readings, stretches = _readings(provisioned)
        self._scores = np.full(len(self._rows), np.nan)
        self._alarm = np.zeros(len(self._rows), np.bool_)
        self._warm_up = warm_up(self._kind, stretches[:healthy])
        self._commission(readings, healthy, made, false_alarms_per_day, seed)
        for begin in range(healthy, len(self._rows), SEGMENT_READINGS):
            self._segment(slice(begin, begin + SEGMENT_READINGS), readings)

    def _commission(
        self, readings: _Readings, healthy: int, made: type[Detector], false_alarms_per_day: float, seed: int
    ) -> None:
        part = readings.part(slice(healthy))
        mean, scale = healthy_scale(self._kind, part.values)
        self._order = canonical_order((part.values - mean) / scale, mean, scale)
        ordered = np.ascontiguousarray(part.values[:, self._order])
        kind = RowFeatures if self._kind == SLOW else WindowFeatures
        self._features: RowFeatures | WindowFeatures
        self._features, found = kind.fit(part.times_ns, part.starts, ordered, (mean[self._order], scale[self._order]))
        judged = self._judged(part)
        rows = found.blocks[0][judged]
        if len(rows) < MINIMUM_HEALTHY_READINGS:
            raise UsageError(
                f"only {len(rows)} of {healthy} healthy readings have values and enough before them, at least "
                f"{MINIMUM_HEALTHY_READINGS} are needed; declare a longer healthy part"
            )
        step = -(-len(rows) // FIT_ROWS)
        thinned = rows[::step]
        self._detector = made.fit(thinned, seed)
        outside = _logarithms(out_of_block(thinned, lambda others: made.fit(others, seed).score_many))
        self._middle = float(np.median(outside))
        self._spread = max(float(np.quantile(outside, 0.95)) - self._middle, _LEAST_SPREAD)
        # Readings that were left out of the fit take the level of the one before them that was not.
        levels = np.repeat((outside - self._middle) / self._spread, step)[: len(rows)]
        self._threshold = Tightening(levels)
        self._scores[:healthy][judged] = self._of(levels)
        self._gate = min(float(np.nanquantile(self._scores[:healthy], GATE_QUANTILE)), 1.0)
        self._evidence = Evidence.calibrate(part.times_ns, self._scores[:healthy], false_alarms_per_day)

    def _judged(self, readings: _Readings) -> NDArray[np.bool_]:
        """Readings that are old enough, and have a value."""
        return np.asarray((readings.ages > self._warm_up) & np.isfinite(readings.values).any(axis=1))

    def _of(self, levels: Floats) -> Floats:
        return np.asarray(np.exp(0.5 * (levels - self._threshold.threshold)))

    def _segment(self, rows: slice, readings: _Readings) -> None:
        """Judge readings of one segment, then learn those that are healthy."""
        part, frozen = readings.part(rows), self._evidence.alarm
        ordered = part.values[:, self._order]
        found: Found = self._features.run(part.times_ns, part.starts, ordered, learn=not frozen)
        levels = (_logarithms(self._detector.score_many(found.blocks[0])) - self._middle) / self._spread
        scores = np.where(self._judged(part), self._of(levels), np.nan)
        self._scores[rows] = scores
        self._alarm[rows] = [
            self._evidence.step(time_ns, score)
            for time_ns, score in zip(part.times_ns.tolist(), scores.tolist(), strict=True)
        ]
        healthy = (scores < self._gate) & ~self._alarm[rows] & (not frozen)
        self._detector.learn_many(found.blocks[0][healthy])
        fell = self._threshold.take(levels[healthy])
        if fell > 0.0:
            self._evidence.shift(0.5 * fell)
            self._gate = min(self._gate * float(np.exp(0.5 * fell)), 1.0)

    def verdicts(self) -> tuple[Verdicts, bool]:
        """What is said of each reading, and whether it is provisional."""
        none = np.full(len(self._rows), -1)
        found = Verdicts(self._rows, self._scores, self._scores >= 1.0, self._alarm, none)
        return found, self._threshold.effective < ASSURED_READINGS


def _logarithms(scores: Floats) -> Floats:
    return np.log(np.maximum(scores, _LEAST_SCORE))


def _readings(provisioned: Provisioned) -> tuple[_Readings, NDArray[np.int64]]:
    """All readings that the device makes of its recording, and their stretches."""
    messages = list(data_of(provisioned))
    stretches = np.concatenate([np.full(len(message), message.stretch, np.int64) for message in messages])
    starts = np.concatenate(([True], stretches[1:] != stretches[:-1]))
    index = np.arange(len(stretches))
    ages = index - np.maximum.accumulate(np.where(starts, index, 0)) + 1
    times = np.concatenate([message.times_ns for message in messages])
    values = np.concatenate([values_of(provisioned.profile, message) for message in messages])
    return _Readings(times, values, starts, ages), stretches


SINGLES: tuple[Single, ...] = tuple(Single(name) for name in DETECTORS)

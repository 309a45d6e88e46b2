"""From the values of a slow device to what its distances judge: what is usual taken out, running features made.

    value -> healthy deviations -> less its season -> less its slow drift -> unit deviation
          -> short mean, long mean, log deviation | log deviation of what the other channels do not explain | log step

A channel that drifted while it was healthy is judged against its own slow mean, one that stood still is not: there a
ramp over days stays a ramp. The slow mean stands still while the device is in alarm, and goes no further from the
healthy mean than `DRIFT_REACH`: a fault that grows more slowly than the slow mean follows is not learned away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.precision import invert, moments, product, products
from gateway.detectors.running_means import RunningMeans
from gateway.detectors.season import Season
from gateway.detectors.stacking import stacked

Floats = NDArray[np.float64]

SHORT_ROWS, LONG_ROWS = 3, 15
#: Values further than this from the healthy mean (in healthy deviations) count as this far: one absurd reading would
#: else stay in the running means for hundreds of rows.
VALUE_LIMIT = 30.0
#: Added to a running deviation before its logarithm, so that a channel at rest is not infinitely quiet.
DEVIATION_OFFSET = 0.05
#: A channel drifts if the steps between the means of its healthy quarters exceed its deviation within them so often.
DRIFT_RATIO = 1.0
#: Rows that the slow mean of a drifting channel remembers.
DRIFT_ROWS = 600
#: How far from the healthy mean a slow mean may go, in healthy deviations: means of the healthy part hardly go beyond
#: 2. On SKAB (whose rig warms up), SMD and NAB this one changed no figure, one of 3 the fourth digit on SKAB.
DRIFT_REACH = 4.0
#: Least deviation of a channel after all of this, in healthy deviations.
_UNIT_FLOOR = 0.05
#: Added to the covariance that residuals come from, and the least deviation of a residual.
_RESIDUAL_RIDGE, _RESIDUAL_FLOOR = 0.1, 0.01
_QUARTERS = 4
#: A channel whose mean moved by so many healthy deviations, or by twice as many for good, stands outside of its states.
FAR_SHIFT = 5.0
#: Kinds of running features that reasons are told by, in the order of the first block.
KINDS = ("short mean", "long mean", "deviation")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Features of m readings: `blocks`, each (m, d), are judged by whitened distances; `states` (m, 4 k) by
    prototypes; `usual` (m, k) is what was taken out of each channel, in healthy deviations. Of D devices: (D, m, ...).
    """

    blocks: tuple[Floats, ...]
    states: Floats
    usual: Floats

    def part(self, rows: NDArray[Any] | slice | int) -> "Found":
        """The features of some of the readings, or of one of the devices."""
        return Found(tuple(block[rows] for block in self.blocks), self.states[rows], self.usual[rows])


class RowFeatures:
    """The features of a slow device with k channels. Made by `fit` or `from_fields`; readings come in their order.

    Attributes
    ----------
    mean, scale
        Healthy mean and deviation of each channel, physical, float64 (k,).
    unit
        Healthy deviation of each channel after season and drift, in healthy deviations.
    learns
        Whether what `learn` allows changes anything.
    """

    kinds = KINDS
    #: Rows that the running means remember: fewer rows than this tell less than one independent reading.
    memory_rows = LONG_ROWS

    def __init__(self, mean: Floats, scale: Floats, season: Season, drifting: NDArray[np.bool_]) -> None:
        channels = len(mean)
        self.mean, self.scale = mean, scale
        self.unit = np.ones(channels)
        self._season, self._drifting = season, drifting
        self.learns = bool(drifting.any())
        self._slow = RunningMeans(np.full(channels, float(DRIFT_ROWS)))
        spans = np.repeat([SHORT_ROWS, *[LONG_ROWS] * 5], channels).astype(np.float64)
        self._running = RunningMeans(spans)
        self._residual_centre, self._residuals = np.zeros(channels), np.eye(channels)
        self._usual_variance = np.zeros((2, channels))
        self._last = np.zeros(channels)

    @classmethod
    def fit(
        cls,
        times_ns: NDArray[np.int64],
        starts: NDArray[np.bool_],
        values: Floats,
        scaling: tuple[Floats, Floats],
    ) -> tuple[Self, Found]:
        """Features made for healthy values (n, k), and those of these values; `starts` (n,): a stretch begins."""
        mean, scale = scaling
        channels = len(mean)
        limited = np.minimum(np.maximum((values - mean) / scale, -VALUE_LIMIT), VALUE_LIMIT)
        none = np.zeros(len(values), np.bool_)
        complete = _held(limited, none, np.zeros(channels))
        season = Season.fit(times_ns, complete)
        steady = complete - season.expected(times_ns)
        found = cls(mean, scale, season, _drifts(steady))
        slow, _ = found._slow.run(steady, none)
        steady = np.where(found._drifting, steady - slow, steady)
        found.unit = np.maximum(steady.std(axis=0), _UNIT_FLOOR)
        clean = np.minimum(np.maximum(steady / found.unit, -VALUE_LIMIT), VALUE_LIMIT)
        found._fit_residuals(clean)
        # Twice from the beginning: the usual variances come from a run without them.
        means, _ = found._means(np.where(np.isnan(limited), np.nan, clean), starts)
        settled = slice(len(values) // 20, None)
        for block, columns in enumerate((1, 3)):
            average = means[:, columns * channels : (columns + 1) * channels]
            squares = means[:, (columns + 1) * channels : (columns + 2) * channels]
            deviations = np.sqrt(np.maximum(squares - average * average, 0.0))
            found._usual_variance[block] = np.median(deviations[settled], axis=0) ** 2
        found._slow = RunningMeans(1.0 / found._slow.gains)
        found._running = RunningMeans(1.0 / found._running.gains)
        found._last = np.zeros(channels)
        return found, found.run(times_ns, starts, values, learn=True)

    def _fit_residuals(self, clean: Floats) -> None:
        """What of each channel the others do not explain, by the inverse of their covariance."""
        self._residual_centre = clean.mean(axis=0)
        about = np.ascontiguousarray(clean - self._residual_centre)
        covariance = moments(about) / max(len(clean) - 1, 1)
        covariance[np.diag_indices_from(covariance)] += _RESIDUAL_RIDGE
        precision = invert(covariance)
        matrix = precision / np.sqrt(np.diag(precision))
        residuals = matrix / np.maximum(product(about, matrix).std(axis=0), _RESIDUAL_FLOOR)
        # In the precision of the stored ones, so that restored features are the same.
        self._residuals = residuals.astype(np.float32).astype(np.float64)

    def recentre(self, times_ns: NDArray[np.int64], values: Floats, several: float) -> Floats:
        """Measure from the mean of these values (n, k) of a new session, and begin anew; what that adds to old states
        (4 k,).

        `several`, 0 to 1: the machine has several states. The mean of a stretch in one of them is then no new centre,
        unless it lies far outside of all that was known.
        """
        shift = session_shift((values - self.mean) / self.scale - self._season.expected(times_ns))
        far = np.minimum(np.maximum(np.abs(shift) / FAR_SHIFT - 1.0, 0.0), 1.0)
        shift = shift * np.maximum(1.0 - several, far)
        self.mean = self.mean + self.scale * shift
        self._slow = RunningMeans(1.0 / self._slow.gains)
        self._running = RunningMeans(1.0 / self._running.gains)
        self._last = np.zeros(len(shift))
        # Old states of a drifting channel were measured from its slow mean, wherever that stood.
        moved = np.where(self._drifting, 0.0, -shift / self.unit)
        return np.concatenate((moved, moved, np.zeros(2 * len(shift))))

    def run(self, times_ns: NDArray[np.int64], starts: NDArray[np.bool_], values: Floats, *, learn: bool) -> Found:
        """Features of m readings that follow the earlier ones; `learn`: the slow means move with them."""
        return self.run_together([self], times_ns[None], starts[None], values[None], [learn]).part(0)

    @classmethod
    def run_together(
        cls,
        devices: Sequence[Self],
        times_ns: NDArray[np.int64],
        starts: NDArray[np.bool_],
        values: Floats,
        learn: Sequence[bool],
    ) -> Found:
        """`run` of D devices with k channels each: times and starts (D, m), values (D, m, k)."""
        mean, scale, unit = (
            stacked([getattr(device, name) for device in devices])[:, None] for name in ("mean", "scale", "unit")
        )
        limited = np.minimum(np.maximum((values - mean) / scale, -VALUE_LIMIT), VALUE_LIMIT)
        usual = Season.expected_together([device._season for device in devices], times_ns)
        for number, device in enumerate(devices):
            if device.learns:
                slow = device._slow_means(limited[number] - usual[number], learn[number])
                usual[number] += np.where(device._drifting, slow, 0.0)
        clean = np.minimum(np.maximum((limited - usual) / unit, -VALUE_LIMIT), VALUE_LIMIT)
        means, weights = cls._means_together(devices, clean, starts)
        channels = values.shape[2]
        short, long, squares, rest, rest_squares, steps = (
            means[..., column * channels : (column + 1) * channels] for column in range(6)
        )
        young = 1.0 - weights[..., channels : 2 * channels]
        assumed = stacked([device._usual_variance for device in devices])
        deviation = _log_deviation(squares - long * long, young * assumed[:, None, 0])
        residual = _log_deviation(rest_squares - rest * rest, young * assumed[:, None, 1])
        step = np.log(np.sqrt(np.maximum(steps, 0.0)) + DEVIATION_OFFSET)
        return Found(
            (np.concatenate((short, long, deviation), axis=2), np.concatenate((short, long, residual), axis=2)),
            np.concatenate((np.where(np.isnan(clean), short, clean), long, deviation, step), axis=2),
            usual,
        )

    def _slow_means(self, steady: Floats, learn: bool) -> Floats:
        """The slow mean that each of these rows is judged against, (m, k) or (k,)."""
        if learn:
            slow, _ = self._slow.run(steady, np.zeros(len(steady), np.bool_))
        else:
            slow = self._slow.means / np.maximum(self._slow.weights, 1e-300)
        return np.minimum(np.maximum(slow, -DRIFT_REACH), DRIFT_REACH)

    def _means(self, clean: Floats, starts: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        means, weights = self._means_together([self], clean[None], starts[None])
        return means[0], weights[0]

    @staticmethod
    def _means_together(
        devices: Sequence["RowFeatures"], clean: Floats, starts: NDArray[np.bool_]
    ) -> tuple[Floats, Floats]:
        """Running means of all columns: the values twice, their squares, residuals, their squares, squared steps."""
        missing = np.isnan(clean)
        gaps = bool(missing.any())
        held = clean
        if gaps:
            held = np.stack([_held(clean[n], starts[n], device._last) for n, device in enumerate(devices)])
        last = stacked([device._last for device in devices])[:, None]
        before = np.concatenate((last, held[:, :-1]), axis=1)[:, : held.shape[1]]
        before[starts] = held[starts]
        if held.shape[1]:
            for number, device in enumerate(devices):
                device._last = held[number, -1].copy()
        centre = stacked([device._residual_centre for device in devices])[:, None]
        rest = products(held - centre, [device._residuals for device in devices])
        steps = (held - before) ** 2
        if gaps:
            rest, steps = np.where(missing, np.nan, rest), np.where(missing, np.nan, steps)
        columns = np.concatenate((clean, clean, clean * clean, rest, rest * rest, steps), axis=2)
        return RunningMeans.run_together([device._running for device in devices], columns, starts)

    def fields(self) -> dict[str, Any]:
        """Everything that later features depend on."""
        own = {
            "channel mean": self.mean,
            "channel scale": self.scale,
            "drifting": self._drifting.astype(np.float64),
            "unit": self.unit,
            "slow means": self._slow.means,
            "slow weights": self._slow.weights,
            "residual centre": self._residual_centre,
            "residuals": self._residuals.astype(np.float32),
            "usual variance": self._usual_variance,
            "last": self._last,
        }
        return own | self._season.fields() | self._running.fields()

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The features whose `fields` these are; KeyError or ValueError when they do not fit together."""
        restored = cls(
            fields["channel mean"], fields["channel scale"], Season.from_fields(fields), fields["drifting"] > 0.0
        )
        channels = len(restored.mean)
        restored.unit = fields["unit"]
        restored._slow.means, restored._slow.weights = fields["slow means"].copy(), fields["slow weights"].copy()
        restored._residual_centre = fields["residual centre"]
        restored._residuals = fields["residuals"].astype(np.float32).astype(np.float64)
        restored._usual_variance, restored._last = fields["usual variance"], fields["last"]
        restored._running = RunningMeans.from_fields(fields, 1.0 / restored._running.gains)
        arrays = (restored.scale, restored.unit, restored._slow.means, restored._slow.weights, restored._last)
        if any(array.shape != (channels,) for array in arrays) or restored._residuals.shape != (channels, channels):
            raise ValueError("the features' arrays differ in size")
        return restored


def _log_deviation(variance: Floats, assumed: Floats) -> Floats:
    return np.asarray(np.log(np.sqrt(np.maximum(variance, 0.0) + assumed) + DEVIATION_OFFSET))


def session_shift(deviations: Floats) -> Floats:
    """Mean of each column (n, k), 0 for one without any value."""
    present = np.isfinite(deviations)
    return np.asarray(np.where(present, deviations, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1))


def _held(values: Floats, starts: NDArray[np.bool_], last: Floats) -> Floats:
    """Missing values take the last one of their stretch, 0 before the first."""
    if not np.isnan(values).any():
        return values
    held = values.copy()
    for index, begins in enumerate(starts.tolist()):
        last = np.where(np.isnan(held[index]), np.zeros_like(last) if begins else last, held[index])
        held[index] = last
    return held


def _drifts(steady: Floats) -> NDArray[np.bool_]:
    """Channels whose healthy quarters differ by more than their rows do within them."""
    if len(steady) < _QUARTERS:
        return np.zeros(steady.shape[1], np.bool_)
    quarters = np.array_split(steady, _QUARTERS)
    means = np.array([quarter.mean(axis=0) for quarter in quarters])
    within = np.sqrt(np.mean([quarter.var(axis=0) for quarter in quarters], axis=0)) + _UNIT_FLOOR
    return np.asarray(np.sqrt((np.diff(means, axis=0) ** 2).mean(axis=0)) / within > DRIFT_RATIO)

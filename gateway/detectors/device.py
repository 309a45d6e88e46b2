"""The recipe that a device is judged by, from its commissioning on: features, level, threshold, evidence."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.alarms.evidence import DEFAULT_FALSE_ALARMS_PER_DAY, Evidence
from gateway.detectors import portable
from gateway.detectors.calibration import ASSURED_READINGS, FLAGGED_ONE_IN
from gateway.detectors.fusion import fuse
from gateway.detectors.judgement import NEVER, Judgement
from gateway.detectors.level import WINDOW_SHARE_LIMIT, Level
from gateway.detectors.novelty import Novelty
from gateway.detectors.order import canonical_order
from gateway.detectors.precision import sums_in_order
from gateway.detectors.readings import Readings
from gateway.detectors.recipe import healthy_scale, warm_up
from gateway.detectors.row_features import Found, RowFeatures
from gateway.detectors.session import MINIMUM_SESSION_READINGS, session_scale
from gateway.detectors.stacking import stacked
from gateway.detectors.tightening import Tightening
from gateway.detectors.window_features import WindowFeatures
from gateway.errors import GatewayError
from gateway.explanation.attribution import block_diagonal
from gateway.explanation.explain import channel_of_columns, explain
from gateway.explanation.explanation import Explanation, Healthy
from gateway.explanation.geometry import Geometry
from gateway.explanation.presence import Presence
from shared.errors import UsageError
from shared.identity import SLOW
from shared.messages.codec import Birth, decode_birth, encode_birth

#: Fewer healthy readings than this do not tell one block from the others.
MINIMUM_HEALTHY_READINGS = 40
#: A reading is learned below this quantile of the out-of-block scores of the healthy readings.
GATE_QUANTILE = 0.99
#: What hangs on the alarm of the device is decided anew every so many readings, counted from the commissioning, so that
#: it does not hang on how readings are grouped into messages.
SEGMENT_READINGS = 16
#: Readings of one device that are judged in one go at most: more gain little, and their arrays leave the caches.
REACH_READINGS = 256
_STATE = "detector"


class DeviceDetector:
    """Judges the readings of one device, in order. Made by `commission` or `from_state`.

    Columns are judged in an order of their own, made of what they hold: the order in which a device names its channels
    changes no bit.

    Attributes
    ----------
    healthy_scores, healthy_fused
        Out-of-block scores of the commissioning readings, float64 (n,), 1.0 = threshold, NaN = none yet. Not part of
        the state: empty after `from_state`.
    healthy_top
        Top channel of each commissioning reading, int64 (n,).
    evidence
        Whether the device is in alarm.
    commissioned_provisionally
        Whether it was `provisional` at its commissioning. Not part of the state either.
    """

    def __init__(
        self,
        birth: Birth,
        order: NDArray[np.int64],
        features: RowFeatures | WindowFeatures,
        level: Level,
        threshold: Tightening,
        evidence: Evidence,
        novelty: Novelty | None = None,
    ) -> None:
        self.birth = birth
        self.evidence = evidence
        self.healthy_scores: NDArray[np.float64] = np.zeros(0)
        self.healthy_fused: NDArray[np.float64] = np.zeros(0)
        self.healthy_top: NDArray[np.int64] = np.zeros(0, np.int64)
        self.gate = 1.0
        self.false_alarms_per_day = DEFAULT_FALSE_ALARMS_PER_DAY
        #: What a score of the sensor is divided by: above 1 where a new session lifts its healthy scores.
        self.sensor_scale = 1.0
        self.commissioned_provisionally = False
        self._order = order
        self._back = np.argsort(order)
        self._features = features
        self._level = level
        self._threshold = threshold
        self._novelty = novelty
        self._presence: Presence | None = None
        #: What novelty measures from: it follows the machine by itself, whatever the features are measured from.
        self._novelty_mean = float(features.mean[0])
        self._warm_up = 0
        self._age = 0
        self._stretch: int | None = None
        self._count = 0
        self._frozen = False
        #: Levels of this segment's healthy readings: the threshold may fall between two segments only.
        self._healthy_levels: list[float] = []
        #: The columns of each channel, in the order in which they are judged, (channels, columns of one).
        owners = channel_of_columns(birth, len(order))[order]
        self._columns_of = np.argsort(owners, kind="stable").reshape(len(birth.profile.channels), -1)

    @property
    def provisional(self) -> bool:
        """There was little healthy data so far: thresholds and limits lean on what was assumed, or on a tail that the
        healthy readings hardly showed."""
        return self._threshold.effective < ASSURED_READINGS or self._threshold.readings < FLAGGED_ONE_IN

    @property
    def threshold(self) -> float:
        """The level, a natural logarithm, that is a score of 1."""
        return self._threshold.threshold

    @classmethod
    def commission(
        cls,
        birth: Birth,
        times_ns: NDArray[np.int64],
        stretches: NDArray[np.int64],
        values: NDArray[np.float64],
        *,
        sensor_scores: NDArray[np.float64] | None = None,
        false_alarms_per_day: float = DEFAULT_FALSE_ALARMS_PER_DAY,
    ) -> Self:
        """Fit and calibrate on n healthy readings, in their order, and stand ready for the reading after them.

        Parameters
        ----------
        times_ns, stretches
            Time and stretch of each reading, int64 (n,). Equal neighbours in `stretches` belong together, so a
            stretch must be told from one of an earlier boot.
        values
            float64 (n, columns). Slow: a column per channel, physical, NaN where missing. Fast: the features of the
            sensor, channel by channel.
        sensor_scores
            float64 (n,), 1.0 = threshold, NaN = none. They join the evidence, so they too should be out of sample.
        false_alarms_per_day
            Budget that the limit of the alarm is set for.

        Raises
        ------
        UsageError
            Too few healthy readings, or a budget that is not positive.
        """
        device, count, kind = birth.profile.device, len(values), birth.profile.kind
        if count < MINIMUM_HEALTHY_READINGS:
            raise UsageError(
                f"device {device}: {count} healthy readings, at least {MINIMUM_HEALTHY_READINGS} are needed to tell "
                "what is normal; declare a longer healthy part"
            )
        if not false_alarms_per_day > 0.0:
            raise UsageError(f"device {device}: the false-alarm budget must be above 0 per day")
        values = _finite(values)
        warm_up_readings = warm_up(kind, stretches)
        ages = _ages(stretches)
        judged = (ages > warm_up_readings) & np.isfinite(values).any(axis=1)
        if judged.sum() < MINIMUM_HEALTHY_READINGS:
            raise UsageError(
                f"device {device}: only {judged.sum()} of {count} healthy readings have values and enough before "
                f"them, at least {MINIMUM_HEALTHY_READINGS} are needed; declare a longer healthy part"
            )
        mean, scale = healthy_scale(kind, np.ascontiguousarray(values))
        order = canonical_order((values - mean) / scale, mean, scale)
        ordered = np.ascontiguousarray(values[:, order])
        starts = ages == 1
        made = RowFeatures if kind == SLOW else WindowFeatures
        features, found = made.fit(times_ns, starts, ordered, (mean[order], scale[order]))
        level, levels = Level.fit(
            found.part(judged), share_limit=1.0 if kind == SLOW else WINDOW_SHARE_LIMIT, relations=len(order) > 1
        )
        detector = cls(birth, order, features, level, Tightening(levels), Evidence(0.0, 0.0, 1, 1))
        detector.false_alarms_per_day = false_alarms_per_day
        detector.commissioned_provisionally = detector.provisional
        detector._warm_up, detector._age, detector._stretch = warm_up_readings, int(ages[-1]), int(stretches[-1])
        detector.healthy_scores = np.full(count, np.nan)
        detector.healthy_scores[judged] = detector._scores(levels)
        detector.gate = min(float(np.quantile(detector.healthy_scores[judged], GATE_QUANTILE)), 1.0)
        detector.healthy_top = np.zeros(count, np.int64)
        detector.healthy_top[judged] = detector._weights(level.of(found.part(judged))[1]).argmax(axis=1)
        detector.healthy_fused = fuse(
            np.full(count, np.nan) if sensor_scores is None else sensor_scores, detector.healthy_scores
        )
        detector.evidence = Evidence.calibrate(times_ns, detector.healthy_fused, false_alarms_per_day)
        if kind == SLOW and len(order) == 1:
            detector._novelty = Novelty.fit(
                times_ns,
                (values[:, 0] - mean[0]) / scale[0],
                false_alarms_per_day=false_alarms_per_day,
                interval_ns=detector.evidence.interval_ns,
                hold_readings=detector.evidence.span_readings,
            )
        if kind == SLOW:
            detector._presence = Presence.fit(ordered, span=detector.evidence.span_readings)
        return detector

    def recalibrate(
        self,
        rows: NDArray[np.float64],
        times_ns: NDArray[np.int64],
        *,
        stretches: NDArray[np.int64] | None = None,
        sensor_scores: NDArray[np.float64] | None = None,
    ) -> None:
        """Take n readings as normal from now on: a short healthy stretch of a new session of the same machine.

        Centre, covariance, threshold, gate, limit of the alarm and the sensor's scale come from the stretch and from
        what was known before; a standing alarm ends. `healthy_scores`, `healthy_fused` and `healthy_top` are then those
        of the stretch. The next reading may follow the stretch, or begin another. Nothing changes if this fails.

        Parameters
        ----------
        rows, times_ns, stretches, sensor_scores
            As `values`, `times_ns`, `stretches` and `sensor_scores` of `commission`; one stretch if none are told.

        Raises
        ------
        UsageError
            Too few of the readings have values, and enough before them.
        """
        count = len(rows)
        ages = _ages(np.zeros(count, np.int64) if stretches is None else stretches)
        ordered = np.ascontiguousarray(_finite(rows)[:, self._order])
        judged = (ages > self._warm_up) & np.isfinite(ordered).any(axis=1)
        if judged.sum() < MINIMUM_SESSION_READINGS:
            raise UsageError(
                f"device {self.birth.profile.device}: {judged.sum()} of {count} readings have values and enough before "
                f"them, at least {MINIMUM_SESSION_READINGS} are needed to calibrate anew; tell a longer normal stretch"
            )
        features = type(self._features).from_fields(self._features.fields())
        several = self._level.share if self.birth.profile.kind == SLOW else 0.0
        shift = features.recentre(times_ns, ordered, several)
        found = features.run(times_ns, ages == 1, ordered, learn=True)
        level, levels, effective = self._level.of_session(
            found.part(judged), shift, memory_rows=features.memory_rows, several=several
        )
        self._features, self._level = features, level
        self._threshold = Tightening.of_session(levels, effective, self._threshold)
        self.healthy_scores = np.full(count, np.nan)
        self.healthy_scores[judged] = self._scores(levels)
        self.gate = min(float(np.quantile(self.healthy_scores[judged], GATE_QUANTILE)), 1.0)
        self.healthy_top = np.zeros(count, np.int64)
        self.healthy_top[judged] = self._weights(level.of(found.part(judged))[1]).argmax(axis=1)
        sensor = np.full(count, np.nan) if sensor_scores is None else sensor_scores
        self.sensor_scale = session_scale(sensor, self.sensor_scale)
        self.healthy_fused = fuse(sensor / self.sensor_scale, self.healthy_scores)
        self.evidence = Evidence.calibrate(times_ns, self.healthy_fused, self.false_alarms_per_day)
        self._frozen = False
        self._healthy_levels.clear()

    def _scores(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.exp(0.5 * (levels - self._threshold.threshold)))

    def _weights(self, added: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
        """What each channel adds to the distances of m readings, float64 (m, channels)."""
        return np.asarray(_weights_together([self._columns_of], tuple(parts[None] for parts in added))[0])

    def process(
        self,
        times_ns: NDArray[np.int64],
        stretches: NDArray[np.int64],
        values: NDArray[np.float64],
        sensor_scores: NDArray[np.float64] | None = None,
        learn_allowed: bool = True,
    ) -> Judgement:
        """Judge m readings that follow the earlier ones; then learn from each that is healthy.

        Healthy means: its own score is below the gate, the device was not in alarm, and `learn_allowed`. Learned are
        the slow means of drifting channels and how far the threshold may fall, never what is healthy. The result for a
        reading depends on it and on earlier ones only, to the bit, and not on how readings are grouped into calls.

        Parameters
        ----------
        times_ns, stretches, values, sensor_scores
            As for `commission`.
        """
        sensor = np.full(len(values), np.nan) if sensor_scores is None else sensor_scores
        readings = Readings(times_ns, stretches, values, sensor, learn_allowed)
        judgement, begin = self.unjudged(readings), 0
        while begin < len(readings):
            part = slice(begin, min(len(readings), begin + self.reach))
            self.judge_together([(self, readings.part(part), judgement.part(part))])
            begin = part.stop
        return judgement

    def unjudged(self, readings: Readings) -> Judgement:
        """A judgement of readings, to be filled by `judge_together`."""
        width = self._level.distances[0].features
        return Judgement.empty(len(readings), len(self.birth.profile.channels), width, len(self._order))

    @property
    def reach(self) -> int:
        """Readings that may be judged in one go: features that learn wait for what is decided after each segment."""
        return self._left_of_segment if self._features.learns else REACH_READINGS

    @property
    def _left_of_segment(self) -> int:
        return SEGMENT_READINGS - self._count % SEGMENT_READINGS

    @property
    def shape(self) -> Hashable:
        """Detectors with equal shapes can be asked together."""
        return type(self._features), self._columns_of.shape

    @staticmethod
    def judge_together(work: "Sequence[tuple[DeviceDetector, Readings, Judgement]]") -> None:
        """Judge equally many readings of different devices with equal shapes, at most `reach` of each.

        What is found of a device's readings is written into its judgement of as many: the bits of `process`.
        """
        devices = [device for device, _, _ in work]
        times_ns = stacked([readings.times_ns for _, readings, _ in work])
        rows = stacked([_finite(readings.values)[:, device._order] for device, readings, _ in work])
        starts, ages = _follow(devices, stacked([readings.stretches for _, readings, _ in work]))
        learn = [readings.learn_allowed and not device._frozen for device, readings, _ in work]
        run: Callable[..., Found] = type(devices[0]._features).run_together
        found = run([device._features for device in devices], times_ns, starts, rows, learn)
        warm_up_readings = np.array([[device._warm_up] for device in devices])
        judged = (ages > warm_up_readings) & np.isfinite(rows).any(axis=2)
        levels, added, deviations = Level.of_together([device._level for device in devices], found)
        thresholds = np.array([[device.threshold] for device in devices])
        scores = np.where(judged, np.exp(0.5 * (levels - thresholds)), np.nan)
        sensor = stacked([readings.sensor_scores for _, readings, _ in work])
        fused = fuse(sensor / np.array([[device.sensor_scale] for device in devices]), scores)
        weights = _weights_together([device._columns_of for device in devices], added)
        weights, deviations = np.where(judged[..., None], weights, 0.0), np.where(judged[..., None], deviations, 0.0)
        tops = weights.argmax(axis=2)
        for number, (device, readings, judgement) in enumerate(work):
            judgement.scores[:], judgement.fused[:], judgement.top_channel[:] = (
                scores[number],
                fused[number],
                tops[number],
            )
            judgement.weights[:], judgement.deviations[:] = weights[number], deviations[number]
            judgement.usual[:] = found.usual[number]
            device._settle(judgement, readings, rows[number], found.part(number), levels[number])

    def _settle(
        self,
        judgement: Judgement,
        readings: Readings,
        rows: NDArray[np.float64],
        found: Found,
        levels: NDArray[np.float64],
    ) -> None:
        """From the scores of readings to alarms, and to what is learned of them; `rows` in the order of columns."""
        begin = 0
        while begin < len(readings):
            part = slice(begin, min(len(readings), begin + self._left_of_segment))
            if self._segment(judgement.part(part), readings.part(part), levels[part]) > 0.0:
                later = slice(part.stop, None)
                scores = np.where(np.isnan(judgement.scores[later]), np.nan, self._scores(levels[later]))
                judgement.scores[later] = scores
                judgement.fused[later] = fuse(readings.sensor_scores[later] / self.sensor_scale, scores)
            begin = part.stop
        if judgement.alarm.any():
            judgement.standings[:] = np.where(judgement.alarm[:, None], self._level.standings(found), np.nan)
        if self._novelty is not None:
            deviations = (rows[:, 0] - self._novelty_mean) / self._features.scale[0]
            judgement.novelty[:], events = self._novelty.run(readings.times_ns, deviations)
            judgement.alarm[:] |= events
        if self._presence is not None:
            judgement.lost_since_ns[:] = self._presence.run(readings.times_ns, rows)[:, self._back]
            lost = judgement.lost_since_ns != NEVER
            judgement.alarm[:] |= lost.any(axis=1)
            judgement.top_channel[:] = np.where(lost.any(axis=1), lost.argmax(axis=1), judgement.top_channel)

    def _segment(self, judgement: Judgement, readings: Readings, levels: NDArray[np.float64]) -> float:
        """The evidence of readings of one segment, or of a part of it; by how much the threshold fell after them."""
        evidence, alarms = self.evidence, []
        for index, (time_ns, fused) in enumerate(
            zip(readings.times_ns.tolist(), judgement.fused.tolist(), strict=True)
        ):
            alarms.append(evidence.step(time_ns, fused))
            if evidence.since_ns is not None:
                judgement.since_ns[index] = evidence.since_ns
        judgement.alarm[:] = alarms
        self._count += len(alarms)
        if readings.learn_allowed and not self._frozen:
            told = zip(levels.tolist(), judgement.scores.tolist(), alarms, strict=True)
            self._healthy_levels += [level for level, score, alarm in told if score < self.gate and not alarm]
        if self._count % SEGMENT_READINGS:
            return 0.0
        fell = self._threshold_follows(np.array(self._healthy_levels))
        self._healthy_levels.clear()
        self._frozen = evidence.alarm
        return fell

    def _threshold_follows(self, healthy_levels: NDArray[np.float64]) -> float:
        fell = self._threshold.take(healthy_levels)
        if fell > 0.0:
            # The same level is now a higher score; the limit of the alarm stays where it was measured.
            self.evidence.shift(0.5 * fell)
            self.gate = min(self.gate * math.exp(0.5 * fell), 1.0)
        return fell

    def explain(self, judgement: Judgement, index: int, geometry: Geometry | None = None) -> Explanation:
        """Why reading `index` of a judgement was judged as it was; `geometry`: what a fast device looks at."""
        features, distance, back = self._features, self._level.distances[0], self._back
        every = (np.arange(len(features.kinds))[:, None] * len(back) + back).ravel()
        healthy = Healthy(
            features.kinds,
            (features.mean + features.scale * judgement.usual[index])[back],
            (features.scale * features.unit)[back],
            distance.centre[every],
            distance.scale[every],
            block_diagonal(distance.matrices)[np.ix_(every, every)],
        )
        return explain(self.birth, judgement, index, healthy, every, geometry)

    def state(self) -> bytes:
        """Everything that later judgements depend on, for `from_state`."""
        own: dict[str, Any] = {
            "birth": encode_birth(self.birth),
            "order": self._order.astype(np.float64),
            "gate": self.gate,
            "false alarms per day": self.false_alarms_per_day,
            "sensor scale": self.sensor_scale,
            "warm up": self._warm_up,
            "age": self._age,
            "stretch": self._stretch,
            "count": self._count,
            "frozen": self._frozen,
            "segment levels": np.array(self._healthy_levels, np.float64),
        }
        parts = (self._features, self._level, self._threshold, self.evidence, self._novelty, self._presence)
        for part in parts:
            own |= {} if part is None else part.fields()
        if self._novelty is not None:
            own["novelty mean"] = self._novelty_mean
        return portable.pack(_STATE, own)

    @classmethod
    def from_state(cls, content: bytes) -> Self:
        """The detector whose `state` this is: it continues to the bit.

        Raises
        ------
        GatewayError
            The bytes are no state of a detector of this version.
        """
        fields = portable.unpack(content, _STATE)
        try:
            birth = decode_birth(fields["birth"])
            made = RowFeatures if birth.profile.kind == SLOW else WindowFeatures
            features = made.from_fields(fields)
            order = fields["order"].astype(np.int64)
            if sorted(order.tolist()) != list(range(len(features.mean))):
                raise ValueError("the order of the columns is none")
            detector = cls(
                birth,
                order,
                features,
                Level.from_fields(fields),
                Tightening.from_fields(fields),
                Evidence.from_fields(fields),
                Novelty.from_fields(fields) if "novelty counts" in fields else None,
            )
            if "lost limits" in fields:
                detector._presence = Presence.from_fields(fields)
            detector.gate = fields["gate"]
            # States of the time before sessions could be calibrated anew lack these.
            detector.false_alarms_per_day = float(fields.get("false alarms per day", DEFAULT_FALSE_ALARMS_PER_DAY))
            detector.sensor_scale = float(fields.get("sensor scale", 1.0))
            detector._novelty_mean = float(fields.get("novelty mean", features.mean[0]))
            detector._warm_up = fields["warm up"]
            detector._age = fields["age"]
            detector._stretch = fields["stretch"]
            detector._count = fields["count"]
            detector._frozen = fields["frozen"]
            detector._healthy_levels = fields["segment levels"].tolist()
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise GatewayError(
                f"stored detector: not a state that this version reads ({error}); commission the device anew"
            ) from error
        return detector


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Infinities are missing values too."""
    return np.where(np.isfinite(values), values, np.nan)


def _follow(
    devices: Sequence[DeviceDetector], stretches: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each reading begins a stretch, and its number within it, both (D, m); the devices remember the last."""
    before = np.array([[-1 if device._stretch is None else device._stretch] for device in devices])
    starts = stretches != np.concatenate((before, stretches[:, :-1]), axis=1)
    starts[:, 0] |= np.array([device._stretch is None for device in devices])
    numbers = np.arange(stretches.shape[1])
    begun = np.maximum.accumulate(np.where(starts, numbers, -1), axis=1)
    ages = np.array([[device._age] for device in devices]) + numbers + 1
    ages = np.where(begun >= 0, numbers - begun + 1, ages)
    for device, age, stretch in zip(devices, ages[:, -1].tolist(), stretches[:, -1].tolist(), strict=True):
        device._age, device._stretch = age, stretch
    return starts, ages


def _weights_together(
    columns_of: Sequence[NDArray[np.int64]], added: tuple[NDArray[np.float64], ...]
) -> NDArray[np.float64]:
    """What each channel of D devices adds to the distances, (D, m, channels), from what each feature adds, (D, m, d).

    `columns_of`: the columns of each channel, (channels, columns of one).
    """
    devices, readings = added[0].shape[:2]
    columns = columns_of[0].size
    every = np.concatenate(added, axis=2).reshape(devices, readings, -1, columns)
    by_column = np.add.accumulate(every, axis=2)[:, :, -1]
    weights = np.empty((devices, readings, *columns_of[0].shape))
    for number, own in enumerate(columns_of):
        weights[number] = by_column[number][:, own]
    return sums_in_order(weights)


def _ages(stretches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Readings of its stretch up to and including each reading, int64 (n,)."""
    begins = np.concatenate(([True], stretches[1:] != stretches[:-1]))
    index = np.arange(len(stretches))
    return index - np.maximum.accumulate(np.where(begins, index, 0)) + 1

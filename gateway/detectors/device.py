"""The recipe that a device is judged by, from its commissioning on: features, distance, calibration, gated learning."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.alarms.evidence import DEFAULT_FALSE_ALARMS_PER_DAY, Evidence
from gateway.detectors import portable
from gateway.detectors.calibration import FLAGGED_ONE_IN, out_of_block, tail_quantile
from gateway.detectors.explanation import channel_of_columns, explain
from gateway.detectors.fusion import fuse, fuse_one
from gateway.detectors.judgement import Judgement
from gateway.detectors.mahalanobis import RunningMahalanobis
from gateway.detectors.recipe import RECIPES, healthy_scale, warm_up
from gateway.detectors.running_features import RunningFeatures, run, usual_variance
from gateway.errors import GatewayError
from shared.errors import UsageError
from shared.messages.codec import Birth, Reason, decode_birth, encode_birth

#: Fewer healthy readings than this do not tell one block from the others.
MINIMUM_HEALTHY_READINGS = 48
#: With fewer healthy readings the false-alarm rate is a guess: 400 rows gave 23 to 37 % where 0.1 to 1 % were asked.
ASSURED_HEALTHY_READINGS = 2000
#: One healthy reading in this many is learned: running means hardly change in between, and learning is the dear part.
LEARN_EVERY = 4
#: A reading is learned below this quantile of the out-of-block scores of the healthy readings.
GATE_QUANTILE = 0.99
_STATE = "detector"


class DeviceDetector:
    """Judges the readings of one device, in order. Made by `commission` or `from_state`.

    Attributes
    ----------
    healthy_scores, healthy_fused
        Out-of-block scores of the commissioning readings, float64 (n,), 1.0 = threshold, NaN = none yet. Not part of
        the state: empty after `from_state`.
    healthy_top
        Top channel of each commissioning reading, int64 (n,).
    provisional
        There was little healthy data: thresholds and limits are guesses.
    evidence
        Whether the device is in alarm.
    """

    def __init__(
        self,
        birth: Birth,
        scaling: tuple[NDArray[np.float64], NDArray[np.float64]],
        features: RunningFeatures,
        distance: RunningMahalanobis,
        evidence: Evidence,
    ) -> None:
        self.birth = birth
        self.evidence = evidence
        self.provisional = True
        self.healthy_scores: NDArray[np.float64] = np.zeros(0)
        self.healthy_fused: NDArray[np.float64] = np.zeros(0)
        self.healthy_top: NDArray[np.int64] = np.zeros(0, np.int64)
        self.threshold = 1.0
        self.gate = 1.0
        self._mean, self._scale = scaling
        self._features = features
        self._distance = distance
        self._warm_up = 0
        self._age = 0
        self._stretch: int | None = None
        self._until_learning = LEARN_EVERY
        self._owners = channel_of_columns(birth, len(self._mean))

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
        device, count = birth.profile.device, len(values)
        if count < MINIMUM_HEALTHY_READINGS:
            raise UsageError(
                f"device {device}: {count} healthy readings, at least {MINIMUM_HEALTHY_READINGS} are needed to tell "
                "what is normal; declare a longer healthy part"
            )
        if not false_alarms_per_day > 0.0:
            raise UsageError(f"device {device}: the false-alarm budget must be above 0 per day")
        recipe = RECIPES[birth.profile.kind]
        scaling = healthy_scale(birth.profile.kind, values)
        rows = (values - scaling[0]) / scaling[1]
        variance = usual_variance(rows, stretches, recipe.long_rows) if recipe.deviation else None
        features = RunningFeatures(values.shape[1], recipe.short_rows, recipe.long_rows, variance)
        found = run(features, rows, stretches)
        warm_up_readings = warm_up(birth.profile.kind, stretches)
        ages = _ages(stretches)
        judged = (ages > warm_up_readings) & np.isfinite(values).any(axis=1)
        if judged.sum() < MINIMUM_HEALTHY_READINGS:
            raise UsageError(
                f"device {device}: only {judged.sum()} of {count} healthy readings have values and enough before "
                f"them, at least {MINIMUM_HEALTHY_READINGS} are needed; declare a longer healthy part"
            )
        distance = RunningMahalanobis.fit(found[judged])
        detector = cls(birth, scaling, features, distance, Evidence(0.0, 0.0, 1, 1))
        detector._warm_up, detector._age, detector._stretch = warm_up_readings, int(ages[-1]), int(stretches[-1])
        detector.provisional = int(judged.sum()) < ASSURED_HEALTHY_READINGS
        squares = out_of_block(found[judged], lambda block: RunningMahalanobis.fit(block).score)
        detector._calibrate(squares, found, judged)
        detector.healthy_fused = fuse(
            np.full(count, np.nan) if sensor_scores is None else sensor_scores, detector.healthy_scores
        )
        detector.evidence = Evidence.calibrate(times_ns, detector.healthy_fused, false_alarms_per_day)
        return detector

    def _calibrate(self, squares: NDArray[np.float64], found: NDArray[np.float64], judged: NDArray[np.bool_]) -> None:
        logarithms = np.log(np.maximum(squares, 1e-12))
        self.threshold = math.exp(tail_quantile(logarithms, FLAGGED_ONE_IN))
        self.healthy_scores = np.full(len(found), np.nan)
        self.healthy_scores[judged] = np.sqrt(np.maximum(squares, 0.0) / self.threshold)
        self.gate = min(float(np.quantile(self.healthy_scores[judged], GATE_QUANTILE)), 1.0)
        self.healthy_top = np.zeros(len(found), np.int64)
        for index in np.flatnonzero(judged).tolist():
            standardised = self._distance.standardised(found[index])
            self.healthy_top[index] = int(self._weights(standardised).argmax())

    def _weights(self, standardised: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each channel adds to the distance, float64 (channels,)."""
        columns = self._distance.contributions(standardised).reshape(-1, len(self._mean)).sum(axis=0)
        channels = len(self.birth.profile.channels)
        if channels == len(columns):
            return np.asarray(columns)
        return np.asarray(np.bincount(self._owners, columns, channels), dtype=np.float64)

    def process(
        self,
        times_ns: NDArray[np.int64],
        stretches: NDArray[np.int64],
        values: NDArray[np.float64],
        sensor_scores: NDArray[np.float64] | None = None,
        learn_allowed: bool = True,
    ) -> Judgement:
        """Judge m readings that follow the earlier ones; then learn from each that is healthy.

        Healthy means: its own score is below the gate, the device is not in alarm, and `learn_allowed` (an operator's
        word, not an alarm of this device: that is counted here, reading by reading). The result for a reading depends
        on it and on earlier ones only, to the bit, and not on how readings are grouped into calls.

        Parameters
        ----------
        times_ns, stretches, values, sensor_scores
            As for `commission`.
        """
        count = len(values)
        judgement = Judgement.empty(count, len(self.birth.profile.channels), len(self._distance.centre))
        sensor = np.full(count, np.nan) if sensor_scores is None else sensor_scores
        scores, fused = judgement.scores, judgement.fused
        for index, row in enumerate((values - self._mean) / self._scale):
            stretch = int(stretches[index])
            if stretch != self._stretch:
                self._features.start()
                self._stretch, self._age = stretch, 0
            self._age += 1
            found = self._features.step(row)
            if self._age > self._warm_up and np.isfinite(row).any():
                standardised = self._distance.standardised(found)
                weights = self._weights(standardised)
                square = max(float(weights.sum()), 0.0) / len(found)
                scores[index] = math.sqrt(square / self.threshold)
                judgement.deviations[index] = standardised
                judgement.weights[index] = weights
                judgement.top_channel[index] = int(weights.argmax())
            fused[index] = fuse_one(float(sensor[index]), float(scores[index]))
            judgement.alarm[index] = self.evidence.step(int(times_ns[index]), float(fused[index]))
            if learn_allowed and scores[index] < self.gate and not judgement.alarm[index]:
                self._learn(found)
        return judgement

    def _learn(self, found: NDArray[np.float64]) -> None:
        self._until_learning -= 1
        if self._until_learning == 0:
            self._until_learning = LEARN_EVERY
            self._distance.learn(found)

    def reasons(self, judgement: Judgement, index: int) -> tuple[Reason, ...]:
        """Why reading `index` of a judgement was judged as it was; empty when it has no score."""
        if math.isnan(judgement.scores[index]):
            return ()
        spread = self._distance.scale
        centre = self._distance.centre + spread * self._distance.judged_mean
        return explain(
            self.birth,
            self._features.names,
            self._mean,
            self._scale,
            centre,
            spread,
            judgement.deviations[index],
            judgement.weights[index],
        )

    def state(self) -> bytes:
        """Everything that later judgements depend on, for `from_state`."""
        own: dict[str, Any] = {
            "birth": encode_birth(self.birth),
            "threshold": self.threshold,
            "gate": self.gate,
            "provisional": self.provisional,
            "channel mean": self._mean,
            "channel scale": self._scale,
            "warm up": self._warm_up,
            "age": self._age,
            "stretch": self._stretch,
            "until learning": self._until_learning,
        }
        return portable.pack(_STATE, own | self._features.fields() | self._distance.fields() | self.evidence.fields())

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
            detector = cls(
                decode_birth(fields["birth"]),
                (fields["channel mean"], fields["channel scale"]),
                RunningFeatures.from_fields(fields),
                RunningMahalanobis.from_fields(fields),
                Evidence.from_fields(fields),
            )
            detector.threshold = fields["threshold"]
            detector.gate = fields["gate"]
            detector.provisional = fields["provisional"]
            detector._warm_up = fields["warm up"]
            detector._age = fields["age"]
            detector._stretch = fields["stretch"]
            detector._until_learning = fields["until learning"]
        except (KeyError, TypeError, ValueError) as error:
            raise GatewayError(
                f"stored detector: not a state that this version reads ({error}); commission the device anew"
            ) from error
        return detector


def _ages(stretches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Readings of its stretch up to and including each reading, int64 (n,)."""
    begins = np.concatenate(([True], stretches[1:] != stretches[:-1]))
    index = np.arange(len(stretches))
    return index - np.maximum.accumulate(np.where(begins, index, 0)) + 1

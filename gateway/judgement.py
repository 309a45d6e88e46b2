"""The judgement of one device from its first message on: gather healthy readings, commission, then score each reading.

A pure function of the data messages taken, in order. The gateway's service and ``tocsin score`` run this very object,
the one with a store and a broker around it, the other with neither; both give the same bits, however the readings are
grouped into messages.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import portable
from gateway.detectors.device import MINIMUM_HEALTHY_READINGS, DeviceDetector
from gateway.detectors.judgement import Judgement
from gateway.drift.watch import DriftWatch
from gateway.errors import GatewayError
from gateway.words import needed_readings
from shared.errors import UsageError
from shared.identity import MISSING, SLOW, DeviceProfile
from shared.messages.codec import ALARM, FLAGGED, Birth, Data, Rescore
from shared.messages.compact import NO_FEATURE
from shared.messages.normality import Drift

_STATE = "judgement"
#: Readings of one rescore message; 80 kB.
_RESCORE_READINGS = 4096


@dataclass(slots=True, eq=False)
class Verdict:
    """What became of n readings.

    ``gateway_scores`` and ``fused_scores`` float64[n], 1.0 = threshold, NaN = none; ``flags`` uint8[n]
    (`codec.FLAGGED`, `codec.ALARM`); ``top_channels`` uint16[n], `NO_FEATURE` = none. ``rescores`` hold the scores of
    the commissioning if it ended with these readings. ``judged`` is what the detector said of the last
    ``len(judged.scores)`` of them, None while there is no detector. ``drifts`` tell each change of how the device
    stands to what was told normal.
    """

    gateway_scores: NDArray[np.float64]
    fused_scores: NDArray[np.float64]
    flags: NDArray[np.uint8]
    top_channels: NDArray[np.uint16]
    rescores: list[Rescore] = field(default_factory=list)
    judged: Judgement | None = None
    drifts: list[Drift] = field(default_factory=list)

    @property
    def commissioned(self) -> bool:
        """Whether the commissioning ended with these readings."""
        return bool(self.rescores)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Readings as the detector takes them; `stretches` counted over all boots."""

    boot: int
    sequence: int
    times_ns: NDArray[np.int64]
    stretches: NDArray[np.int64]
    values: NDArray[np.float64]
    sensor_scores: NDArray[np.float64]
    sensor_tops: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.times_ns)

    def only(self, chosen: NDArray[np.bool_]) -> "_Part":
        """The chosen ones (n,) of the readings; they need not follow each other."""
        return _Part(
            self.boot,
            self.sequence,
            self.times_ns[chosen],
            self.stretches[chosen],
            self.values[chosen],
            self.sensor_scores[chosen],
            self.sensor_tops[chosen],
        )

    def cut(self, begin: int, end: int) -> "_Part":
        part = slice(begin, end)
        return _Part(
            self.boot,
            self.sequence + begin,
            self.times_ns[part],
            self.stretches[part],
            self.values[part],
            self.sensor_scores[part],
            self.sensor_tops[part],
        )


class DeviceJudge:
    """Judges one device.

    Parameters
    ----------
    birth
        Who the device is.
    healthy_readings
        Readings, from the first one taken, that the operator declared healthy; 0 waits, judging nothing.
    false_alarms_per_day
        Budget of the asset's alarms.

    Raises
    ------
    UsageError
        So few healthy readings are declared that no detector can be made of them.
    """

    def __init__(self, birth: Birth, healthy_readings: int, *, false_alarms_per_day: float) -> None:
        self.birth = birth
        self.detector: DeviceDetector | None = None
        if 0 < healthy_readings < MINIMUM_HEALTHY_READINGS:
            raise UsageError(
                f"The {healthy_readings} healthy readings declared for device {birth.profile.device} are too few: "
                f"declare at least {MINIMUM_HEALTHY_READINGS}, or 0 to wait."
            )
        self._target = healthy_readings
        self._false_alarms_per_day = false_alarms_per_day
        self._gathered: list[_Part] = []
        self._count = 0
        self._stretch_of = (-1, -1)
        self._stretch = -1
        #: Why the last attempt to commission failed; empty if none did.
        self.complaint = ""
        #: Whether the asset is healthy apart from this device: else nothing is learned.
        self.learns = True
        self._watch: DriftWatch | None = None

    @property
    def remembers(self) -> bool:
        """Whether a reading changes this object, so that it must be kept until the next checkpoint."""
        return self.detector is not None or self._target > 0

    def take(self, data: Data) -> Verdict:
        """Judge the readings of a message, which follow those of the messages before."""
        part = self._part(data)
        if self.detector is not None:
            return self._judge(self.detector, part)
        if not self._target:
            return self._unjudged(part)
        healthy = part.cut(0, self._target - self._count)
        self._gather(healthy)
        verdict = self._unjudged(healthy)
        rest = part.cut(len(healthy), len(part))
        while self._count >= self._target:
            detector = self._commission()
            if detector is not None:
                self.detector = detector
                self._watch = self._watch_of(self._gathered)
                verdict.rescores = self._rescores(detector)
                self._gathered = []
                return _joined(verdict, self._judge(detector, rest)) if len(rest) else verdict
            more = rest.cut(0, self._target - self._count)
            rest = rest.cut(len(more), len(rest))
            self._gather(more)
            verdict = _joined(verdict, self._unjudged(more))
        return verdict

    def state(self) -> bytes | None:
        """A checkpoint: everything that later verdicts depend on. None while there is no detector yet."""
        if self.detector is None:
            return None
        fields: dict[str, portable.Value] = {
            "detector": self.detector.state(),
            "boot": self._stretch_of[0],
            "stretch": self._stretch_of[1],
            "stretches": self._stretch,
            "learns": self.learns,
            "watch": None if self._watch is None else self._watch.state(),
        }
        return portable.compressed(portable.pack(_STATE, fields))

    def restore(self, checkpoint: bytes) -> None:
        """Go on from a checkpoint; GatewayError if it cannot be read."""
        fields = portable.unpack(portable.expanded(checkpoint, _STATE), _STATE)
        try:
            self.detector = DeviceDetector.from_state(fields["detector"])
            self._stretch_of = (fields["boot"], fields["stretch"])
            self._stretch = fields["stretches"]
        except KeyError as error:
            raise GatewayError(f"stored judgement: {error} is missing; commission the device anew") from error
        # Checkpoints of the time before drift was watched lack these.
        self.learns = bool(fields.get("learns", True))
        watch = fields.get("watch")
        self._watch = None if watch is None else DriftWatch.from_state(watch)

    def changed_ns(self, alarm_ns: int | None) -> int | None:
        """Since when the device is not what it was, by its drift or else by an alarm since `alarm_ns`; None: it is."""
        drift = None if self._watch is None else self._watch.since_ns
        return alarm_ns if drift is None else drift

    def relearn(self, messages: list[Data], since_ns: int | None) -> tuple[int, int]:
        """Take the readings from `since_ns` on (None: all) of its last messages as normal: how many, and how many lack.

        Nothing is learned while readings lack.

        Raises
        ------
        UsageError
            Too few of them have values, or there is no detector yet.
        """
        detector, profile = self.detector, self.birth.profile
        if detector is None:
            raise UsageError(f"Device {profile.device} was never commissioned: declare its healthy readings first.")
        parts, stretch, before = [], -1, None
        for data in messages:
            if (data.boot, data.stretch) != before:
                before, stretch = (data.boot, data.stretch), stretch + 1
            part = self._as_part(data, stretch)
            parts.append(part if since_ns is None else part.only(data.times_ns >= since_ns))
        needed, count = needed_readings(profile.kind), sum(map(len, parts))
        if count < needed:
            return 0, needed - count
        times_ns, stretches, values, sensor = _columns(parts)
        detector.recalibrate(values, times_ns, stretches=stretches, sensor_scores=sensor)
        self._watch = self._watch_of(parts)
        return count, 0

    def fits(self, birth: Birth) -> bool:
        """Whether readings of `birth` mean the same as those judged so far."""
        mine, theirs = self.birth, birth
        return mine.profile.digest() == theirs.profile.digest() and (
            mine.profile.kind == SLOW
            or (mine.feature_names, mine.window, mine.hop) == (theirs.feature_names, theirs.window, theirs.hop)
        )

    def rename(self, birth: Birth) -> None:
        """Take over names, units and the boot of a birth that `fits`."""
        self.birth = birth
        if self.detector is not None:
            self.detector.birth = birth

    def _part(self, data: Data) -> _Part:
        """A message as the detector takes it. A new boot begins a stretch, whatever its number."""
        if (data.boot, data.stretch) != self._stretch_of:
            self._stretch_of = (data.boot, data.stretch)
            self._stretch += 1
        return self._as_part(data, self._stretch)

    def _as_part(self, data: Data, stretch: int) -> _Part:
        return _Part(
            data.boot,
            data.sequence,
            data.times_ns,
            np.full(len(data), stretch, np.int64),
            values_of(self.birth.profile, data),
            data.scores(),
            self._channels_of(data.tops),
        )

    def _channels_of(self, tops: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """The channel of each feature index; the features of a channel stand together."""
        per_channel = max(1, len(self.birth.feature_names) // len(self.birth.profile.channels))
        channels = np.where(tops == NO_FEATURE, NO_FEATURE, tops // per_channel)
        return channels.astype(np.uint16)

    def _gather(self, part: _Part) -> None:
        if len(part):
            self._gathered.append(part)
            self._count += len(part)

    def _commission(self) -> DeviceDetector | None:
        """The detector of what was gathered; if that is not possible ask for a quarter more."""
        times_ns, stretches, values, sensor_scores = _columns(self._gathered)
        try:
            return DeviceDetector.commission(
                self.birth,
                times_ns,
                stretches,
                values,
                sensor_scores=sensor_scores,
                false_alarms_per_day=self._false_alarms_per_day,
            )
        except UsageError as error:
            self.complaint = str(error)
            self._target = self._count + max(1, self._count // 4)
            return None

    def _unjudged(self, part: _Part) -> Verdict:
        """The sensor's own verdict, while the gateway has none."""
        return Verdict(
            np.full(len(part), np.nan),
            part.sensor_scores,
            _flags(part.sensor_scores, np.zeros(len(part), np.bool_)),
            part.sensor_tops,
        )

    def _judge(self, detector: DeviceDetector, part: _Part) -> Verdict:
        judged = detector.process(part.times_ns, part.stretches, part.values, part.sensor_scores, self.learns)
        drifts = [] if self._watch is None else self._watch.take(self.birth, part.times_ns, part.values)
        return Verdict(
            judged.scores,
            judged.fused,
            _flags(judged.fused, judged.alarm),
            _tops(judged.scores, judged.top_channel, part.sensor_tops),
            judged=judged,
            drifts=drifts,
        )

    def drifts(self) -> list[Drift]:
        """How the device stands to what was told normal, now."""
        return [] if self._watch is None else [self._watch.told(self.birth)]

    def _watch_of(self, parts: list[_Part]) -> DriftWatch:
        times_ns, _, values, _ = _columns(parts)
        return DriftWatch.fit(times_ns, values)

    def _rescores(self, detector: DeviceDetector) -> list[Rescore]:
        """Scores of the gathered readings, a message per run without a gap."""
        messages: list[Rescore] = []
        begin = 0
        for run in _runs(self._gathered):
            readings = slice(begin, begin + sum(map(len, run)))
            begin = readings.stop
            scores, fused = detector.healthy_scores[readings], detector.healthy_fused[readings]
            tops = _tops(scores, detector.healthy_top[readings], np.concatenate([part.sensor_tops for part in run]))
            flags = _flags(fused, np.zeros(len(fused), np.bool_))
            for first in range(0, len(fused), _RESCORE_READINGS):
                chunk = slice(first, first + _RESCORE_READINGS)
                messages.append(
                    Rescore(
                        self.birth.profile.device,
                        run[0].boot,
                        run[0].sequence + first,
                        scores[chunk],
                        fused[chunk],
                        flags[chunk],
                        tops[chunk],
                    )
                )
        return messages


def values_of(profile: DeviceProfile, data: Data) -> NDArray[np.float64]:
    """Readings as float64 (n, columns): physical values with NaN where missing (slow), or the sensor's features."""
    if data.counts is None:
        assert data.features is not None
        return data.features.astype(np.float64)
    offsets = np.array([channel.offset for channel in profile.channels])
    steps = np.array([channel.step for channel in profile.channels])
    values: NDArray[np.float64] = offsets + steps * data.counts
    values[data.counts == MISSING] = np.nan
    return values


def _columns(
    parts: list[_Part],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Times, stretches, values and sensor scores of parts, joined."""
    return (
        np.concatenate([part.times_ns for part in parts]),
        np.concatenate([part.stretches for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.sensor_scores for part in parts]),
    )


def rescore_of(data: Data, verdict: Verdict) -> Rescore:
    """A verdict on readings that went up before it was known."""
    return Rescore(
        data.device,
        data.boot,
        data.sequence,
        verdict.gateway_scores,
        verdict.fused_scores,
        verdict.flags,
        verdict.top_channels,
    )


def _runs(parts: list[_Part]) -> list[list[_Part]]:
    """Parts whose sequences follow each other, in groups."""
    runs: list[list[_Part]] = []
    expected: tuple[int, int] | None = None
    for part in parts:
        if (part.boot, part.sequence) != expected:
            runs.append([])
        runs[-1].append(part)
        expected = (part.boot, part.sequence + len(part))
    return runs


def _flags(fused: NDArray[np.float64], alarm: NDArray[np.bool_]) -> NDArray[np.uint8]:
    flags: NDArray[np.uint8] = ((fused >= 1.0) * FLAGGED + alarm * ALARM).astype(np.uint8)
    return flags


def _tops(scores: NDArray[np.float64], channels: NDArray[np.int64], sensor: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The gateway's channel where it has a score, else the sensor's."""
    return np.where(np.isnan(scores), sensor, channels).astype(np.uint16)


def _joined(first: Verdict, second: Verdict) -> Verdict:
    return Verdict(
        np.concatenate((first.gateway_scores, second.gateway_scores)),
        np.concatenate((first.fused_scores, second.fused_scores)),
        np.concatenate((first.flags, second.flags)),
        np.concatenate((first.top_channels, second.top_channels)),
        first.rescores + second.rescores,
        second.judged,
        first.drifts + second.drifts,
    )

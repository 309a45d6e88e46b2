"""`tocsin score`: a recording judged by the code that is deployed, under recorded time.

The twin makes the sensor's messages and the gateway's own judge reads them: the same objects that run in a plant,
without the broker in between. One line out per row in; a window's score stands from its last row until the next window
ends. The result of a row depends on the healthy part and on the rows up to it, and on nothing else.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.host.replay import push_all
from firmware.host.sensor import birth_of
from firmware.micropython.device import Device
from gateway.alarms.evidence import Evidence
from gateway.detectors.device import MINIMUM_HEALTHY_READINGS, DeviceDetector
from gateway.detectors.session import session_scale
from gateway.judgement import DeviceJudge, values_of
from shared.errors import TocsinError, UsageError
from shared.identity import SLOW
from shared.messages import compact
from shared.messages.codec import ALARM, FLAGGED, Data, decode_data
from shared.model_image import feature_names
from shared.recordings import Recording
from tocsin.output import check_out, write_whole
from tocsin.provisioning import Progress, Provisioned, healthy_part, provision, reading_rows

TIERS = ("sensor", "gateway", "both")
#: What the sensor's model may read.
INPUTS = ("features", "samples")
DEVICE = "recorded"
ASSET = "recording"
HEADER = "row,time,score,flagged,alarm,top_channel"


@dataclass(frozen=True, eq=False)
class Verdicts:
    """One entry per reading: the row it stands at, score (1.0 = threshold, NaN = none), flags, and the channel index,
    -1 = none. `novelty` (1.0 = the lowest limit of an event, NaN = none) where the gateway judges one slow channel.
    `provisional`: thresholds rest on little healthy data, or did until more of it came in."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    top_channels: NDArray[np.int64]
    novelty: NDArray[np.float64] | None = None
    provisional: bool = False


def messages_of(provisioned: Provisioned) -> Iterator[Data]:
    """The data messages that the device sends for its recording, in order."""
    encoded: list[bytes] = []

    def take(_sequence: int, _readings: int, head: bytes, tail: bytes) -> None:
        encoded.append(head + compact.data_oldest(0) + tail)

    device = Device(provisioned.profile.device, 1, provisioned.content, take)
    push_all(device, provisioned.source)
    for message in encoded:
        yield decode_data(message)


def judge(
    provisioned: Provisioned,
    *,
    tier: str = "both",
    false_alarms_per_day: float,
    data: Iterable[Data] | None = None,
    told: slice | None = None,
) -> Verdicts:
    """Run sensor and gateway over a provisioned recording.

    `data`: what the device sends, if that is known already; the twin makes it otherwise. `told`: readings behind the
    healthy part that an operator tells to be normal in a new session; what comes with the message after the last of
    them is judged accordingly.

    Raises
    ------
    UsageError
        The request is wrong, or the healthy part is too short for a tier that is to judge.
    """
    _check_request(tier, false_alarms_per_day)
    content = provisioned.content
    source = provisioned.source
    rows = reading_rows(content, source.times_ns, np.array(sorted(source.clip_starts), np.int64))
    messages = list(messages_of(provisioned) if data is None else data)
    if sum(len(message) for message in messages) != len(rows):
        raise TocsinError("the device made another number of readings than its windows give; please report this")
    if tier == "sensor":
        return _sensor_verdicts(provisioned, messages, rows, false_alarms_per_day, told)
    if provisioned.healthy_readings < MINIMUM_HEALTHY_READINGS:
        raise UsageError(
            f"the healthy part gives {provisioned.healthy_readings} readings, and the gateway needs "
            f"{MINIMUM_HEALTHY_READINGS}; declare a longer healthy part, or judge with --tier sensor"
        )
    judge = DeviceJudge(
        birth_of(provisioned.profile, 1, content),
        provisioned.healthy_readings,
        false_alarms_per_day=false_alarms_per_day,
    )
    readings = len(rows)
    one_channel = provisioned.profile.kind == SLOW and len(provisioned.profile.channels) == 1
    verdicts = Verdicts(
        rows,
        np.full(readings, np.nan),
        np.zeros(readings, bool),
        np.zeros(readings, bool),
        np.full(readings, -1),
        np.full(readings, np.nan) if one_channel else None,
    )
    position, provisional = 0, False
    for message in messages:
        taken = _without_sensor_scores(message) if tier == "gateway" else message
        verdict = judge.take(taken)
        if judge.complaint:  # in a plant it would gather more readings; here only the declared ones are healthy
            raise UsageError(judge.complaint.removeprefix(f"device {provisioned.profile.device}: "))
        end = position + len(taken)
        _fill(verdicts, slice(position, end), verdict.fused_scores, verdict.flags, verdict.top_channels)
        if verdicts.novelty is not None and verdict.judged is not None:
            verdicts.novelty[end - len(verdict.judged.novelty) : end] = verdict.judged.novelty
        for rescore in verdict.rescores:
            part = slice(rescore.sequence, rescore.sequence + len(rescore.fused_scores))
            _fill(verdicts, part, rescore.fused_scores, rescore.flags, rescore.top_channels)
        if verdict.commissioned and judge.detector is not None:
            provisional = judge.detector.commissioned_provisionally
        if told is not None and position < told.stop <= end and judge.detector is not None:
            _recalibrate(judge.detector, provisioned, messages, told, with_sensor=tier == "both")
        position = end
    return replace(verdicts, provisional=provisional or (tier == "both" and provisioned.provisional))


def _recalibrate(
    detector: DeviceDetector, provisioned: Provisioned, messages: list[Data], told: slice, *, with_sensor: bool
) -> None:
    """Tell the detector that readings are normal."""
    values = np.concatenate([values_of(provisioned.profile, message) for message in messages])
    scores = np.concatenate([message.scores() for message in messages])
    detector.recalibrate(
        values[told],
        np.concatenate([message.times_ns for message in messages])[told],
        stretches=np.concatenate([np.full(len(message), message.stretch, np.int64) for message in messages])[told],
        sensor_scores=scores[told] if with_sensor else None,
    )


def _check_request(tier: str, false_alarms_per_day: float) -> None:
    if tier not in TIERS:
        raise UsageError(f"there is no tier {tier!r}; --tier is sensor, gateway or both")
    if not (math.isfinite(false_alarms_per_day) and false_alarms_per_day > 0.0):
        raise UsageError(
            f"--false-alarms-per-day must be a number above 0, not {false_alarms_per_day}; 0.14 is one a week"
        )


def _fill(
    verdicts: Verdicts,
    part: slice,
    scores: NDArray[np.float64],
    flags: NDArray[np.uint8],
    top_channels: NDArray[np.uint16],
) -> None:
    verdicts.scores[part] = scores
    verdicts.flagged[part] = flags & FLAGGED != 0
    verdicts.alarm[part] = flags & ALARM != 0
    verdicts.top_channels[part] = np.where(top_channels == compact.NO_FEATURE, -1, top_channels.astype(np.int64))


def _without_sensor_scores(data: Data) -> Data:
    return replace(
        data,
        scores_q12=np.full(len(data), compact.NO_SCORE, np.uint32),
        tops=np.full(len(data), compact.NO_FEATURE, np.uint16),
    )


def _sensor_verdicts(
    provisioned: Provisioned,
    messages: list[Data],
    rows: NDArray[np.int64],
    false_alarms_per_day: float,
    told: slice | None,
) -> Verdicts:
    """The sensor's own scores, scaled from the end of a stretch that was `told` to be normal; alarms by the same
    evidence that the gateway gathers."""
    times = np.concatenate([message.times_ns for message in messages])
    scores = np.concatenate([message.scores() for message in messages])
    tops = np.concatenate([message.tops for message in messages]).astype(np.int64)
    healthy = provisioned.healthy_readings
    if not np.isfinite(scores[:healthy]).any():
        raise UsageError(f"the {healthy} healthy readings give the sensor no score; declare a longer healthy part")
    evidence = Evidence.calibrate(times[:healthy], scores[:healthy], false_alarms_per_day)
    alarm = np.zeros(len(rows), bool)
    for index in range(healthy, len(rows)):
        if told is not None and index == told.stop:
            scale = session_scale(scores[told], 1.0)
            scores[index:] /= scale
            evidence = Evidence.calibrate(times[told], scores[told] / scale, false_alarms_per_day)
        alarm[index] = evidence.step(int(times[index]), float(scores[index]))
    per_channel = len(feature_names(provisioned.content))
    top_channels = np.where(tops == compact.NO_FEATURE, -1, tops // per_channel)
    return Verdicts(rows, scores, scores >= 1.0, alarm, top_channels, provisional=provisioned.provisional)


def lines(recording: Recording, verdicts: Verdicts, names: tuple[str, ...], first_row: int) -> Iterator[str]:
    """CSV lines for the rows from `first_row` on, which is row 0 of the output; no earlier score stands there."""
    rows = recording.rows
    newest = np.searchsorted(verdicts.rows, np.arange(rows), side="right") - 1
    shown = np.isfinite(verdicts.scores) & (verdicts.rows >= first_row)
    scored = np.maximum.accumulate(np.where(shown, np.arange(len(shown)), -1))
    for row in range(first_row, rows):
        when = _time(int(recording.times_ns[row]))
        reading = int(scored[newest[row]]) if newest[row] >= 0 else -1
        if reading < 0:
            yield f"{row - first_row},{when},,0,0,"
            continue
        alarm = verdicts.alarm[newest[row]]
        top = int(verdicts.top_channels[reading])
        channel = _quoted(names[top]) if top >= 0 else ""
        score = repr(float(verdicts.scores[reading]))
        yield f"{row - first_row},{when},{score},{int(verdicts.flagged[reading])},{int(alarm)},{channel}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"\n\r') else name


def _time(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"


def score_to_file(
    recording: Recording,
    source: str,
    out: Path,
    *,
    tier: str,
    false_alarms_per_day: float,
    seed: int,
    progress: Progress | None,
    healthy_source: str | None = None,
    model_input: str = "features",
) -> str:
    """Train, judge and write; returns one sentence. The file appears whole or not at all.

    `healthy_source`: the healthy part is this other recording, put in front; its rows are not written. `model_input`:
    one of `INPUTS`.
    """
    if model_input not in INPUTS:
        raise UsageError(f"there is no input {model_input!r}; --input is features or samples")
    _check_request(tier, false_alarms_per_day)
    check_out(out, [source] if healthy_source is None else [source, healthy_source])
    healthy = healthy_part(recording, None, source)
    samples = model_input == "samples"
    # The gateway alone takes no score of the sensor, whose model is most of the work of a long recording.
    provisioned = provision(
        recording, DEVICE, ASSET, healthy, seed=seed, progress=progress, model=tier != "gateway", samples=samples
    )
    verdicts = judge(provisioned, tier=tier, false_alarms_per_day=false_alarms_per_day)
    first_row = 0 if healthy_source is None else healthy
    names = tuple(channel.name for channel in provisioned.profile.channels)
    write_whole(out, (line + "\n" for line in (HEADER, *lines(recording, verdicts, names, first_row))))
    shown = verdicts.rows >= first_row
    alarms = int(np.count_nonzero(np.diff(verdicts.alarm[shown].astype(np.int8), prepend=0) == 1))
    flagged = int(verdicts.flagged[shown].sum())
    provisional = "; provisional: calibrated on little healthy data" if verdicts.provisional else ""
    return (
        f"{out}: {recording.rows - first_row} rows, {int(shown.sum())} readings, {flagged} flagged, "
        f"{alarms} alarm{'' if alarms == 1 else 's'}"
        f"{provisional}"
    )

"""Which lines a reading, a rescore and an alarm become: the layout of docs/joints.md, section InfluxDB.

Every line of a boot carries the boot's place (`Place`), so that writing it again meets the same points.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.storage.influxdb.lines import line, tag, tag_text
from cloud.storage.port import Block
from shared.identity import FAST, MISSING
from shared.messages import compact
from shared.messages.codec import ALARM, FLAGGED, Alarm, Birth, Rescore

READINGS, VALUES, ALARMS = "readings", "values", "alarms"
#: Bits of the field `present`: which scores a reading has.
HAS_SENSOR, HAS_GATEWAY, HAS_SCORE = 1, 2, 4
#: `top_channel` of a reading without one.
NO_TOP = -1
#: So many of the lowest bits of a point's time tell readings of one millisecond apart.
TIME_BITS = 20
GRID_NS = 1 << TIME_BITS
_LOW = GRID_NS - 1
_BOOT_STEP = 0x9E3779B1
FEATURE_UNIT = "healthy deviations"
_FEATURE_STEP = 1.0 / 64.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the lines of one boot of a device go: its asset, and a name, unit, offset and step for each value.

    Without `values` (no birth is known) a boot has no lines of the measurement ``values``.
    """

    asset: str
    values: tuple[tuple[str, str, float, float], ...]


def place_of(device: str, birth: Birth | None) -> Place:
    """The place of a boot by the birth that is known; repeated names are numbered.

    >>> place_of("fan-7", None)
    Place(asset='fan-7', values=())
    """
    if birth is None:
        return Place(device, ())
    profile = birth.profile
    if profile.kind == FAST:
        entries = [(name, FEATURE_UNIT, 0.0, _FEATURE_STEP) for name in birth.feature_names]
    else:
        entries = [(channel.name, channel.unit, channel.offset, channel.step) for channel in profile.channels]
    names = _distinct([tag_text(name) for name, *_ in entries])
    return Place(
        profile.asset or device,
        tuple((name, unit, offset, step) for name, (_, unit, offset, step) in zip(names, entries, strict=True)),
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """Names that differ, and are not empty: the second ``x`` becomes ``x 2``.

    >>> _distinct(["x", "x", "x 2", "", "x"])
    ['x', 'x 3', 'x 2', '4', 'x 4']
    """
    given, taken = set(names), set()
    result = []
    for number, name in enumerate(names, 1):
        if not name or name in taken:
            tries = (f"{name} {count}".strip() for count in range(2 if name else number, len(names) * 2 + 3))
            name = next(text for text in tries if text not in given and text not in taken)  # noqa: PLW2901
        taken.add(name)
        result.append(name)
    return result


def point_times(times_ns: NDArray[np.int64], boot: int, sequence: int) -> NDArray[np.int64]:
    """Times of the points of consecutive readings: the lowest bits number them, the others are the reading's own.

    >>> point_times(np.array([5, 5, 1 << 20]), 0, 1).tolist()
    [1, 2, 1048579]
    """
    first = (sequence + boot * _BOOT_STEP) & _LOW
    low = (np.arange(len(times_ns), dtype=np.int64) + first) & _LOW
    return (times_ns & ~np.int64(_LOW)) | low


def alarm_time(begin_ns: int, identifier: str) -> int:
    """Time of an alarm's point: its begin, with the lowest bits from its id."""
    return (begin_ns & ~_LOW) | (zlib.crc32(identifier.encode()) & _LOW)


def reading_lines(block: Block, first: int, place: Place) -> list[str]:
    """One line of the measurement ``readings`` for each reading of a block from index `first` on."""
    data, judged = block.data, block.judged
    times, places, sequences = _columns(block, first)
    matrix, name = (data.counts, "count") if data.counts is not None else (data.features, "feature")
    assert matrix is not None  # the codec saw to it
    values = ",".join(f"{name}_{index}=%di" for index in range(matrix.shape[1]))
    head = f"{READINGS}{tag('asset', place.asset)}{tag('device', data.device)} boot={data.boot}i,"
    middle = f",stretch={data.stretch}i,model_version={data.model_version}i"
    sensor = [None if q12 == compact.NO_SCORE else q12 / 4096.0 for q12 in data.scores_q12[first:].tolist()]
    return [
        f"{head}sequence={sequence}i,time_ns={time}i{middle}"
        f"{_judgement(sensor_score, gateway, score, flags, top)},{values % tuple(row)} {at}"
        for sequence, time, sensor_score, gateway, score, flags, top, row, at in zip(
            sequences, times, sensor, judged.gateway_scores[first:].tolist(), judged.fused_scores[first:].tolist(),
            judged.flags[first:].tolist(), judged.top_channels[first:].tolist(), matrix[first:].tolist(), places,
            strict=True,
        )
    ]  # fmt: skip


def value_lines(block: Block, first: int, place: Place) -> Iterator[str]:
    """One line of the measurement ``values`` for each value that is there, channel by channel."""
    data = block.data
    matrix = data.counts if data.counts is not None else data.features
    assert matrix is not None
    _, places, _ = _columns(block, first)
    for index, (name, unit, offset, step) in enumerate(place.values[: matrix.shape[1]]):
        counts = matrix[first:, index]
        with np.errstate(over="ignore"):
            physical = offset + step * counts.astype(np.float64)
        there = np.isfinite(physical) & (counts != MISSING)
        head = f"{VALUES}{tag('asset', place.asset)}{tag('channel', name)}{tag('device', data.device)}"
        head += f"{tag('unit', unit)} value="
        for value, is_there, at in zip(physical.tolist(), there.tolist(), places, strict=True):
            if is_there:
                yield f"{head}{value!r} {at}"


def rescore_lines(
    rescore: Rescore,
    place: Place,
    sequences: NDArray[np.int64],
    times: NDArray[np.int64],
    present: NDArray[np.int64],
) -> list[str]:
    """Score fields for points that are there; `times` are the points' times, `present` their field of that name."""
    head = f"{READINGS}{tag('asset', place.asset)}{tag('device', rescore.device)} "
    index = sequences - rescore.sequence
    return [
        head + _judgement(None, gateway, score, flags, top, sensor=bits & HAS_SENSOR).lstrip(",") + f" {at}"
        for gateway, score, flags, top, bits, at in zip(
            rescore.gateway_scores[index].tolist(), rescore.fused_scores[index].tolist(),
            rescore.flags[index].tolist(), rescore.top_channels[index].tolist(), present.tolist(), times.tolist(),
            strict=True,
        )
    ]  # fmt: skip


def judgement_fields(rescore: Rescore, index: int, present: int) -> dict[str, bool | int | float]:
    """Score fields of one reading of a rescore; `present` holds the bit of its sensor score."""
    gateway, score = float(rescore.gateway_scores[index]), float(rescore.fused_scores[index])
    flags, top = int(rescore.flags[index]), int(rescore.top_channels[index])
    found: dict[str, bool | int | float] = {}
    for name, value, bit in (("gateway_score", gateway, HAS_GATEWAY), ("score", score, HAS_SCORE)):
        if math.isfinite(value):
            found[name] = value
            present |= bit
    return found | {
        "present": present,
        "flagged": bool(flags & FLAGGED),
        "alarm": bool(flags & ALARM),
        "top_channel": NO_TOP if top == compact.NO_FEATURE else top,
    }


def alarm_line(alarm: Alarm) -> str:
    """The point of an alarm; an update of the alarm has the same time and tags and overwrites it."""
    text = line(
        ALARMS,
        {"asset": alarm.asset or alarm.device, "device": alarm.device},
        {
            "id": alarm.identifier,
            "reason": " ".join(
                [reason.sentence for reason in alarm.reasons] + [found.sentence for found in alarm.lines]
            ),
            "score": float(alarm.peak_score),
            "active": alarm.end_ns is None,
            "provisional": alarm.provisional,
            "begin_ns": alarm.begin_ns,
            "end_ns": alarm.end_ns,
            "since_ns": alarm.since_ns,
            "detectors": ", ".join(alarm.detectors) or None,
        },
        alarm_time(alarm.begin_ns, alarm.identifier),
    )
    assert text is not None  # an id is always there
    return text


def _columns(block: Block, first: int) -> tuple[list[int], list[int], list[int]]:
    """Times, points' times and sequences of a block's readings from index `first` on."""
    data = block.data
    sequence = data.sequence + first
    times = data.times_ns[first:].astype(np.int64)
    return times.tolist(), point_times(times, data.boot, sequence).tolist(), [*range(sequence, sequence + len(times))]


def _judgement(
    sensor_score: float | None, gateway: float, score: float, flags: int, top: int, *, sensor: int = 0
) -> str:
    """Score fields, each with the comma before it. `sensor`: the bit of a sensor score that is there already."""
    text = ""
    if sensor_score is not None:
        text = f",sensor_score={sensor_score!r}"
        sensor = HAS_SENSOR
    if gateway - gateway == 0.0:  # neither NaN nor infinite
        text += f",gateway_score={gateway!r}"
        sensor |= HAS_GATEWAY
    if score - score == 0.0:
        text += f",score={score!r}"
        sensor |= HAS_SCORE
    return (
        f"{text},present={sensor}i,flagged={'true' if flags & FLAGGED else 'false'}"
        f",alarm={'true' if flags & ALARM else 'false'},top_channel={NO_TOP if top == compact.NO_FEATURE else top}i"
    )

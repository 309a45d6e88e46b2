"""Messages as values: encode and decode, with every length and type checked on the way in.

One dataclass per message of `messages.cddl`. `encode_*` gives deterministic CBOR; `decode_*` raises
`MessageError` for anything that is not exactly such a message.

>>> mark = Stored("pump-1", 3, 160)
>>> decode_stored(encode_stored(mark)) == mark
True
>>> decode_stored(b"not cbor at all")
Traceback (most recent call last):
...
shared.errors.MessageError: stored message: not a CBOR map
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cbor2
import numpy as np
from numpy.typing import NDArray

from shared.errors import MessageError
from shared.identity import FAST, SLOW, Channel, DeviceProfile, check_id
from shared.messages import compact

FORMAT = 1
#: No message of ours is longer; what is longer is refused unread.
MESSAGE_LIMIT_BYTES = 4 << 20
#: Numbers that count (boots, sequences, versions) stay below this, so that sums of them fit 63 bits everywhere.
SEQUENCE_LIMIT = 1 << 62
FLAGGED = 1
ALARM = 2

_TAGS: dict[int, str] = {
    64: "|u1",
    compact.TAG_UINT16: "<u2",
    compact.TAG_UINT32: "<u4",
    compact.TAG_INT16: "<i2",
    compact.TAG_INT32: "<i4",
    compact.TAG_INT64: "<i8",
    86: "<f8",
}
_TAG_OF = {np.dtype(name): tag for tag, name in _TAGS.items()}


@dataclass(frozen=True, slots=True)
class Birth:
    """Who a device is. `window` and `hop` in samples (a slow device: its rolling window, and 1)."""

    profile: DeviceProfile
    boot: int
    model_version: int
    feature_names: tuple[str, ...]
    window: int
    hop: int


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Readings of one device, in order, from one stretch and one model.

    ``times_ns`` int64[n], ``scores_q12`` uint32[n] (`compact.NO_SCORE` = none), ``tops`` uint16[n]; a slow device
    adds ``counts`` int32[n, channels], a fast one ``features`` int16[n, features].
    """

    device: str
    boot: int
    sequence: int
    oldest: int
    stretch: int
    model_version: int
    clipped: int
    times_ns: NDArray[np.int64]
    scores_q12: NDArray[np.uint32]
    tops: NDArray[np.uint16]
    counts: NDArray[np.int32] | None
    features: NDArray[np.int16] | None

    def __len__(self) -> int:
        return len(self.times_ns)

    def scores(self) -> NDArray[np.float64]:
        """Scores as float64, 1.0 = threshold, NaN = none."""
        scores = self.scores_q12.astype(np.float64) / 4096.0
        scores[self.scores_q12 == compact.NO_SCORE] = np.nan
        return scores


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything of `boot` (a gateway: of `epoch`) below `next_sequence` is stored."""

    sender: str
    boot: int
    next_sequence: int


@dataclass(frozen=True, slots=True)
class State:
    """What a device runs, and what became of the image it judged last."""

    device: str
    boot: int
    model_version: int
    result: str
    judged_version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Upload:
    """What a gateway sends up: `kind` tells what `body` encodes."""

    gateway: str
    epoch: int
    sequence: int
    oldest: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A data message with the gateway's verdict on each of its readings."""

    data: bytes
    gateway_scores: NDArray[np.float64]
    fused_scores: NDArray[np.float64]
    flags: NDArray[np.uint8]
    top_channels: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Rescore:
    """Scores of the readings that a detector was commissioned on, from `sequence` on."""

    device: str
    boot: int
    sequence: int
    gateway_scores: NDArray[np.float64]
    fused_scores: NDArray[np.float64]
    flags: NDArray[np.uint8]
    top_channels: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of an alarm's explanation; `distance` in healthy deviations."""

    channel: str
    feature: str
    distance: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a bearing or shaft that a feature's band holds; `hertz` at the declared speed."""

    name: str
    hertz: float
    channel: str
    feature: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Resemblance:
    """An earlier alarm of the asset that was explained much like this one; `likeness` from 0 to 1."""

    identifier: str
    begin_ns: int
    likeness: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of an asset as it stands now. The id stays from begin to end.

    `since_ns`: when the change behind it most likely began, None where it is not known. `detectors`: what spoke up, in
    words. `lines`: the nearest to what was seen first. `like`: the nearest earlier alarm, None where none is near.
    """

    identifier: str
    asset: str
    device: str
    begin_ns: int
    end_ns: int | None
    peak_score: float
    provisional: bool
    reasons: tuple[Reason, ...]
    since_ns: int | None = None
    detectors: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    like: Resemblance | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """Loss accounting of one device at a gateway, in readings of one boot: ``produced == stored + lost``."""

    device: str
    boot: int
    produced: int
    stored: int
    lost: int
    duplicates: int
    late: int


UPLOAD_KINDS = ("birth", "readings", "rescore", "alarm", "state", "counters", "answer", "drift")
STATE_RESULTS = ("started", "accepted", "refused")


def _typed(values: NDArray[Any]) -> cbor2.CBORTag:
    return cbor2.CBORTag(_TAG_OF[values.dtype.newbyteorder("<")], np.ascontiguousarray(values).tobytes())


def _dump(fields: dict[int, Any]) -> bytes:
    return cbor2.dumps(fields)


class _Fields:
    """A decoded map whose fields are taken one by one, each checked; anything left over is refused."""

    def __init__(self, payload: bytes, what: str) -> None:
        self._what = what
        if len(payload) > MESSAGE_LIMIT_BYTES:
            raise MessageError(f"{what} message: {len(payload)} bytes, the limit is {MESSAGE_LIMIT_BYTES}")
        stream = io.BytesIO(payload)
        try:
            decoded = cbor2.load(stream)
        except Exception as error:  # the decoder raises many kinds for hostile bytes; all mean the same here
            raise MessageError(f"{what} message: not a CBOR map") from error
        if not isinstance(decoded, dict):
            raise MessageError(f"{what} message: not a CBOR map")
        if stream.tell() != len(payload):
            raise MessageError(f"{what} message: bytes are left over after byte {stream.tell()}")
        # No value is shown as it is: a hostile integer has more digits than Python agrees to print.
        if not all(type(key) is int and 0 <= key < 256 for key in decoded):
            raise MessageError(f"{what} message: a field's key is not an integer from 0 to 255")
        self._fields: dict[int, Any] = dict(decoded)
        version = self._fields.pop(0, None)
        if type(version) is not int or version != FORMAT:
            raise MessageError(f"{what} message: field 0 must say format {FORMAT}, the one that this reader knows")

    def fail(self, key: int, reason: str) -> MessageError:
        return MessageError(f"{self._what} message: field {key} {reason}")

    def take(self, key: int) -> Any:
        if key not in self._fields:
            raise self.fail(key, "is missing")
        return self._fields.pop(key)

    def integer(self, key: int, low: int = 0, high: int = SEQUENCE_LIMIT) -> int:
        value = self.take(key)
        if type(value) is not int or not low <= value <= high:
            raise self.fail(key, f"must be an integer from {low} to {high}")
        return value

    def text(self, key: int, limit: int = 4096) -> str:
        value = self.take(key)
        if type(value) is not str or len(value) > limit:
            raise self.fail(key, f"must be text of at most {limit} characters")
        return value

    def identifier(self, key: int) -> str:
        try:
            return check_id(self.text(key))
        except ValueError as error:
            raise self.fail(key, str(error)) from error

    def one_of(self, key: int, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            raise self.fail(key, f"must be one of {', '.join(allowed)}")
        return value

    def number(self, key: int) -> float:
        value = self.take(key)
        if type(value) is not float or not math.isfinite(value):
            raise self.fail(key, "must be a finite float")
        return value

    def content(self, key: int) -> bytes:
        value = self.take(key)
        if type(value) is not bytes:
            raise self.fail(key, "must be a byte string")
        return value

    def array(self, key: int, tag: int) -> NDArray[Any]:
        value = self.take(key)
        if not isinstance(value, cbor2.CBORTag) or value.tag != tag or type(value.value) is not bytes:
            raise self.fail(key, f"must be a typed array with tag {tag}")
        dtype = np.dtype(_TAGS[tag])
        if len(value.value) % dtype.itemsize:
            raise self.fail(key, f"must hold whole elements of {dtype.itemsize} bytes")
        return np.frombuffer(value.value, dtype=dtype)

    def has(self, key: int) -> bool:
        return key in self._fields

    def finish(self) -> None:
        if self._fields:
            raise MessageError(f"{self._what} message: unknown field {min(self._fields)}")


def _same_length(fields: _Fields, count: int, arrays: dict[int, NDArray[Any]]) -> None:
    for key, values in arrays.items():
        if len(values) != count:
            raise fields.fail(key, f"has {len(values)} elements for {count} readings")


def encode_birth(birth: Birth) -> bytes:
    """CBOR of a birth."""
    profile = birth.profile
    return _dump(
        {
            0: FORMAT,
            1: profile.device,
            2: birth.boot,
            3: profile.asset,
            4: profile.kind,
            5: float(profile.sample_rate_hz),
            6: [[c.name, c.unit, float(c.offset), float(c.step)] for c in profile.channels],
            7: birth.model_version,
            8: list(birth.feature_names),
            9: [birth.window, birth.hop],
        }
    )


def _channel(fields: _Fields, entry: Any) -> Channel:
    if not (isinstance(entry, list) and len(entry) == 4):
        raise fields.fail(6, "must hold [name, unit, offset, step] per channel")
    name, unit, offset, step = entry
    if not (isinstance(name, str) and isinstance(unit, str) and isinstance(offset, float) and isinstance(step, float)):
        raise fields.fail(6, "must hold [text, text, float, float] per channel")
    if not (math.isfinite(offset) and math.isfinite(step) and step > 0.0):
        raise fields.fail(6, f"channel {name!r} must have a finite offset and a positive step")
    return Channel(name, unit, offset, step)


def decode_birth(payload: bytes) -> Birth:
    """A birth from its CBOR."""
    fields = _Fields(payload, "birth")
    device, boot, asset = fields.identifier(1), fields.integer(2), fields.text(3)
    kind, rate = fields.one_of(4, (SLOW, FAST)), fields.number(5)
    channels, version = fields.take(6), fields.integer(7)
    names, sizes = fields.take(8), fields.take(9)
    fields.finish()
    if not (isinstance(channels, list) and 0 < len(channels) <= 4096):
        raise fields.fail(6, "must list 1 to 4096 channels")
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise fields.fail(8, "must list the names of the features")
    if not (isinstance(sizes, list) and len(sizes) == 2 and all(type(size) is int and size >= 0 for size in sizes)):
        raise fields.fail(9, "must hold window and hop")
    if rate <= 0.0:
        raise fields.fail(5, "must be a positive rate")
    profile = DeviceProfile(device, asset, kind, rate, tuple(_channel(fields, entry) for entry in channels))
    return Birth(profile, boot, version, tuple(names), sizes[0], sizes[1])


def encode_data(data: Data) -> bytes:
    """CBOR of a data message: the same bytes as the device's own encoder."""
    return compact.encode_data(
        data.device,
        data.boot,
        data.sequence,
        data.oldest,
        data.stretch,
        data.model_version,
        data.clipped,
        data.times_ns.astype("<i8").tobytes(),
        data.scores_q12.astype("<u4").tobytes(),
        data.tops.astype("<u2").tobytes(),
        None if data.counts is None else data.counts.astype("<i4").tobytes(),
        None if data.features is None else data.features.astype("<i2").tobytes(),
    )


def decode_data(payload: bytes) -> Data:
    """A data message from its CBOR. Arrays are views of `payload`, read only."""
    fields = _Fields(payload, "data")
    device = fields.identifier(1)
    boot, sequence, oldest, stretch, version, clipped = (fields.integer(key) for key in range(2, 8))
    times, scores, tops = fields.array(8, 79), fields.array(9, 70), fields.array(10, 69)
    counts = fields.array(11, 78) if fields.has(11) else None
    features = fields.array(12, 77) if fields.has(12) else None
    fields.finish()
    readings = len(times)
    if not 1 <= readings <= 4096:
        raise fields.fail(8, "must hold 1 to 4096 readings")
    if oldest > sequence:
        raise fields.fail(4, "must not exceed the first sequence")
    _same_length(fields, readings, {9: scores, 10: tops})
    if (counts is None) == (features is None):
        raise fields.fail(11, "or field 12 must be there, and not both")
    for key, values in ((11, counts), (12, features)):
        if values is not None and (len(values) == 0 or len(values) % readings):
            raise fields.fail(key, f"has {len(values)} elements for {readings} readings")
    return Data(
        device,
        boot,
        sequence,
        oldest,
        stretch,
        version,
        clipped,
        times,
        scores,
        tops,
        None if counts is None else counts.reshape(readings, -1),
        None if features is None else features.reshape(readings, -1),
    )


def encode_stored(stored: Stored) -> bytes:
    """CBOR of a stored mark."""
    return _dump({0: FORMAT, 1: stored.sender, 2: stored.boot, 3: stored.next_sequence})


def decode_stored(payload: bytes) -> Stored:
    """A stored mark from its CBOR."""
    fields = _Fields(payload, "stored")
    stored = Stored(fields.identifier(1), fields.integer(2), fields.integer(3))
    fields.finish()
    return stored


def encode_state(state: State) -> bytes:
    """CBOR of a state: the same bytes as the device's own encoder."""
    return compact.encode_state(
        state.device, state.boot, state.model_version, state.result, state.judged_version, state.reason
    )


def decode_state(payload: bytes) -> State:
    """A state from its CBOR."""
    fields = _Fields(payload, "state")
    state = State(
        fields.identifier(1),
        fields.integer(2),
        fields.integer(3),
        fields.one_of(4, STATE_RESULTS),
        fields.integer(5),
        fields.text(6),
    )
    fields.finish()
    return state


def encode_upload(upload: Upload) -> bytes:
    """CBOR of an upload."""
    return _dump(
        {
            0: FORMAT,
            1: upload.gateway,
            2: upload.epoch,
            3: upload.sequence,
            4: upload.oldest,
            5: upload.kind,
            6: upload.body,
        }
    )


def decode_upload(payload: bytes) -> Upload:
    """An upload from its CBOR; the body is not looked into."""
    fields = _Fields(payload, "upload")
    upload = Upload(
        fields.identifier(1),
        fields.integer(2),
        fields.integer(3),
        fields.integer(4),
        fields.one_of(5, UPLOAD_KINDS),
        fields.content(6),
    )
    fields.finish()
    if upload.oldest > upload.sequence:
        raise fields.fail(4, "must not exceed the sequence")
    return upload


def encode_judged(judged: Judged) -> bytes:
    """CBOR of judged readings."""
    return _dump(
        {
            0: FORMAT,
            1: judged.data,
            2: _typed(judged.gateway_scores),
            3: _typed(judged.fused_scores),
            4: _typed(judged.flags),
            5: _typed(judged.top_channels),
        }
    )


def decode_judged(payload: bytes) -> tuple[Judged, Data]:
    """Judged readings and the data message within, which must agree in length."""
    fields = _Fields(payload, "judged")
    judged = Judged(
        fields.content(1), fields.array(2, 86), fields.array(3, 86), fields.array(4, 64), fields.array(5, 69)
    )
    fields.finish()
    data = decode_data(judged.data)
    _same_length(
        fields,
        len(data),
        {2: judged.gateway_scores, 3: judged.fused_scores, 4: judged.flags, 5: judged.top_channels},
    )
    return judged, data


def encode_rescore(rescore: Rescore) -> bytes:
    """CBOR of a rescore."""
    return _dump(
        {
            0: FORMAT,
            1: rescore.device,
            2: rescore.boot,
            3: rescore.sequence,
            4: _typed(rescore.gateway_scores),
            5: _typed(rescore.fused_scores),
            6: _typed(rescore.flags),
            7: _typed(rescore.top_channels),
        }
    )


def decode_rescore(payload: bytes) -> Rescore:
    """A rescore from its CBOR."""
    fields = _Fields(payload, "rescore")
    rescore = Rescore(
        fields.identifier(1),
        fields.integer(2),
        fields.integer(3),
        fields.array(4, 86),
        fields.array(5, 86),
        fields.array(6, 64),
        fields.array(7, 69),
    )
    fields.finish()
    count = len(rescore.gateway_scores)
    _same_length(fields, count, {5: rescore.fused_scores, 6: rescore.flags, 7: rescore.top_channels})
    return rescore


def encode_alarm(alarm: Alarm) -> bytes:
    """CBOR of an alarm; what is not known is left out."""
    fields: dict[int, Any] = {
        0: FORMAT,
        1: alarm.identifier,
        2: alarm.asset,
        3: alarm.device,
        4: alarm.begin_ns,
        5: alarm.end_ns,
        6: float(alarm.peak_score),
        7: alarm.provisional,
        8: [[r.channel, r.feature, float(r.distance), r.sentence] for r in alarm.reasons],
    }
    if alarm.since_ns is not None:
        fields[9] = alarm.since_ns
    if alarm.detectors:
        fields[10] = list(alarm.detectors)
    if alarm.lines:
        fields[11] = [[x.name, float(x.hertz), x.channel, x.feature, x.sentence] for x in alarm.lines]
    if alarm.like is not None:
        fields[12] = [alarm.like.identifier, alarm.like.begin_ns, float(alarm.like.likeness)]
    return _dump(fields)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _is_time(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _is_entry(entry: Any, kinds: tuple[Callable[[Any], bool], ...]) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == len(kinds)
        and all(kind(value) for kind, value in zip(kinds, entry, strict=True))
    )


def _reason(fields: _Fields, entry: Any) -> Reason:
    if not _is_entry(entry, (_is_text, _is_text, _is_number, _is_text)):
        raise fields.fail(8, "must hold [channel, feature, distance, sentence] per reason")
    return Reason(*entry)


def _since(fields: _Fields) -> int | None:
    return fields.integer(9, -(2**63), 2**63 - 1) if fields.has(9) else None


def _detectors(fields: _Fields) -> tuple[str, ...]:
    found = fields.take(10) if fields.has(10) else []
    if not (isinstance(found, list) and all(map(_is_text, found))):
        raise fields.fail(10, "must list texts")
    return tuple(found)


def _lines(fields: _Fields) -> tuple[Line, ...]:
    found = fields.take(11) if fields.has(11) else []
    kinds = (_is_text, _is_number, _is_text, _is_text, _is_text)
    if not (isinstance(found, list) and all(_is_entry(entry, kinds) for entry in found)):
        raise fields.fail(11, "must hold [name, hertz, channel, feature, sentence] per line")
    return tuple(Line(*entry) for entry in found)


def _like(fields: _Fields) -> Resemblance | None:
    if not fields.has(12):
        return None
    entry = fields.take(12)
    if not _is_entry(entry, (_is_text, _is_time, _is_number)):
        raise fields.fail(12, "must be [id, begin, likeness]")
    return Resemblance(*entry)


def decode_alarm(payload: bytes) -> Alarm:
    """An alarm from its CBOR."""
    fields = _Fields(payload, "alarm")
    identifier, asset, device = fields.text(1), fields.text(2), fields.identifier(3)
    begin = fields.integer(4, -(2**63), 2**63 - 1)
    end = fields.take(5)
    if not (end is None or (type(end) is int and begin <= end < 2**63)):
        raise fields.fail(5, "must be null or not before the begin")
    peak, provisional, entries = fields.number(6), fields.take(7), fields.take(8)
    if type(provisional) is not bool:
        raise fields.fail(7, "must be true or false")
    if not isinstance(entries, list):
        raise fields.fail(8, "must list the reasons")
    reasons = tuple(_reason(fields, entry) for entry in entries)
    since, detectors, lines, like = _since(fields), _detectors(fields), _lines(fields), _like(fields)
    fields.finish()
    return Alarm(
        identifier, asset, device, begin, end, peak, provisional, reasons, since, detectors, lines, like
    )  # fmt: skip


def encode_counters(counters: Counters) -> bytes:
    """CBOR of loss counters."""
    return _dump(
        {
            0: FORMAT,
            1: counters.device,
            2: counters.boot,
            3: counters.produced,
            4: counters.stored,
            5: counters.lost,
            6: counters.duplicates,
            7: counters.late,
        }
    )


def decode_counters(payload: bytes) -> Counters:
    """Loss counters from their CBOR."""
    fields = _Fields(payload, "counters")
    counters = Counters(fields.identifier(1), *(fields.integer(key) for key in range(2, 8)))
    fields.finish()
    return counters

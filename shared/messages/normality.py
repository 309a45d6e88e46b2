"""What is said about normality: an operator's "this is normal", what became of it, and drift that was found.

`Normal` goes down, signed like a model image: whoever can publish at the broker cannot have a fault taken as normal.
`Answer` and `Drift` go up. Encoding and checks are those of `shared.messages.codec`.

>>> answer = Answer("0011223344556677", "acme/pump-1", "applied", "pump-1 learned 60 readings.", None)
>>> decode_answer(encode_answer(answer)) == answer
True
"""

import math
from dataclasses import dataclass
from typing import Any

from shared.errors import MessageError
from shared.messages.codec import FORMAT, _dump, _Fields

ANSWER_STATES = ("waiting", "applied", "refused")
#: How a change came: none (any more), at once, bit by bit, or coming and going.
DRIFT_KINDS = ("none", "sudden", "gradual", "recurring")
#: What the change looks like by its channels; empty where the kind is "none".
DRIFT_PATTERNS = ("", "operating point", "against the others", "unclear")
NAME_LIMIT = 80
_TIME_LIMIT = 2**63 - 1
_SIGNED_AS = b"tocsin: this is normal\n"


@dataclass(frozen=True, slots=True)
class Normal:
    """An operator's word that an asset is as it should be.

    `alarm` is the identifier of the alarm that the operator saw, empty if none stood: the word holds for nothing else.
    `since_ns`: since when it is normal, None for the beginning of the change. `asked_ns` is wall time.
    """

    identifier: str
    asset: str
    alarm: str
    since_ns: int | None
    asked_ns: int
    by: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a `Normal`, in a sentence; `time_ns` is that of the newest reading learned, None before."""

    identifier: str
    asset: str
    state: str
    sentence: str
    time_ns: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """By how much a channel moved: in healthy deviations, and in its unit."""

    channel: str
    deviations: float
    change: float
    unit: str


@dataclass(frozen=True, slots=True)
class Drift:
    """How a device stands to what was told normal, as of the reading at `time_ns`; `since_ns` is when it changed."""

    device: str
    asset: str
    kind: str
    pattern: str
    since_ns: int
    time_ns: int
    channels: tuple[Moved, ...]
    operating_point: str
    sentence: str


def signed_part(command: Normal) -> bytes:
    """The bytes that the signature of a command covers."""
    return _SIGNED_AS + _dump(_heading(command))


def encode_normal(command: Normal, key_id: bytes, signature: bytes) -> bytes:
    """CBOR of a command; `key_id` has 8 bytes, `signature` is the Ed25519 one (64) of its `signed_part`."""
    return _dump(_heading(command) | {7: key_id, 8: signature})


def decode_normal(payload: bytes) -> tuple[Normal, bytes, bytes]:
    """A command, the identifier of its key and its signature, which is not checked here."""
    fields = _Fields(payload, "normal")
    identifier, asset, alarm = fields.identifier(1), fields.text(2), fields.text(3)
    command = Normal(
        identifier,
        asset,
        alarm,
        _time_or_none(fields, 4),
        fields.integer(5, 0, _TIME_LIMIT),
        fields.text(6, NAME_LIMIT),
    )
    key_id, signature = fields.content(7), fields.content(8)
    fields.finish()
    if (len(key_id), len(signature)) != (8, 64):
        raise MessageError("normal message: fields 7 and 8 must have 8 and 64 bytes")
    return command, key_id, signature


def encode_answer(answer: Answer) -> bytes:
    """CBOR of an answer."""
    return _dump(
        {0: FORMAT, 1: answer.identifier, 2: answer.asset, 3: answer.state, 4: answer.sentence, 5: answer.time_ns}
    )


def decode_answer(payload: bytes) -> Answer:
    """An answer from its CBOR."""
    fields = _Fields(payload, "answer")
    answer = Answer(
        fields.identifier(1), fields.text(2), fields.one_of(3, ANSWER_STATES), fields.text(4), _time_or_none(fields, 5)
    )
    fields.finish()
    return answer


def encode_drift(drift: Drift) -> bytes:
    """CBOR of a drift."""
    return _dump(
        {
            0: FORMAT,
            1: drift.device,
            2: drift.asset,
            3: drift.kind,
            4: drift.pattern,
            5: drift.since_ns,
            6: drift.time_ns,
            7: [[moved.channel, moved.deviations, moved.change, moved.unit] for moved in drift.channels],
            8: drift.operating_point,
            9: drift.sentence,
        }
    )


def decode_drift(payload: bytes) -> Drift:
    """A drift from its CBOR."""
    fields = _Fields(payload, "drift")
    device, asset = fields.identifier(1), fields.text(2)
    kind, pattern = fields.one_of(3, DRIFT_KINDS), fields.one_of(4, DRIFT_PATTERNS)
    since, time = (fields.integer(key, -_TIME_LIMIT, _TIME_LIMIT) for key in (5, 6))
    channels = fields.take(7)
    if not isinstance(channels, list) or not all(map(_is_moved, channels)):
        raise fields.fail(7, "must list [channel, deviations, change, unit]")
    operating_point, sentence = fields.text(8), fields.text(9)
    fields.finish()
    moved = tuple(Moved(*entry) for entry in channels)
    return Drift(device, asset, kind, pattern, since, time, moved, operating_point, sentence)


def _heading(command: Normal) -> dict[int, Any]:
    return {
        0: FORMAT,
        1: command.identifier,
        2: command.asset,
        3: command.alarm,
        4: command.since_ns,
        5: command.asked_ns,
        6: command.by,
    }


def _time_or_none(fields: _Fields, key: int) -> int | None:
    value = fields.take(key)
    if value is not None and (type(value) is not int or not -_TIME_LIMIT <= value <= _TIME_LIMIT):
        raise fields.fail(key, "must be a time in ns or null")
    return value


def _is_moved(entry: Any) -> bool:
    return (
        isinstance(entry, list)
        and [type(part) for part in entry] == [str, float, float, str]
        and math.isfinite(entry[1])
        and math.isfinite(entry[2])
    )

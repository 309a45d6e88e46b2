"""What a handful of uploads means: pure, so that it can be worked out again when a write failed.

Exactly the next upload of a (gateway, epoch) is taken. A lower one is a duplicate. A higher one is taken if the
gateway no longer holds what is missing, which is then lost for good; otherwise it is left for the gateway to repeat.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cloud.storage.facts import Fact, Source
from cloud.storage.port import Batch, Block, Mark
from shared import topics
from shared.errors import MessageError
from shared.messages import codec, normality
from shared.messages.codec import Upload

#: Counted under this epoch: uploads of which not even the heading could be read.
UNREADABLE_EPOCH = -1
#: Sequences beyond this would not fit with a message's length into the 64 bits of the store.
SEQUENCE_LIMIT = 2**62
_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Arrived:
    """An MQTT message as it came; `received_ns` is wall time, UTC."""

    topic: str
    payload: bytes
    received_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """What to write, and what to say: `refusals` are sentences for the log, `heard` the (gateway, epoch) to answer."""

    batch: Batch
    facts: list[Fact]
    refusals: list[str]
    heard: tuple[tuple[str, int], ...]


def next_mark(mark: Mark, upload: Upload) -> tuple[Mark, bool]:
    """The mark after an upload came, and whether the upload is taken.

    >>> mark = Mark("g", 7, next_sequence=3)
    >>> next_mark(mark, Upload("g", 7, 3, 0, "state", b""))[1]
    True
    >>> after, taken = next_mark(mark, Upload("g", 7, 2, 0, "state", b""))
    >>> taken, after.duplicates, after.next_sequence
    (False, 1, 3)
    >>> after, taken = next_mark(mark, Upload("g", 7, 9, 3, "state", b""))  # 3 to 8 are still held: wait for them
    >>> taken, after.early, after.next_sequence
    (False, 1, 3)
    >>> after, taken = next_mark(mark, Upload("g", 7, 9, 8, "state", b""))  # 3 to 7 are gone, 8 is still held
    >>> taken, after.lost, after.next_sequence
    (False, 5, 8)
    >>> after, taken = next_mark(mark, Upload("g", 7, 9, 9, "state", b""))
    >>> taken, after.lost, after.next_sequence
    (True, 6, 10)
    """
    missing = max(upload.oldest - mark.next_sequence, 0)
    mark = replace(mark, lost=mark.lost + missing, next_sequence=mark.next_sequence + missing)
    if upload.sequence < mark.next_sequence:
        return replace(mark, duplicates=mark.duplicates + 1), False
    if upload.sequence > mark.next_sequence:
        return replace(mark, early=mark.early + 1), False
    return replace(mark, next_sequence=upload.sequence + 1, taken=mark.taken + 1), True


def assemble(messages: Iterable[Arrived], marks: Mapping[tuple[str, int], Mark], received_ns: int) -> Assembled:
    """What `messages`, in the order they came, add to a store whose marks are `marks`."""
    changed: dict[tuple[str, int], Mark] = {}
    blocks: list[Block] = []
    rescores: list[codec.Rescore] = []
    facts: list[Fact] = []
    refusals: list[str] = []
    heard: dict[tuple[str, int], None] = {}
    for message in messages:
        gateway = topics.gateway_of(message.topic)
        try:
            upload = _upload(message.payload, gateway)
        except MessageError as error:
            key = (gateway, UNREADABLE_EPOCH)
            mark = changed.get(key) or marks.get(key) or Mark(*key)
            changed[key] = replace(
                mark, undecodable=mark.undecodable + 1, received_bytes=mark.received_bytes + len(message.payload)
            )
            refusals.append(f"message on {message.topic} refused: {error}")
            continue
        key = (upload.gateway, upload.epoch)
        heard[key] = None
        mark, taken = next_mark(changed.get(key) or marks.get(key) or Mark(*key), upload)
        mark = replace(mark, received_bytes=mark.received_bytes + len(message.payload))
        if taken:
            try:
                _open(upload, message.received_ns, blocks, rescores, facts)
            except MessageError as error:
                mark = replace(mark, undecodable=mark.undecodable + 1)
                refusals.append(f"upload {upload.sequence} of gateway {gateway} refused: {error}")
        changed[key] = mark
    alarms = tuple(fact.what for fact in facts if isinstance(fact.what, codec.Alarm))
    batch = Batch(tuple(blocks), tuple(rescores), tuple(changed.values()), received_ns, alarms)
    return Assembled(batch, facts, refusals, tuple(heard))


def _upload(payload: bytes, gateway: str) -> Upload:
    upload = codec.decode_upload(payload)
    if upload.gateway != gateway:
        raise MessageError(f"upload message: names gateway {upload.gateway} on the topic of {gateway}")
    if upload.sequence > SEQUENCE_LIMIT:
        raise MessageError(f"upload message: sequence {upload.sequence} is beyond {SEQUENCE_LIMIT}")
    return upload


def _open(
    upload: Upload, received_ns: int, blocks: list[Block], rescores: list[codec.Rescore], facts: list[Fact]
) -> None:
    """Decode the body into where it belongs; nothing is added when it raises `MessageError`."""
    source = Source(upload.gateway, upload.epoch, upload.sequence)
    if upload.kind == "readings":
        judged, data = codec.decode_judged(upload.body)
        _bounded("data", data.sequence)
        facts.append(Fact(source, data, received_ns))
        blocks.append(Block(data, judged))
    elif upload.kind == "rescore":
        rescore = codec.decode_rescore(upload.body)
        _bounded("rescore", rescore.sequence)
        rescores.append(rescore)
    elif upload.kind == "birth":
        facts.append(Fact(source, codec.decode_birth(upload.body), received_ns))
    elif upload.kind == "alarm":
        alarm = codec.decode_alarm(upload.body)
        if alarm.end_ns is not None and alarm.end_ns > _INT64:
            raise MessageError(f"alarm message: end {alarm.end_ns} is beyond 64 bits")
        facts.append(Fact(source, alarm, received_ns))
    elif upload.kind == "state":
        facts.append(Fact(source, codec.decode_state(upload.body), received_ns))
    elif upload.kind == "answer":
        facts.append(Fact(source, normality.decode_answer(upload.body), received_ns))
    elif upload.kind == "drift":
        facts.append(Fact(source, normality.decode_drift(upload.body), received_ns))
    else:
        facts.append(Fact(source, codec.decode_counters(upload.body), received_ns))


def _bounded(what: str, sequence: int) -> None:
    if sequence > SEQUENCE_LIMIT:
        raise MessageError(f"{what} message: sequence {sequence} is beyond {SEQUENCE_LIMIT}")

"""Where a data message stands in its device's order: next, duplicate, lost or not yet.

Values in, values out. The rule of `docs/architecture.md`: exactly the next sequence is taken; lower is a duplicate;
higher is loss if the sensor no longer holds what is missing, else it is left for the sensor to repeat.

>>> cursor = Cursor("pump-1")
>>> place(cursor, boot=0, sequence=0, readings=16, oldest=0)
Placement(verdict='take', skip=0, lost=0)
>>> cursor = advance(cursor, place(cursor, 0, 0, 16, 0), boot=0, sequence=0, times_ns=list(range(16)))
>>> cursor.next_sequence, cursor.stored
(16, 16)
>>> place(cursor, boot=0, sequence=0, readings=16, oldest=0).verdict
'duplicate'
>>> place(cursor, boot=0, sequence=32, readings=16, oldest=0).verdict
'gap'
>>> place(cursor, boot=0, sequence=32, readings=16, oldest=20)
Placement(verdict='gap', skip=0, lost=4)
>>> place(cursor, boot=0, sequence=32, readings=16, oldest=32)
Placement(verdict='take', skip=0, lost=16)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["take", "duplicate", "stale", "gap"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a device's readings have come, and the accounts of its boot: ``produced == stored + lost`` when at rest.

    `boot` is -1 before the first reading. `produced` is the highest sequence announced so far, plus one.
    `newest_ns` is the latest time of any reading of the device, None before the first; it only counts late readings
    and never decides order.
    """

    device: str
    boot: int = -1
    next_sequence: int = 0
    produced: int = 0
    stored: int = 0
    lost: int = 0
    duplicates: int = 0
    late: int = 0
    newest_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """What to do with a message: write off `lost` readings that the sensor no longer holds; take it from `skip` on."""

    verdict: Verdict
    skip: int = 0
    lost: int = 0


def place(cursor: Cursor, boot: int, sequence: int, readings: int, oldest: int) -> Placement:
    """Where readings ``sequence .. sequence + readings - 1`` of `boot` stand.

    `oldest` is the lowest sequence that the sensor still holds. A message that begins below the mark and ends above
    it is taken from the mark on.
    """
    if boot < cursor.boot:
        return Placement("stale")
    expected = cursor.next_sequence if boot == cursor.boot else 0
    lost = max(0, oldest - expected)
    expected += lost
    if sequence + readings <= expected:
        return Placement("duplicate")
    if sequence <= expected:
        return Placement("take", expected - sequence, lost)
    return Placement("gap", lost=lost)


def close(cursor: Cursor) -> Cursor:
    """The accounts of a boot that has ended: what it announced and did not deliver is lost."""
    return replace(cursor, lost=cursor.lost + cursor.produced - cursor.next_sequence)


def advance(cursor: Cursor, placement: Placement, boot: int, sequence: int, times_ns: Sequence[int]) -> Cursor:
    """The cursor after a placed message with readings at `times_ns` (all of them, skipped ones included).

    On the first message taken from a newer boot the accounts start again; call `close` for those of the old one.
    """
    readings = len(times_ns)
    if placement.verdict in ("stale", "duplicate"):
        return replace(cursor, duplicates=cursor.duplicates + readings)
    if placement.verdict == "gap":
        if boot > cursor.boot:  # a newer boot begins with its first reading that can be taken
            return cursor
        return replace(
            cursor,
            next_sequence=cursor.next_sequence + placement.lost,
            produced=max(cursor.produced, sequence + readings),
            lost=cursor.lost + placement.lost,
        )
    if boot > cursor.boot:
        cursor = Cursor(cursor.device, boot, newest_ns=cursor.newest_ns)
    newest, late = cursor.newest_ns, 0
    for time_ns in times_ns[placement.skip :]:
        if newest is not None and time_ns < newest:
            late += 1
        else:
            newest = time_ns
    return replace(
        cursor,
        next_sequence=sequence + readings,
        produced=max(cursor.produced, sequence + readings),
        stored=cursor.stored + readings - placement.skip,
        lost=cursor.lost + placement.lost,
        duplicates=cursor.duplicates + placement.skip,
        late=cursor.late + late,
        newest_ns=newest,
    )

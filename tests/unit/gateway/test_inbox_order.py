"""Sequences in, sequences out: whatever the network does, every reading is taken once or counted as lost."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gateway.inbox import Cursor, advance, close, place


def take(cursor: Cursor, boot: int, sequence: int, readings: int, oldest: int) -> tuple[Cursor, range]:
    """The cursor afterwards and the sequences that were taken."""
    placement = place(cursor, boot, sequence, readings, oldest)
    after = advance(cursor, placement, boot, sequence, [sequence + i for i in range(readings)])
    taken = range(sequence + placement.skip, sequence + readings) if placement.verdict == "take" else range(0)
    return after, taken


def test_first_message_is_taken_from_zero():
    cursor, taken = take(Cursor("a"), 0, 0, 16, 0)
    assert taken == range(16)
    assert (cursor.boot, cursor.next_sequence, cursor.produced, cursor.stored) == (0, 16, 16, 16)


def test_a_repeated_message_is_counted_and_dropped():
    cursor, _ = take(Cursor("a"), 0, 0, 16, 0)
    cursor, taken = take(cursor, 0, 0, 16, 0)
    assert not taken
    assert (cursor.duplicates, cursor.stored) == (16, 16)


def test_an_overlapping_message_is_taken_from_the_mark():
    cursor, _ = take(Cursor("a"), 0, 0, 10, 0)
    cursor, taken = take(cursor, 0, 4, 16, 0)
    assert taken == range(10, 20)
    assert (cursor.duplicates, cursor.stored, cursor.next_sequence) == (6, 20, 20)


def test_a_gap_that_the_sensor_still_holds_is_left_to_it():
    cursor, _ = take(Cursor("a"), 0, 0, 16, 0)
    cursor, taken = take(cursor, 0, 32, 16, 16)
    assert not taken
    assert (cursor.next_sequence, cursor.lost, cursor.produced) == (16, 0, 48)


def test_a_gap_that_nobody_holds_is_lost_and_counted():
    cursor, _ = take(Cursor("a"), 0, 0, 16, 0)
    cursor, taken = take(cursor, 0, 32, 16, 32)
    assert taken == range(32, 48)
    assert (cursor.lost, cursor.stored, cursor.produced) == (16, 32, 48)


def test_what_is_lost_within_a_gap_is_written_off_at_once():
    cursor, _ = take(Cursor("a"), 0, 0, 16, 0)
    cursor, taken = take(cursor, 0, 32, 16, 20)
    assert not taken
    assert (cursor.lost, cursor.next_sequence) == (4, 20)


def test_a_new_boot_begins_at_zero_and_closes_the_old_accounts():
    cursor, _ = take(Cursor("a"), 3, 0, 16, 0)
    cursor, _ = take(cursor, 3, 32, 16, 16)
    closed = close(cursor)
    assert closed.produced == closed.stored + closed.lost == 48
    cursor, taken = take(cursor, 4, 0, 8, 0)
    assert taken == range(8)
    assert (cursor.boot, cursor.stored, cursor.lost, cursor.produced) == (4, 8, 0, 8)


def test_a_new_boot_does_not_begin_with_a_gap():
    cursor, _ = take(Cursor("a"), 3, 0, 16, 0)
    after, taken = take(cursor, 4, 16, 16, 0)
    assert not taken
    assert after == cursor


def test_an_earlier_boot_is_stale():
    cursor, _ = take(Cursor("a"), 3, 0, 16, 0)
    cursor, taken = take(cursor, 2, 16, 16, 0)
    assert not taken
    assert (cursor.boot, cursor.next_sequence, cursor.duplicates) == (3, 16, 16)


def test_late_readings_are_counted_and_decide_nothing():
    placement = place(Cursor("a"), 0, 0, 4, 0)
    cursor = advance(Cursor("a"), placement, 0, 0, [10, 2**62, 30, 40])
    assert (cursor.stored, cursor.late, cursor.next_sequence) == (4, 2, 4)


@dataclass
class Sensor:
    """A sensor that holds at most `room` messages of `size` readings and repeats from the mark."""

    size: int
    room: int
    mark: int = 0
    produced: int = 0
    oldest: int = 0

    def produce(self) -> None:
        self.produced += self.size
        self.oldest = max(self.oldest, self.produced - self.room * self.size)

    def hear(self, mark: int) -> None:
        self.mark = max(self.mark, mark)
        self.oldest = max(self.oldest, mark // self.size * self.size)

    def messages(self) -> list[tuple[int, int, int]]:
        return [(first, self.size, self.oldest) for first in range(self.oldest, self.produced, self.size)]


@given(
    size=st.integers(1, 5),
    room=st.integers(1, 6),
    rounds=st.lists(st.tuples(st.integers(0, 8), st.lists(st.integers(0, 50), max_size=12)), max_size=12),
)
def test_every_reading_is_taken_once_or_lost_whatever_the_network_does(size, room, rounds):
    sensor, cursor = Sensor(size, room), Cursor("a")
    on_the_wire: list[tuple[int, int, int]] = []
    stored: list[int] = []
    for production, deliveries in rounds:
        for _ in range(production):
            sensor.produce()
            on_the_wire.append((sensor.produced - size, size, sensor.oldest))
        for pick in deliveries:  # any message that was ever sent, in any order, any number of times
            if on_the_wire:
                sequence, readings, oldest = on_the_wire[pick % len(on_the_wire)]
                cursor, taken = take(cursor, 0, sequence, readings, oldest)
                stored.extend(taken)
                sensor.hear(cursor.next_sequence)
        on_the_wire.extend(sensor.messages())
    for sequence, readings, oldest in sensor.messages():  # the network recovers
        cursor, taken = take(cursor, 0, sequence, readings, oldest)
        stored.extend(taken)
    assert stored == sorted(set(stored))
    assert len(stored) == cursor.stored
    if sensor.messages():
        assert cursor.produced == sensor.produced == cursor.stored + cursor.lost == cursor.next_sequence

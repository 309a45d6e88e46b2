"""The device's buffer against a model that keeps single readings."""

import cbor2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware.micropython.buffer import Buffer
from shared.messages import codec, compact

DEVICE = "pump-1"


def parts(sequence, readings, filling=0):
    """Head and tail of a message that decodes."""
    tail = compact.data_tail(
        0, 0, 0, bytes(8 * readings), bytes(4 * readings), bytes(2 * readings), bytes(4 * readings)
    )
    return compact.data_head(DEVICE, 1, sequence), tail + bytes(filling)


class BufferMachine(RuleBasedStateMachine):
    """`messages` of the model: [first, readings, bytes] that are neither stored nor lost, in order."""

    @initialize(limit=st.integers(1, 4000))
    def begin(self, limit):
        self.buffer = Buffer(limit)
        self.limit = limit
        self.messages = []
        self.end = self.mark = self.lost = 0
        self.stored = 0
        self.sent = 0  # everything of the model below this was taken since the last repeat

    @rule(readings=st.integers(1, 16))
    def add(self, readings):
        head, tail = parts(self.end, readings)
        self.buffer.add(self.end, readings, head, tail)
        self.messages.append([self.end, readings, len(head + tail)])
        self.end += readings
        while len(self.messages) > 1 and sum(size for _, _, size in self.messages) > self.limit:
            self.lost += self.messages.pop(0)[1]

    def _store(self, mark):
        self.buffer.stored(mark)
        self.mark = mark
        while self.messages and self.messages[0][0] + self.messages[0][1] <= mark:
            self.stored += self.messages.pop(0)[1]

    @rule(choice=st.integers(0, 1000))
    def mark_at_the_end_of_a_message(self, choice):
        ends = [first + readings for first, readings, _ in self.messages]
        if ends:
            self._store(ends[choice % len(ends)])

    @rule(choice=st.integers(0, 1000))
    def mark_anywhere_ahead(self, choice):
        self._store(self.mark + choice % (self.end - self.mark + 1))

    @rule(back=st.integers(1, 100), beyond=st.integers(1, 2**62))
    def marks_that_cannot_be(self, back, beyond):
        self.buffer.stored(self.mark - back)
        self.buffer.stored(self.end + beyond)

    @rule()
    def repeat(self):
        self.buffer.repeat()
        self.sent = 0

    @rule(times=st.integers(1, 5))
    def take(self, times):
        for _ in range(times):
            waiting = [(first, readings) for first, readings, _ in self.messages if first >= self.sent]
            message = self.buffer.take()
            if not waiting:
                assert message is None
                return
            first, readings = waiting[0]
            data = codec.decode_data(message)
            assert (data.sequence, len(data), data.oldest) == (first, readings, self.messages[0][0])
            assert cbor2.dumps(cbor2.loads(message), canonical=True) == message
            self.sent = first + readings

    @invariant()
    def agrees(self):
        held = [(first, readings) for first, readings, _ in self.messages]
        assert [(first, readings) for first, readings, _, _ in self.buffer.entries] == held
        assert self.buffer.oldest() == (held[0][0] if held else self.end)
        assert self.buffer.mark == self.mark
        assert self.buffer.end == self.end
        assert self.buffer.lost == self.lost
        assert self.lost + self.stored + sum(readings for _, readings in held) == self.end
        assert self.buffer.size_bytes == sum(size for _, _, size in self.messages)
        assert self.buffer.size_bytes <= self.limit or len(held) == 1
        assert self.buffer.in_flight() == sum(first < self.sent for first, _ in held)


BufferMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestBuffer = BufferMachine.TestCase


def add(buffer, sequence, readings=4):
    buffer.add(sequence, readings, *parts(sequence, readings))


def taken(buffer):
    found = []
    while (message := buffer.take()) is not None:
        data = codec.decode_data(message)
        found.append((data.oldest, data.sequence))
    return found


def test_a_message_sent_again_names_the_oldest_of_now():
    buffer = Buffer(10_000)
    for sequence in (0, 4, 8):
        add(buffer, sequence)
    assert taken(buffer) == [(0, 0), (0, 4), (0, 8)]
    assert taken(buffer) == []
    buffer.stored(4)
    buffer.repeat()
    assert taken(buffer) == [(4, 4), (4, 8)]


def test_a_mark_within_a_message_keeps_the_message():
    buffer = Buffer(10_000)
    add(buffer, 0)
    buffer.stored(3)
    assert (buffer.oldest(), buffer.mark) == (0, 3)
    buffer.stored(4)
    assert (buffer.oldest(), buffer.entries, buffer.size_bytes) == (4, [], 0)


def test_a_message_larger_than_the_buffer_is_kept_until_the_next():
    buffer = Buffer(10)
    add(buffer, 0, 16)
    assert taken(buffer) == [(0, 0)]
    add(buffer, 16, 16)
    assert (buffer.lost, buffer.oldest()) == (16, 16)
    assert taken(buffer) == [(16, 16)]


def test_an_overflow_while_messages_are_on_their_way_goes_on_in_order():
    buffer = Buffer(3 * sum(map(len, parts(0, 4))))
    for sequence in range(0, 12, 4):
        add(buffer, sequence)
    buffer.take()
    add(buffer, 12)
    add(buffer, 16)
    assert buffer.lost == 8
    assert taken(buffer) == [(8, 8), (8, 12), (8, 16)]
    buffer.stored(8)  # what is lost may still have arrived
    assert (buffer.mark, buffer.oldest(), buffer.in_flight()) == (8, 8, 3)

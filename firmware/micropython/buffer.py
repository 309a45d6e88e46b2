"""Messages that the gateway has not reported as stored yet; the oldest go, counted, when there is no more room.

The broker's acknowledgement frees nothing: only the gateway's mark does.

>>> buffer = Buffer(1000)
>>> buffer.add(0, 16, b"head", b"tail")
>>> buffer.add(16, 16, b"head", b"tail")
>>> buffer.stored(16)
>>> buffer.oldest(), len(buffer.entries), buffer.lost
(16, 1, 0)
"""

from shared.messages import compact


class Buffer:
    """A bounded store of one boot's messages, `limit_bytes` in all."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        #: (sequence, readings, head, tail), oldest first.
        self.entries: "list[tuple[int, int, bytes, bytes]]" = []
        self.size_bytes = 0
        #: Readings below this are stored at the gateway.
        self.mark = 0
        #: The reading that follows the newest message.
        self.end = 0
        #: Readings dropped for want of room before they were stored.
        self.lost = 0
        #: The next reading to hand to the link.
        self.next_to_send = 0

    def add(self, sequence: int, readings: int, head: bytes, tail: bytes) -> None:
        """Keep a message; the signature fits `Device.take_message`."""
        self.entries.append((sequence, readings, head, tail))
        self.size_bytes += len(head) + len(tail)
        self.end = sequence + readings
        while self.size_bytes > self.limit_bytes and len(self.entries) > 1:
            _, dropped, old_head, old_tail = self.entries.pop(0)
            self.size_bytes -= len(old_head) + len(old_tail)
            self.lost += dropped

    def oldest(self) -> int:
        """The oldest reading that can still be sent; the end when there is none."""
        return self.entries[0][0] if self.entries else self.end

    def stored(self, next_sequence: int) -> None:
        """The gateway has everything below `next_sequence`; a mark that goes back or beyond the end is ignored."""
        if not self.mark <= next_sequence <= self.end:
            return
        self.mark = next_sequence
        while self.entries and self.entries[0][0] + self.entries[0][1] <= next_sequence:
            _, _, head, tail = self.entries.pop(0)
            self.size_bytes -= len(head) + len(tail)

    def repeat(self) -> None:
        """Send everything from the mark again."""
        self.next_to_send = self.oldest()

    def take(self) -> "bytes | None":
        """The next message to send, encoded now, or None when all are on their way."""
        for sequence, readings, head, tail in self.entries:
            if sequence >= self.next_to_send:
                self.next_to_send = sequence + readings
                return head + compact.data_oldest(self.oldest()) + tail
        return None

    def in_flight(self) -> int:
        """Messages sent and not yet stored."""
        count = 0
        for entry in self.entries:
            if entry[0] >= self.next_to_send:
                break
            count += 1
        return count

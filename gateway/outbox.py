"""Which uploads go out when: in order, at most a window of them unconfirmed, and again from the mark after silence.

Values in, values out; the time is handed in. The store holds the uploads, the uplink carries them.

The first silence is answered by everything from the mark. While the silence lasts, only the first upload is sent, at
growing intervals: a broker that keeps a queue for a cloud that is away for days must not be filled with copies.

>>> window = Outbox(mark=0, limit=2, repeat_seconds=2.0)
>>> window.due(end=5, now=0.0)
range(0, 2)
>>> window.due(end=5, now=0.1)
range(2, 2)
>>> window.confirmed(1, now=0.2)
True
>>> window.due(end=5, now=0.2)
range(2, 3)
>>> window.due(end=5, now=2.3)   # silence since 0.2: everything from the mark again
range(1, 3)
>>> window.due(end=5, now=4.4)   # and still silence: one upload, to ask
range(1, 2)
"""

#: Longest pause between two attempts to reach a cloud that says nothing.
LONGEST_PAUSE_SECONDS = 60.0


class Outbox:
    """The window of uploads on the wire.

    Parameters
    ----------
    mark
        The first sequence that the cloud may not have yet.
    limit
        At most so many uploads are unconfirmed at a time.
    repeat_seconds
        When uploads are on the wire and no mark came for so long, they are sent again.
    """

    def __init__(self, mark: int, limit: int = 64, repeat_seconds: float = 2.0) -> None:
        self.mark = mark
        self.sent = mark
        self._limit = limit
        self._repeat_seconds = repeat_seconds
        self._quiet_since = 0.0
        self._silences = 0

    def due(self, end: int, now: float) -> range:
        """Sequences to send now; `end` is the sequence after the last upload that exists. They count as sent."""
        if self.sent > self.mark and now - self._quiet_since >= self._patience():
            self._silences += 1
            self.sent = self.mark
        if self.sent == self.mark:
            self._quiet_since = now
        window = self._limit if self._silences < 2 else 1
        first, self.sent = self.sent, max(self.sent, min(end, self.mark + window))
        return range(first, self.sent)

    def confirmed(self, next_sequence: int, now: float) -> bool:
        """The cloud has everything below `next_sequence`. Whether that is news."""
        self._silences = 0
        if next_sequence <= self.mark:
            return False
        self._quiet_since = now
        self.mark = next_sequence
        self.sent = max(self.sent, next_sequence)
        return True

    def restart(self, mark: int) -> None:
        """Send from `mark` again at once: what was on the wire is gone."""
        self.mark = self.sent = mark

    def _patience(self) -> float:
        return min(self._repeat_seconds * 2.0 ** min(max(0, self._silences - 1), 30), LONGEST_PAUSE_SECONDS)

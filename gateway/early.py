"""What came before the birth of its device: kept for a while, in memory, within limits.

States and releases are retained at the broker, which sends them again with every connection; so nothing is lost for
good when the oldest go.
"""

#: A broker that anybody may write to can invent devices without end: beyond these the oldest go.
EARLY_MESSAGES = 1000
EARLY_BYTES = 64 << 20


class Early:
    """The last message of each device that is not known yet.

    >>> early = Early(messages=2)
    >>> for device in ("a", "b", "a", "c"):
    ...     early.put(device, device.encode())
    >>> early.take("a"), early.take("b"), early.take("c"), len(early)
    (b'a', None, b'c', 0)
    """

    def __init__(self, messages: int = EARLY_MESSAGES, size_bytes: int = EARLY_BYTES) -> None:
        self._messages_limit = messages
        self._bytes_limit = size_bytes
        self._kept: dict[str, bytes] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, device: str, payload: bytes) -> None:
        """Keep the message in place of an earlier one of `device`; the oldest of others make room for it."""
        self.take(device)
        self._kept[device] = payload
        self._bytes += len(payload)
        while len(self._kept) > self._messages_limit or self._bytes > self._bytes_limit:
            self.take(next(iter(self._kept)))

    def take(self, device: str) -> bytes | None:
        """The message of `device`, which is kept no longer; None if there is none."""
        payload = self._kept.pop(device, None)
        self._bytes -= len(payload or b"")
        return payload

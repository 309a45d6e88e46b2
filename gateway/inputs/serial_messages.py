"""From the frames of one serial line to messages under the topics of MQTT, so that everything behind is the same code.

A line is one device at a time, the one that its last birth names. Before any birth a message names its device itself;
what then cannot be read waits for the birth.
"""

from collections import deque

from shared import topics
from shared.errors import MessageError
from shared.messages import codec
from shared.serial import framing

#: Messages that can wait for a birth; beyond these the oldest go and are counted as refused.
EARLY_MESSAGES = 16


class SerialMessages:
    """What one line says between its connect and its end. `refused` counts frames that lead to no message.

    >>> messages = SerialMessages()
    >>> state = codec.encode_state(codec.State("pump-1", 1, 0, "started", 0, ""))
    >>> [topic for topic, _ in messages.take(framing.STATE, state)], messages.device
    (['tocsin/v1/device/pump-1/state'], 'pump-1')
    """

    def __init__(self) -> None:
        #: Who speaks on the line; None until it is known.
        self.device: str | None = None
        self.birth: codec.Birth | None = None
        self.refused = 0
        self._early: deque[tuple[int, bytes]] = deque()

    def take(self, kind: int, body: bytes) -> list[tuple[str, bytes]]:
        """The messages (topic, payload) that this frame completes, in order; kinds that are no message are refused."""
        if kind == framing.BIRTH:
            return self._take_birth(body)
        if kind not in (framing.DATA, framing.STATE):
            self.refused += 1  # an echo of what the gateway sent, or a frame of a newer device
            return []
        if self.birth is None:
            named = _named(kind, body)
            if named is None and self.device is None:
                self._early.append((kind, body))
                if len(self._early) > EARLY_MESSAGES:
                    self._early.popleft()
                    self.refused += 1
                return []
            self.device = named or self.device
        return [(_topic(kind, self.device or ""), body)]

    def _take_birth(self, body: bytes) -> list[tuple[str, bytes]]:
        try:
            birth = codec.decode_birth(body)
        except MessageError:
            if self.device is None:
                self.refused += 1
                return []
            return [(topics.birth(self.device), body)]  # refused, counted and told where every such message is
        self.birth, self.device = birth, birth.profile.device
        messages = [(topics.birth(self.device), body)]
        messages += [(_topic(kind, self.device), early) for kind, early in self._early]
        self._early.clear()
        return messages


def _topic(kind: int, device: str) -> str:
    return topics.data(device) if kind == framing.DATA else topics.state(device)


def _named(kind: int, body: bytes) -> str | None:
    try:
        return codec.decode_data(body).device if kind == framing.DATA else codec.decode_state(body).device
    except MessageError:
        return None

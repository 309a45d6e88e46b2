"""Which earlier alarm an alarm is like: the same channels, strange in the same ways.

An alarm's signature holds how much each way of being strange (device, channel, feature, direction) explains. Alarms
are alike as far as the directions of their signatures agree: their cosine.
"""

import math

from gateway.explanation.explanation import Signature
from shared.messages.codec import Resemblance

#: Past alarms of an asset that are remembered, the newest ones.
REMEMBERED = 16
#: Ways of being strange that are remembered of each, the heaviest.
WAYS = 6
#: Alarms less alike than this are not called alike.
ALIKE = 0.7


def likeness(first: Signature, second: Signature) -> float:
    """The cosine of two signatures, 0 to 1.

    >>> round(likeness({"a/flow/mean+": 1.0}, {"a/flow/mean+": 1.0, "a/pressure/mean-": 1.0}), 3)
    0.707
    """
    along = sum(weight * second.get(name, 0.0) for name, weight in first.items())
    lengths = math.hypot(*first.values()) * math.hypot(*second.values())
    return min(along / lengths, 1.0) if lengths > 0.0 else 0.0


class PastAlarms:
    """Signatures of the newest alarms of an asset that ended.

    >>> past = PastAlarms()
    >>> past.remember("a1", 100, {"a/flow/mean+": 1.0})
    >>> past.nearest({"a/flow/mean+": 0.9, "a/pressure/mean+": 0.1}).identifier
    'a1'
    >>> past.nearest({"a/flow/mean-": 0.9}) is None
    True
    """

    def __init__(self) -> None:
        self._known: list[tuple[str, int, Signature]] = []

    def remember(self, identifier: str, begin_ns: int, signature: Signature) -> None:
        """Keep an alarm that ended; the oldest beyond `REMEMBERED` is forgotten."""
        if signature:
            heaviest = sorted(signature.items(), key=lambda item: (-item[1], item[0]))[:WAYS]
            self._known = [*self._known, (identifier, begin_ns, dict(heaviest))][-REMEMBERED:]

    def nearest(self, signature: Signature) -> Resemblance | None:
        """The earlier alarm that is most like this one, the newest of equals; None where none is alike."""
        found: Resemblance | None = None
        for identifier, begin_ns, known in self._known:
            alike = likeness(signature, known)
            if alike >= ALIKE and (found is None or alike >= found.likeness):
                found = Resemblance(identifier, begin_ns, alike)
        return found

    def fields(self) -> list[list[object]]:
        """Everything that later answers depend on."""
        return [[identifier, begin_ns, signature] for identifier, begin_ns, signature in self._known]

    @classmethod
    def from_fields(cls, fields: list[list[object]]) -> "PastAlarms":
        """The alarms whose `fields` these are; TypeError or ValueError when they are none."""
        restored = cls()
        for identifier, begin_ns, signature in fields:
            if not (isinstance(identifier, str) and isinstance(begin_ns, int) and isinstance(signature, dict)):
                raise ValueError("a past alarm has another form")
            restored._known.append((identifier, begin_ns, signature))
        return restored

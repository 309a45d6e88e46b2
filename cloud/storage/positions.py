"""Which readings of a block are new: the rule that makes ``(device, boot, sequence)`` unique in every store.

A gateway takes a device's readings in ascending sequence, so one number per boot tells what is already here, whatever
was sent twice: by the broker, by the gateway, or by a gateway that lost its folder and began a new epoch.
"""

from dataclasses import replace

from cloud.storage.port import Block, Position
from shared.messages import compact
from shared.messages.codec import ALARM, FLAGGED


def admit(position: Position, block: Block, received_ns: int) -> tuple[Position, int]:
    """The position after a block, and the index of the block's first new reading (its length: none is new).

    >>> import numpy as np
    >>> from shared.messages.codec import Data, Judged
    >>> def block(sequence, count):
    ...     none, flags = np.full(count, np.nan), np.zeros(count, np.uint8)
    ...     tops = np.zeros(count, np.uint16)
    ...     data = Data("a", 1, sequence, 0, 0, 0, 0, np.arange(count), np.zeros(count, np.uint32), tops, None, None)
    ...     return Block(data, Judged(b"", none, none, flags, tops))
    >>> position, first = admit(Position("a", 1), block(0, 4), 7)
    >>> position.next_sequence, first
    (4, 0)
    >>> position, first = admit(position, block(2, 4), 8)  # two of the four are here already
    >>> position.next_sequence, position.duplicates, first
    (6, 2, 2)
    >>> position, first = admit(position, block(10, 1), 9)  # 6 to 9 never came
    >>> position.lost, position.stored
    (4, 7)
    """
    data, judged = block.data, block.judged
    length, end = len(data), data.sequence + len(data)
    first = min(max(position.next_sequence - data.sequence, 0), length)
    duplicates = position.duplicates + first
    if first == length:
        return replace(position, duplicates=duplicates, received_ns=received_ns), length
    missing = max(data.sequence - position.next_sequence, 0)
    sensor = int(data.scores_q12[-1])
    top, flags = int(judged.top_channels[-1]), int(judged.flags[-1])
    return (
        Position(
            device=position.device,
            boot=position.boot,
            next_sequence=end,
            stored=position.stored + length - first,
            lost=position.lost + missing,
            duplicates=duplicates,
            time_ns=int(data.times_ns[-1]),
            received_ns=received_ns,
            model_version=data.model_version,
            sensor_score=None if sensor == compact.NO_SCORE else sensor / 4096.0,
            gateway_score=number_or_none(float(judged.gateway_scores[-1])),
            score=number_or_none(float(judged.fused_scores[-1])),
            flagged=bool(flags & FLAGGED),
            alarm=bool(flags & ALARM),
            top_channel=None if top == compact.NO_FEATURE else top,
        ),
        first,
    )


def number_or_none(value: float) -> float | None:
    """None for NaN."""
    return None if value != value else value

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cloud.storage.port import Block, Position
from cloud.storage.positions import admit
from shared.messages.codec import Data, Judged


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30))
def test_every_reading_is_admitted_at_most_once_and_the_accounts_add_up(pieces):
    position = Position("pump-1", 1)
    admitted: list[int] = []
    sent = 0
    for sequence, count in pieces:
        position, first = admit(position, _block(sequence, count), 1)
        admitted.extend(range(sequence + first, sequence + count))
        sent += count
        assert position.next_sequence == position.stored + position.lost
    assert len(admitted) == len(set(admitted)) == position.stored
    assert admitted == sorted(admitted)
    assert sent == position.stored + position.duplicates


def _block(sequence, count):
    none, tops = np.full(count, np.nan), np.full(count, 0xFFFF, np.uint16)
    data = Data(
        "pump-1", 1, sequence, 0, 0, 0, 0, np.arange(count), np.full(count, 0xFFFFFFFF, np.uint32), tops, None, None
    )
    return Block(data, Judged(b"", none, none, np.zeros(count, np.uint8), tops))


def test_none_is_kept_apart_from_zero():
    position, _ = admit(Position("pump-1", 1), _block(0, 2), 1)
    assert position.score is None
    assert position.sensor_score is None
    assert position.gateway_score is None
    assert position.top_channel is None

"""The window of uploads: in order, bounded, repeated after silence, quiet towards a cloud that is away."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox import LONGEST_PAUSE_SECONDS, Outbox


def test_no_more_than_the_window_is_on_the_wire():
    outbox = Outbox(0, limit=4)
    assert outbox.due(100, 0.0) == range(4)
    assert not outbox.due(100, 0.1)
    assert outbox.confirmed(2, 0.2)
    assert outbox.due(100, 0.2) == range(4, 6)


def test_silence_repeats_from_the_mark():
    outbox = Outbox(0, limit=4, repeat_seconds=2.0)
    outbox.due(100, 0.0)
    outbox.confirmed(3, 1.0)
    outbox.due(100, 1.0)
    assert not outbox.due(100, 2.9)
    assert outbox.due(100, 3.0) == range(3, 7)


def test_an_idle_outbox_repeats_nothing():
    outbox = Outbox(0)
    outbox.due(3, 0.0)
    outbox.confirmed(3, 0.1)
    assert not outbox.due(3, 1000.0)
    assert outbox.due(4, 1000.0) == range(3, 4)


def test_a_cloud_that_is_away_for_a_day_costs_few_copies():
    outbox = Outbox(0, limit=64, repeat_seconds=2.0)
    sent = sum(len(outbox.due(10_000, tenths / 10)) for tenths in range(24 * 36_000))
    assert sent < 2 * 64 + 24 * 3600 / LONGEST_PAUSE_SECONDS + 10


def test_a_mark_from_a_cloud_that_is_back_opens_the_window_again():
    outbox = Outbox(0, limit=8, repeat_seconds=2.0)
    for second in range(600):
        outbox.due(100, float(second))
    assert outbox.confirmed(1, 600.0)
    assert len(outbox.due(100, 600.0)) + outbox.sent - outbox.mark >= 8
    assert outbox.sent == 9


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.integers(0, 3), st.integers(0, 12), st.booleans()), max_size=60))
def test_everything_arrives_in_order_over_a_link_that_loses(steps):
    outbox = Outbox(0, limit=3, repeat_seconds=2.0)
    now, end, cloud = 0.0, 0, 0
    for pause, produced, lost_bits, mark_lost in steps:
        now += pause
        end += produced
        due = outbox.due(end, now)
        assert due.start >= outbox.mark
        assert outbox.sent - outbox.mark <= 3
        for index, sequence in enumerate(due):
            if not lost_bits >> index & 1 and sequence == cloud:
                cloud += 1
        if not mark_lost:
            outbox.confirmed(cloud, now)
    for _ in range(2 * end + 10):  # the link recovers
        now += LONGEST_PAUSE_SECONDS
        for sequence in outbox.due(end, now):
            if sequence == cloud:
                cloud += 1
        outbox.confirmed(cloud, now)
    assert cloud == end == outbox.mark

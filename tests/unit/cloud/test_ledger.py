import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_blocks import make_block

from cloud.errors import CloudError
from cloud.storage.ledger import Ledger, RefusedPoint
from cloud.storage.pages import PAGE_READINGS, Page, extend_all
from cloud.storage.port import Mark, Position
from cloud.storage.relational import Relations


@pytest.fixture
def ledger(relations):
    return Ledger(relations)


def test_everything_is_committed_together_and_read_back(ledger, relations):
    position = Position("pump-1", 2**40, 2**62, 5, 6, 7, -(2**62), 9, 3, None, 0.1, -0.0, True, False, None)
    mark = Mark("g", 2**62, 2**62, 1, 2, 3, 4, 5, 6)
    page = Page("pump-1", 1, 0, 16, -5, 2**62)
    ledger.commit([position], [mark], [page])
    again = Ledger(relations)
    assert again.positions() == (position,)
    assert again.positions("other") == ()
    assert again.marks() == (mark,)
    assert again.pages("pump-1") == (page,)


def test_a_commit_that_fails_leaves_nothing(ledger):
    with pytest.raises(TypeError):
        ledger.commit([Position("pump-1", 1)], [Mark("g", 1)], [], [RefusedPoint("x", "y"), "no point"])
    assert ledger.positions() == ledger.marks() == ()
    assert ledger.refused_count() == 0


def test_a_later_commit_replaces_by_the_key(ledger):
    ledger.commit([Position("a", 1, 5)], [Mark("g", 1, 5)], [Page("a", 1, 0, 5, 0, 9)])
    ledger.commit([Position("a", 1, 8), Position("a", 2, 1)], [Mark("g", 1, 6)], [Page("a", 1, 5, 8, 2, 3)])
    assert [position.next_sequence for position in ledger.positions("a")] == [8, 1]
    assert ledger.marks() == (Mark("g", 1, 6),)
    assert [page.first_sequence for page in ledger.pages("a", 1)] == [0, 5]
    assert ledger.last_pages() == (Page("a", 1, 5, 8, 2, 3),)


def test_a_ledger_belongs_to_one_bucket(ledger):
    ledger.settle("plant", "tocsin")
    ledger.settle("plant", "tocsin")
    with pytest.raises(CloudError, match="belongs to bucket 'tocsin' of organisation 'plant', not to 'x' of 'plant'"):
        ledger.settle("plant", "x")


def test_the_place_of_a_boot_is_written_once(ledger):
    ledger.fix_places({("a", 1): ["asset", []]})
    ledger.fix_places({("a", 1): ["other", []], ("a", 2): ["other", []]})
    assert ledger.places() == {("a", 1): ["asset", []], ("a", 2): ["other", []]}


def test_refused_points_wait_in_order_until_they_are_forgotten(ledger):
    ledger.commit([], [], [], [RefusedPoint(f"line {n}", "why", "a", 1, n) for n in range(1200)])
    assert ledger.refused_count() == 1200
    assert ledger.refused_reason() == "why"
    first = ledger.refused(0, 3)
    assert [point.line for point in first] == ["line 0", "line 1", "line 2"]
    assert [point.line for point in ledger.refused(first[-1].identifier, 1)] == ["line 3"]
    assert [point.sequence for point in ledger.refused_readings("a", 1, 5, 8)] == [5, 6, 7]
    ledger.forget_refused([point.identifier for point in ledger.refused(0, 1199)])
    assert [point.line for point in ledger.refused(0, 9)] == ["line 1199"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.integers(1, 400), st.integers(-(10**15), 10**15)), min_size=1, max_size=20
    )
)
def test_pages_hold_every_reading_with_its_time(pieces):
    pages: dict[int, Page] = {}
    blocks, at = [], 0
    for gap, count, begin in pieces:
        block = make_block(sequence=at + gap, count=count, begin_ns=begin)
        at += gap + count
        blocks.append(block)
        last = {("pump-1", 1): pages[max(pages)]} if pages else {}
        pages |= {page.first_sequence: page for page in extend_all(last, [(block, 0)])}
    for block in blocks:
        holding = [p for p in pages.values() if p.first_sequence <= block.data.sequence < p.next_sequence]
        assert len(holding) == 1
        assert block.data.sequence + len(block.data) <= holding[0].next_sequence
        assert holding[0].first_ns <= block.data.times_ns.min()
        assert block.data.times_ns.max() <= holding[0].last_ns
    assert all(page.next_sequence - page.first_sequence <= PAGE_READINGS for page in pages.values())


def test_a_ledger_beside_facts_of_an_older_cloud_is_made(tmp_path):
    Relations(tmp_path).close()
    relations = Relations(tmp_path)
    assert Ledger(relations).marks() == ()
    relations.close()

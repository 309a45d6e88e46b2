import cbor2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.ingest.assembly import UNREADABLE_EPOCH, Arrived, assemble
from cloud.storage.port import Mark
from shared import topics
from shared.messages import codec
from shared.messages.codec import Alarm, Counters, Rescore, State, Upload


def arrived(upload, gateway=None):
    return Arrived(topics.upload(gateway or upload.gateway), codec.encode_upload(upload), 5)


def counters(number):
    return codec.encode_counters(Counters("pump-1", 1, number, number, 0, 0, 0))


def marks_after(assembled, before=()):
    known = dict(before)
    known.update({(mark.gateway, mark.epoch): mark for mark in assembled.batch.marks})
    return known


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([3, 9]), st.integers(0, 12), st.integers(0, 12)).map(
            lambda t: (t[0], t[1], min(t[1], t[2]))
        ),
        max_size=40,
    ),
    st.integers(1, 7),
)
def test_uploads_are_taken_once_in_order_however_they_come_and_are_batched(uploads, batch_length):
    marks: dict[tuple[str, int], Mark] = {}
    taken: dict[int, list[int]] = {3: [], 9: []}
    for begin in range(0, len(uploads), batch_length):
        batch = uploads[begin : begin + batch_length]
        messages = [arrived(Upload("g", e, s, o, "counters", counters(s))) for e, s, o in batch]
        assembled = assemble(messages, marks, 1)
        assert assemble(messages, marks, 1).batch.marks == assembled.batch.marks  # working it out again changes nothing
        for fact in assembled.facts:
            taken[fact.source.epoch].append(fact.what.produced)
            assert fact.what.produced == fact.source.upload
        assert set(assembled.heard) == {("g", epoch) for epoch, _, _ in batch}
        marks = marks_after(assembled, marks)
    for epoch, sequences in taken.items():
        mark = marks.get(("g", epoch), Mark("g", epoch))
        assert sequences == sorted(set(sequences))
        assert mark.taken == len(sequences)
        assert mark.next_sequence == mark.taken + mark.lost
        assert mark.taken + mark.duplicates + mark.early == sum(e == epoch for e, _, _ in uploads)


def test_a_body_that_cannot_be_read_is_counted_and_does_not_stop_the_gateway():
    good = Upload("g", 1, 1, 0, "counters", counters(4))
    bad = Upload("g", 1, 0, 0, "readings", b"\x00")
    assembled = assemble([arrived(bad), arrived(good)], {}, 1)
    assert len(assembled.facts) == 1
    assert assembled.batch.marks[0].next_sequence == 2
    assert assembled.batch.marks[0].undecodable == 1
    assert assembled.refusals == ["upload 0 of gateway g refused: judged message: not a CBOR map"]


def test_an_envelope_that_cannot_be_read_is_counted_under_its_topic():
    noise = Arrived(topics.upload("g"), b"noise", 1)
    foreign = arrived(Upload("h", 1, 0, 0, "counters", counters(1)), gateway="g")
    huge = arrived(Upload("g", 1, 2**63 - 1, 2**63 - 1, "counters", counters(1)))
    assembled = assemble([noise, foreign, huge], {}, 1)
    (mark,) = assembled.batch.marks
    assert (mark.gateway, mark.epoch, mark.undecodable) == ("g", UNREADABLE_EPOCH, 3)
    assert mark.received_bytes == sum(len(message.payload) for message in (noise, foreign, huge))
    assert assembled.facts == []
    assert assembled.heard == ()
    assert "names gateway h on the topic of g" in assembled.refusals[1]


def test_numbers_that_the_store_could_not_hold_are_refused_before_it_sees_them():
    fields = cbor2.loads(codec.encode_alarm(Alarm("a", "x/pump-1", "pump-1", 5, 6, 1.0, False, ())))
    fields[5] = 2**64
    none = np.zeros(1)
    rescore = Rescore("pump-1", 1, 2**63 - 1, none, none, np.zeros(1, np.uint8), np.zeros(1, np.uint16))
    bodies = [("alarm", cbor2.dumps(fields)), ("rescore", codec.encode_rescore(rescore))]
    assembled = assemble([arrived(Upload("g", 1, n, 0, *body)) for n, body in enumerate(bodies)], {}, 1)
    assert assembled.facts == []
    assert assembled.batch.rescores == ()
    assert assembled.batch.marks[0].undecodable == 2


@given(st.binary(max_size=300))
def test_no_bytes_end_the_ingest(payload):
    assembled = assemble([Arrived(topics.upload("g"), payload, 1)], {}, 1)
    assert len(assembled.batch.marks) == 1


@settings(deadline=None)
@given(st.sampled_from(codec.UPLOAD_KINDS), st.binary(max_size=200))
def test_no_body_ends_the_ingest(kind, body):
    assembled = assemble([arrived(Upload("g", 1, 0, 0, kind, body))], {}, 1)
    assert assembled.batch.marks[0].next_sequence == 1


def test_every_kind_goes_where_it_belongs(block):
    item = block()
    judged = codec.encode_judged(item.judged)
    state = codec.encode_state(State("pump-1", 1, 2, "started", 0, ""))
    uploads = [Upload("g", 1, 0, 0, "readings", judged), Upload("g", 1, 1, 0, "state", state)]
    assembled = assemble([arrived(upload) for upload in uploads], {}, 42)
    assert len(assembled.batch.blocks) == 1
    assert np.array_equal(assembled.batch.blocks[0].data.counts, item.data.counts)
    assert [type(fact.what).__name__ for fact in assembled.facts] == ["Data", "State"]
    assert assembled.batch.received_ns == 42

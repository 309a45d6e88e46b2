from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cloud.errors import UnknownDevice
from cloud.storage.facts import Fact, FactStore, Source
from cloud.storage.relational import Relations
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Alarm, Birth, Counters, Line, Reason, Resemblance, State

PROFILE = DeviceProfile("pump-1", "acme/north/pump-1", "slow", 1.0, (Channel("t", "°C", 10.0, 0.5),))
REASON = Reason("t", "mean", 4.5, "The mean of t is 4.5 healthy deviations above normal.")


def alarm(upload, end_ns=None, peak=1.5, epoch=1):
    what = Alarm("a-1", "acme/north/pump-1", "pump-1", 100, end_ns, peak, False, (REASON,))
    return Fact(Source("g", epoch, upload), what, 1000 + upload)


def test_a_birth_makes_a_device_and_readings_alone_make_one_without_a_kind(relations, block):
    facts = FactStore(relations)
    facts.apply([Fact(Source("g", 1, 0), block("fan-7").data, 5)])
    assert facts.device("fan-7").kind == ""
    facts.apply([Fact(Source("g", 1, 1), Birth(PROFILE, 3, 7, ("value",), 8, 1), 6)])
    row = facts.device("pump-1")
    assert (row.asset, row.channels, row.gateway) == ("acme/north/pump-1", [["t", "°C", 10.0, 0.5]], "g")
    assert [device.device for device in facts.devices()] == ["fan-7", "pump-1"]
    with pytest.raises(UnknownDevice, match="No device fan-8"):
        facts.device("fan-8")


def test_readings_do_not_overwrite_a_birth(relations, block):
    facts = FactStore(relations)
    facts.apply([Fact(Source("g", 1, 0), Birth(PROFILE, 3, 7, ("value",), 8, 1), 6)])
    facts.apply([Fact(Source("g", 1, 1), block("pump-1").data, 7)])
    assert facts.device("pump-1").kind == "slow"


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_redelivery_in_any_order_leaves_the_newest_upload(tmp_path_factory, uploads):
    relations = Relations(tmp_path_factory.mktemp("facts"))
    facts = FactStore(relations)
    for upload in uploads:
        facts.apply([alarm(upload, end_ns=None if upload < 4 else 500 + upload, peak=float(upload))])
    (row,) = facts.alarms()
    assert row.peak_score == max(uploads)
    assert row.end_ns == (500 + max(uploads) if max(uploads) >= 4 else None)
    assert row.received_ns == 1000 + uploads[0]
    relations.close()


def test_a_new_epoch_overwrites_and_alarms_are_found_by_what_they_are(relations):
    facts = FactStore(relations)
    facts.apply([alarm(90, end_ns=700), alarm(0, epoch=2)])
    assert [row.identifier for row in facts.alarms(active=True)] == ["a-1"]
    assert facts.alarms(active=False) == []
    assert facts.alarms(asset="elsewhere") == []
    assert facts.alarms(asset="acme/north/pump-1")[0].reasons == [["t", "mean", 4.5, REASON.sentence]]


def test_what_else_explains_an_alarm_is_kept_and_a_store_without_it_is_read(tmp_path):
    line = Line("BPFO", 107.4, "axial", "envelope-3", "envelope-3 of axial holds BPFO")
    told = replace(alarm(1).what, since_ns=90, detectors=("events",), lines=(line,), like=Resemblance("a-0", 5, 0.8))
    relations = Relations(tmp_path)
    FactStore(relations).apply([Fact(Source("g", 1, 1), told, 1001)])
    details = FactStore(relations).alarms()[0].details
    assert (details.since_ns, details.detectors, details.like) == (90, ["events"], ["a-0", 5, 0.8])
    assert details.lines == [["BPFO", 107.4, "axial", "envelope-3", line.sentence]]
    with relations.transaction() as session:
        session.execute(text("DROP TABLE alarm_details"))
    relations.close()
    relations = Relations(tmp_path)
    (row,) = FactStore(relations).alarms()
    assert (row.identifier, row.details) == ("a-1", None)
    relations.close()


def test_states_and_counters_keep_the_last(relations):
    facts = FactStore(relations)
    facts.apply(
        [
            Fact(Source("g", 1, 0), State("pump-1", 1, 2, "started", 0, ""), 1),
            Fact(Source("g", 1, 1), State("pump-1", 1, 2, "refused", 3, "the signature is wrong"), 2),
            Fact(Source("g", 1, 2), Counters("pump-1", 0, 9, 8, 1, 2, 3), 3),
            Fact(Source("g", 1, 3), Counters("pump-1", 1, 4, 4, 0, 0, 0), 4),
        ]
    )
    assert facts.states()["pump-1"].reason == "the signature is wrong"
    assert [(row.boot, row.produced) for row in facts.counters()] == [(0, 9), (1, 4)]

"""kill -9 of the cloud during ingest, again and again: nothing lost, nothing double, every score as it was sent."""

import importlib.util
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from waiting import until

from cloud.storage.embedded import EmbeddedStore
from shared.broker import Broker
from shared.messages import codec
from shared.messages.codec import Alarm, Rescore
from shared.ports import free_port

_specification = importlib.util.spec_from_file_location(
    "uploader", Path(__file__).parents[1] / "integration" / "uploader.py"
)
uploader = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(uploader)

pytestmark = pytest.mark.services
DEVICES = ("pump-1", "pump-2", "fan-7")
MESSAGES = 320
KILLS = 3


def uploads():
    """Births, readings of three devices, a rescore and the life of an alarm."""
    made = [uploader.birth(device) for device in DEVICES]
    for number in range(MESSAGES):
        made.extend(uploader.readings(device, 16 * number) for device in DEVICES)
        if number == 120:
            none = np.full(320, 0xFFFF, np.uint16)
            value = np.full(320, 0.125)
            made.append(
                ("rescore", codec.encode_rescore(Rescore("fan-7", 1, 0, value, value, np.zeros(320, np.uint8), none)))
            )
        if number in (100, 200, 300):
            end = uploader.BEGIN_NS + 5 if number == 300 else None
            alarm = Alarm("a-1", "acme/north/pump-1", "pump-1", uploader.BEGIN_NS, end, number / 100, False, ())
            made.append(("alarm", codec.encode_alarm(alarm)))
    return made


def test_kill_during_ingest_loses_nothing_and_doubles_nothing(tmp_path):
    made = uploads()
    with Broker(tmp_path / "broker", ack_wait_seconds=2.0) as broker:
        cloud = uploader.CloudProcess(tmp_path / "cloud", broker.url, free_port(), hot_readings=4000)
        gateway = uploader.Uploader(broker.port)
        sending = threading.Thread(target=gateway.upload, args=made, kwargs={"limit_seconds": 200.0}, daemon=True)
        try:
            cloud.start(wait=False)
            sending.start()
            for kill in range(1, KILLS + 1):
                goal = kill * len(made) // (KILLS + 1)
                until(lambda goal=goal: gateway.mark >= goal, f"upload {goal}")
                cloud.kill()
                cloud.start(wait=False)
            sending.join(200.0)
            assert gateway.mark == len(made)
            assert cloud.stop() == 0
        finally:
            gateway.close()
            cloud.end()

    store = EmbeddedStore(cloud.folder)
    for device in DEVICES:
        assert store.counts(device) == (16 * MESSAGES, 16 * MESSAGES)
        found = store.readings(device)
        assert found.sequences.tolist() == list(range(16 * MESSAGES))
        assert np.array_equal(found.counts[:, 1], found.sequences * 3)
        expected = 0.5 + (found.sequences * 7919 % 100) / 1000.0
        if device == "fan-7":
            expected[:320] = 0.125
        assert np.array_equal(found.scores, expected)
    assert sum(position.lost for position in store.positions()) == 0
    (mark,) = store.marks()
    assert (mark.next_sequence, mark.taken, mark.lost) == (len(made), len(made), 0)
    store.close()
    facts = sqlite3.connect(cloud.folder / "facts.sqlite")
    assert facts.execute("SELECT peak_score, end_ns FROM alarms").fetchall() == [(3.0, uploader.BEGIN_NS + 5)]
    facts.close()

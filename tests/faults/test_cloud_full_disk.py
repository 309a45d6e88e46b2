"""A disk that takes no more bytes: nothing is acknowledged, one line says so, and it goes on by itself afterwards."""

import importlib.util
import resource
import sys
import threading
from pathlib import Path

import pytest
from waiting import until

from cloud.storage.embedded import EmbeddedStore
from shared.broker import Broker
from shared.ports import free_port

_specification = importlib.util.spec_from_file_location(
    "uploader", Path(__file__).parents[1] / "integration" / "uploader.py"
)
uploader = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(uploader)

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(sys.platform != "linux", reason="limits another process's files, which only Linux allows"),
]
MESSAGES = 120


def test_a_full_disk_stops_nothing_for_good(tmp_path):
    made = [uploader.birth("pump-1"), *(uploader.readings("pump-1", 16 * number) for number in range(MESSAGES))]
    with Broker(tmp_path / "broker", ack_wait_seconds=2.0) as broker:
        cloud = uploader.CloudProcess(tmp_path / "cloud", broker.url, free_port(), retry_seconds=0.2)
        gateway = uploader.Uploader(broker.port)
        sending = threading.Thread(target=gateway.upload, args=made[40:], daemon=True)
        try:
            cloud.start()
            gateway.upload(*made[:40])
            before = gateway.mark
            unlimited = resource.prlimit(cloud.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(cloud.pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
            sending.start()
            health = until(
                lambda: (state := cloud.get("/api/health"))["trouble"] and state, "a cloud that says it cannot write"
            )
            assert health["status"] == "degraded"
            assert health["broker_connected"]
            assert gateway.mark == before
            assert cloud.get("/api/loss")["stored"] == 16 * 39  # what is stored can still be read
            resource.prlimit(cloud.pid, resource.RLIMIT_FSIZE, unlimited)
            sending.join(90.0)
            assert gateway.mark == len(made)
            until(lambda: cloud.get("/api/health")["status"] == "ok", "a healthy cloud")
            assert cloud.stop() == 0
        finally:
            gateway.close()
            cloud.end()
    said = cloud.log.read_text()
    assert said.count("nothing is acknowledged until this is over") == 1
    assert "the store takes uploads again" in said
    assert "Traceback" not in said
    store = EmbeddedStore(cloud.folder)
    assert store.counts("pump-1") == (16 * MESSAGES, 16 * MESSAGES)
    store.close()

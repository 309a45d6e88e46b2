"""A disk that takes no more: nothing is acknowledged, one line says so, and all goes on when there is room."""

import json
import subprocess
import sys
import threading

import pytest
from gateway_partners import Cloud, Device, process
from waiting import PATIENCE_SECONDS, until

from gateway.settings import GatewaySettings
from gateway.store import FILE_NAME
from shared.broker import Broker

if sys.platform != "linux":
    pytest.skip("the limit of a running process is set by prlimit, which is Linux only", allow_module_level=True)
import resource

pytestmark = pytest.mark.services


class Log:
    """Lines of a process' standard error as they come."""

    def __init__(self, running):
        self.lines = []
        self._streams = (running.stdout, running.stderr)
        self._thread = threading.Thread(target=self._read, args=(running.stderr,), daemon=True)
        self._thread.start()

    def _read(self, stream):
        for line in stream:
            self.lines.append(json.loads(line))

    def saying(self, words):
        return [line for line in self.lines if words in line["event"]]

    def close(self):
        self._thread.join(PATIENCE_SECONDS)
        for stream in self._streams:
            stream.close()


def limit_files(running, size):
    """No file of the process may grow beyond `size` bytes: its writes fail as on a full disk."""
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("ending", ["room", "stop"])
def test_a_full_disk_stops_the_marks_and_loses_nothing(tmp_path, ending):
    settings = GatewaySettings(data_folder=tmp_path / "gateway")
    with Broker(tmp_path / "broker", ack_wait_seconds=1) as broker:
        device, cloud = Device(broker.url), Cloud(broker.url)
        device.birth()
        arguments = ("run", "--broker-url", broker.url, "--healthy-readings", "64")
        gateway = process(settings, *arguments, output=subprocess.PIPE)
        log = Log(gateway)
        try:
            until(lambda: device.data(0) or device.mark() == (0, 16), "the first mark")
            written_ahead = settings.data_folder / f"{FILE_NAME}-wal"
            limit_files(gateway, written_ahead.stat().st_size + 4096)
            for sequence in range(16, 320, 16):
                device.data(sequence)
            until(lambda: log.saying("nothing is acknowledged"), "the line about the disk")
            full_at = device.mark()[1]
            assert full_at < 320
            if ending == "stop":
                gateway.terminate()
                assert gateway.wait(PATIENCE_SECONDS) == 0
                log.close()
                gateway = process(settings, *arguments, output=subprocess.PIPE)
                log = Log(gateway)
            else:
                limit_files(gateway, resource.RLIM_INFINITY)
                until(lambda: log.saying("there is room"), "the line about room")
                assert len(log.saying("nothing is acknowledged")) == 1
            # what was not acknowledged comes again from the broker, without the device's help
            until(lambda: device.mark() == (0, 320), "the mark of everything")
            until(lambda: len(cloud.readings()) >= 320, "every reading in the cloud")
        finally:
            gateway.kill()
            gateway.wait()
            log.close()
            device.close()
            cloud.close()
    assert cloud.readings() == [(0, sequence) for sequence in range(320)]

"""kill -9 of the gateway in mid-stream, again and again: nothing lost, nothing double, every score as without it."""

import subprocess

import numpy as np
import pytest
from gateway_partners import PROFILE, Cloud, assert_judged_as_alone, image_for, process
from waiting import PATIENCE_SECONDS, until

from firmware.host.journal import read_journal
from firmware.host.sensor import Sensor
from firmware.micropython.slots import Slots
from gateway.settings import GatewaySettings
from shared.broker import Broker
from shared.identity import DeviceProfile
from shared.messages import codec

pytestmark = pytest.mark.services
DEVICES = ("pump-1", "pump-2", "fan-7")
ROWS = 2400
HEALTHY = 320
KILLS = 4


def make_sensor(folder, device, url):
    profile = DeviceProfile(device, PROFILE.asset, "slow", 1.0, PROFILE.channels)
    folder.mkdir()
    Slots(str(folder)).provision(image_for(1, None, profile))
    return Sensor(profile, folder, [], url)


def journalled(folder):
    """(boot, sequence) of every reading that the sensor wrote down before it sent it."""
    return [
        (entry.boot, sequence)
        for entry in read_journal(folder / "journal")
        for sequence in range(entry.sequence, entry.sequence + entry.readings)
    ]


def test_nothing_is_lost_or_double_or_judged_otherwise(tmp_path):
    settings = GatewaySettings(data_folder=tmp_path / "gateway")
    rows = np.random.default_rng(5).normal(size=(ROWS, 2)) * 65536
    rows[-200:] += 6 * 65536
    with Broker(tmp_path / "broker") as broker:
        cloud = Cloud(broker.url)
        sensors = {device: make_sensor(tmp_path / device, device, broker.url) for device in DEVICES}
        arguments = ("run", "--broker-url", broker.url, "--healthy-readings", str(HEALTHY))
        gateway = process(settings, *arguments, output=subprocess.DEVNULL)
        for sensor in sensors.values():
            sensor.start()
        pushed = 0

        def work():
            """A little of the sensors' life; whether the cloud has everything produced so far."""
            nonlocal pushed
            if pushed < ROWS and all(len(sensor.buffer.entries) < 24 for sensor in sensors.values()):
                for sensor in sensors.values():
                    for row in range(pushed, pushed + 40):
                        sensor.device.push_row(row * 1_000_000_000, rows[row].astype(np.int64).tolist())
                pushed += 40
            for sensor in sensors.values():
                sensor.poll()
            return pushed

        try:
            for kill in range(1, KILLS + 1):
                until(lambda kill=kill: work() >= kill * ROWS // (KILLS + 1), "progress before the kill")
                gateway.kill()
                gateway.wait()
                gateway = process(settings, *arguments, output=subprocess.DEVNULL)
            until(lambda: work() == ROWS, "all rows")
            for sensor in sensors.values():
                sensor.device.close_message()
            until(lambda: work() and all(s.delivered() for s in sensors.values()), "every mark")
            until(lambda: work() and len(cloud.readings()) >= 3 * ROWS, "every reading in the cloud")
            gateway.terminate()
            assert gateway.wait(PATIENCE_SECONDS) == 0
            until(
                lambda: all(cloud.counters(d, 1) and cloud.counters(d, 1).stored == ROWS for d in DEVICES), "accounts"
            )
        finally:
            gateway.kill()
            gateway.wait()
            for sensor in sensors.values():
                sensor.stop()
            cloud.close()
    for device in DEVICES:
        mine = [codec.decode_judged(body)[1] for body in cloud.of_kind("readings")]
        stored = [
            (data.boot, sequence)
            for data in mine
            if data.device == device
            for sequence in range(data.sequence, data.sequence + len(data))
        ]
        assert stored == journalled(tmp_path / device)
        counters = cloud.counters(device, 1)
        assert (counters.produced, counters.stored, counters.lost) == (ROWS, ROWS, 0)
        assert_judged_as_alone(cloud, settings.false_alarms_per_day, device, HEALTHY)
    assert codec.decode_alarm(cloud.of_kind("alarm")[0]).begin_ns >= (ROWS - 200) * 1_000_000_000

"""Serial lines with noise, cuts and kills, ports that come late or are held: nothing is lost, nothing double."""

import random
import subprocess

import numpy as np
import pytest
import serial
from gateway_partners import HEALTHY, Cloud, assert_judged_as_alone, process, running
from serial_twin import PtyLine, SerialTwin, TcpLine
from waiting import PATIENCE_SECONDS, until

from gateway.settings import GatewaySettings
from shared.broker import Broker
from shared.ports import free_port

pytestmark = pytest.mark.services
ROWS = 800
KILLS = 3


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def cloud(broker):
    partner = Cloud(broker.url)
    yield partner
    partner.close()


def settings_for(broker, folder, *lines):
    return GatewaySettings(
        data_folder=folder, broker_url=broker.url, serial_inputs=lines, healthy_readings=HEALTHY, counters_seconds=0.2
    )


def feed(twin, rows=ROWS, held=24):
    """A little of the twin's life; how many rows it has taken so far."""
    pushed = twin.device.sequence
    if pushed < rows and len(twin.buffer.entries) < held:
        values = np.random.default_rng(pushed).normal(size=(40, 2)) * 65536
        for index, counts in enumerate(values.astype(np.int64).tolist()):
            twin.push(pushed + index, counts)
        if pushed + 40 >= rows:
            twin.device.close_message()
    twin.poll()
    return twin.device.sequence


def assert_stored_once(twin, cloud, rows=ROWS):
    until(lambda: feed(twin, rows) >= rows and twin.delivered(), "every mark")
    until(lambda: twin.poll() and len(cloud.readings()) >= rows, "every reading in the cloud")
    until(lambda: cloud.counters(boot=1) and cloud.counters(boot=1).stored == rows, "the accounts")
    assert cloud.readings() == [(1, sequence) for sequence in range(rows)]
    counters = cloud.counters(boot=1)
    assert (counters.produced, counters.stored, counters.lost) == (rows, rows, 0)
    assert_judged_as_alone(cloud, 1 / 7)


def test_garbage_before_between_and_inside_frames_loses_nothing(broker, cloud, tmp_path, capsys):
    chance = random.Random(7)
    spoiled = 0

    def garble(frame):
        nonlocal spoiled
        noise = chance.randbytes(chance.randrange(40))
        if chance.random() < 0.1:
            spoiled += 1
            position = chance.randrange(1, len(frame) - 1)
            damage = chance.choice([b"", chance.randbytes(3), b"\x00"])
            frame = frame[:position] + damage + frame[position + 1 :]
        return noise + frame + chance.randbytes(chance.randrange(5))

    line = TcpLine()
    twin = SerialTwin(line, garble=garble)
    try:
        with running(settings_for(broker, tmp_path / "gateway", line.address)):
            assert_stored_once(twin, cloud)
    finally:
        line.close()
    assert spoiled > 10
    assert capsys.readouterr().out.count("pieces of a serial line are refused") == 1


class CutLine(TcpLine):
    """It breaks after every so many bytes, which is somewhere within a frame."""

    def __init__(self):
        super().__init__()
        self.cuts = 0
        self._left = 5000

    def write(self, content):
        taken = super().write(content[: self._left])
        if self._caller is not None:
            self._left -= taken
            if not self._left:
                self._left = 9000
                self.cuts += 1
                self.cut()
        return taken


def test_a_line_that_is_cut_within_frames_loses_nothing(broker, cloud, tmp_path):
    line = CutLine()
    twin = SerialTwin(line)
    try:
        with running(settings_for(broker, tmp_path / "gateway", line.address)):
            assert_stored_once(twin, cloud)
    finally:
        line.close()
    assert 3 <= line.cuts < line.connects


def test_kill_9_of_the_gateway_in_mid_stream_loses_nothing_and_doubles_nothing(broker, cloud, tmp_path):
    line = TcpLine()
    twin = SerialTwin(line, repeat_seconds=1.0)
    settings = settings_for(broker, tmp_path / "gateway")
    arguments = ("run", "--broker-url", broker.url, "--healthy-readings", str(HEALTHY), "--serial", line.address)
    gateway = process(settings, *arguments, output=subprocess.DEVNULL)
    try:
        for kill in range(1, KILLS + 1):
            until(lambda kill=kill: feed(twin) >= kill * ROWS // (KILLS + 1), "progress before the kill")
            gateway.kill()
            gateway.wait()
            gateway = process(settings, *arguments, output=subprocess.DEVNULL)
        assert_stored_once(twin, cloud)
        gateway.terminate()
        assert gateway.wait(PATIENCE_SECONDS) == 0
    finally:
        gateway.kill()
        gateway.wait()
        line.close()


def test_a_port_and_a_listener_that_come_late_are_found(broker, cloud, tmp_path, capsys):
    port = free_port()
    link = tmp_path / "ttyUSB0"
    settings = settings_for(broker, tmp_path / "gateway", f"serial://{link}", f"tcp://127.0.0.1:{port}")
    with running(settings):
        said = ""

        def both_said():
            nonlocal said
            said += capsys.readouterr().out
            return said.count("serial line is away") == 2

        until(both_said, "a line about each that is away")
        pty, tcp = PtyLine(link), TcpLine(port)
        twins = [SerialTwin(pty), SerialTwin(tcp, device="pump-2")]
        try:
            for twin in twins:
                until(lambda twin=twin: feed(twin, 80) >= 80 and twin.delivered(), "every mark")
        finally:
            pty.close()
            tcp.close()
    said += capsys.readouterr().out
    assert said.count("serial line is there") == 2
    assert "plug the device in" in said
    assert "nothing listens there" in said


def test_a_port_that_another_program_holds_is_taken_once_it_is_free(broker, cloud, tmp_path, capsys):
    line = PtyLine(tmp_path / "port")
    twin = SerialTwin(line)
    other = serial.Serial(line.port, exclusive=True)
    with running(settings_for(broker, tmp_path / "gateway", line.port)):
        with other:
            until(lambda: "another program holds it" in capsys.readouterr().out, "the sentence")
        until(lambda: feed(twin, 80) >= 80 and twin.delivered(), "every mark")
    line.close()

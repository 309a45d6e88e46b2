"""By which way a device speaks: a line that is alive has its id for itself."""

import queue

import pytest
from gateway_partners import data_message

from gateway.connection import Received
from gateway.inputs.serial import SerialInput
from gateway.inputs.transport import TcpAddress
from gateway.ways import Ways
from shared import topics


class Line(SerialInput):
    """A line of which the test says whether it is alive; it is never opened."""

    def __init__(self, port):
        super().__init__(TcpAddress("127.0.0.1", port), queue.Queue())
        self.speaking = "pump-1"

    def speaks_for(self, device, seconds):
        return device == self.speaking


class Broker:
    """Where messages over MQTT come from."""

    def acknowledge(self, message):
        pass


@pytest.fixture
def lines():
    lines = [Line(1), Line(2)]
    yield lines
    for line in lines:
        line.stop()


def message(source, kind="data", device="pump-1"):
    topic = {"data": topics.data, "birth": topics.birth, "state": topics.state}[kind](device)
    return Received(topic, data_message(0, device=device), source, 0, 0, 0)


def test_a_living_line_has_its_device_for_itself(lines, capsys):
    ways, (first, second), broker = Ways(now=lambda: 100.0), lines, Broker()
    assert ways.admits(message(first, "birth"))
    assert [ways.admits(message(second)), ways.admits(message(broker)), ways.admits(message(broker, "birth"))] == [
        False
    ] * 3
    assert ways.admits(message(first))
    assert ways.admits(message(second, device="fan-7"))
    assert (ways.line_of("pump-1"), ways.line_of("fan-7"), ways.refused) == (first, second, 2)
    assert capsys.readouterr().out.count("two devices have one id") == 1


def test_a_line_that_is_silent_gives_its_id_free(lines):
    ways, (first, second), broker = Ways(), lines, Broker()
    ways.admits(message(first))
    first.speaking = None
    assert ways.admits(message(second))
    assert (ways.line_of("pump-1"), ways.device_of(first), ways.device_of(second)) == (second, None, "pump-1")
    second.speaking = None
    assert ways.admits(message(broker))
    assert (ways.line_of("pump-1"), ways.device_of(second)) == (None, None)


def test_a_birth_that_a_broker_retained_takes_no_device_from_its_line(lines):
    ways, (line, _), broker = Ways(), lines, Broker()
    ways.admits(message(line))
    line.speaking = None
    assert ways.admits(message(broker, "birth"))
    assert ways.line_of("pump-1") is line


def test_a_line_takes_a_device_from_mqtt_and_has_one_at_a_time(lines):
    ways, (line, _), broker = Ways(), lines, Broker()
    assert ways.admits(message(broker))
    assert not ways.heard("pump-1")
    ways.known({"pump-1"})
    assert (ways.heard("pump-1"), ways.line_of("pump-1")) == (True, None)
    ways.admits(message(line))
    assert ways.line_of("pump-1") is line
    ways.admits(message(line, device="fan-7"))
    assert (ways.line_of("pump-1"), ways.device_of(line)) == (None, "fan-7")

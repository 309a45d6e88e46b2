"""Addresses of serial lines: what is taken, and the one sentence for what is not; why a line cannot be opened."""

import os
import socket

import pytest

from gateway.errors import LineAwayError
from gateway.inputs.transport import PortAddress, TcpAddress, open_transport, parse_address
from gateway.settings import GatewaySettings
from shared.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/dev/ttyUSB0", PortAddress("/dev/ttyUSB0", 115200)),
        ("serial:///dev/ttyUSB0", PortAddress("/dev/ttyUSB0", 115200)),
        ("serial:///dev/serial/by-id/usb-1?baud=921600", PortAddress("/dev/serial/by-id/usb-1", 921600)),
        ("tcp://127.0.0.1:4001", TcpAddress("127.0.0.1", 4001)),
        ("tcp://[::1]:4001", TcpAddress("::1", 4001)),
    ],
)
def test_an_address_is_read(text, address):
    assert parse_address(text) == address
    assert parse_address(str(address)) == address or isinstance(address, PortAddress)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "serial:///dev/ttyUSB0"),
        ("COM3", "tcp://host:port"),
        ("dev/ttyUSB0", "tcp://host:port"),
        ("serial://dev/ttyUSB0", "tcp://host:port"),
        ("serial:///dev/ttyUSB0?baud=fast", "not a number"),
        ("serial:///dev/ttyUSB0?baud=0", "not a number"),
        ("serial:///dev/ttyUSB0?baud=9999999999", "not a number"),
        ("serial:///dev/ttyUSB0?parity=even", "baud and nothing else"),
        ("serial:///dev/ttyUSB0?baud=9600&baud=9600", "baud and nothing else"),
        ("tcp://host", "tcp://host:port"),
        ("tcp://host:99999", "tcp://host:port"),
        ("tcp://host:1/path", "tcp://host:port"),
        ("tcp://user@host:1", "tcp://host:port"),
        ("http://host:1", "tcp://host:port"),
        ("tcp://[::1:4001", "tcp://host:port"),
    ],
)
def test_what_is_no_address_is_one_sentence_that_names_the_setting(text, words):
    with pytest.raises(UsageError) as refusal:
        GatewaySettings.read(serial_inputs=(text,))
    assert words in str(refusal.value)
    assert "--serial " in str(refusal.value)
    assert "TOCSIN_GATEWAY_SERIAL_INPUTS)" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_lines_come_from_the_environment_as_a_list_and_each_once(monkeypatch):
    monkeypatch.setenv("TOCSIN_GATEWAY_SERIAL_INPUTS", '["/dev/ttyUSB0", "tcp://127.0.0.1:4001"]')
    assert GatewaySettings.read().serial_inputs == ("/dev/ttyUSB0", "tcp://127.0.0.1:4001")
    monkeypatch.setenv("TOCSIN_GATEWAY_SERIAL_INPUTS", '["/dev/ttyUSB0", "serial:///dev/ttyUSB0?baud=9600"]')
    with pytest.raises(UsageError, match="/dev/ttyUSB0 stands there twice"):
        GatewaySettings.read()
    monkeypatch.setenv("TOCSIN_GATEWAY_SERIAL_INPUTS", "/dev/ttyUSB0")
    with pytest.raises(UsageError, match="serial_inputs"):
        GatewaySettings.read()


def test_what_cannot_be_opened_says_why_and_what_helps(tmp_path):
    (tmp_path / "file").write_text("no port")
    with pytest.raises(LineAwayError, match="does not exist; plug the device in"):
        open_transport(PortAddress(str(tmp_path / "ttyUSB0")))
    with pytest.raises(LineAwayError, match="it is no serial port; correct the address"):
        open_transport(PortAddress(str(tmp_path / "file")))
    with socket.socket() as deaf:  # holds a port and does not listen
        deaf.bind(("127.0.0.1", 0))
        with pytest.raises(LineAwayError, match="nothing listens there"):
            open_transport(TcpAddress("127.0.0.1", deaf.getsockname()[1]))


def test_a_port_that_is_held_cannot_be_opened_and_one_that_ends_says_so():
    master, slave = os.openpty()
    address = PortAddress(os.ttyname(slave))
    held = open_transport(address)
    with pytest.raises(LineAwayError, match="another program holds it; end that one"):
        open_transport(address)
    os.close(slave)
    os.close(master)
    with pytest.raises(LineAwayError, match="closed it or was pulled out"):
        held.read()
    held.close()

"""Ports for servers: no outgoing connection and no other call gets them, and their servers do."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shared import ports
from shared.errors import TocsinError
from shared.ports import HOST, free_port

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the ports of outgoing connections in /proc")
def test_no_outgoing_connection_gets_a_port_that_was_chosen():
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if first < 32_000:
        pytest.skip(f"outgoing connections begin at port {first} here: set net.ipv4.ip_local_port_range to 32768 60999")
    chosen = {free_port() for _ in range(50)}
    assert len(chosen) == 50
    assert 1024 < min(chosen) <= max(chosen) < first


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a server listen on a port that is held")
def test_another_process_does_not_get_a_port_before_its_server_listens(monkeypatch):
    port = free_port()
    monkeypatch.setattr(ports, "_RANGE", range(port, port + 1))
    words = f"No TCP port of 127.0.0.1 was free among {port} to {port}: end programs that listen."
    with pytest.raises(TocsinError, match=words):
        free_port()
    program = f"from shared import ports; ports._RANGE = range({port}, {port + 1}); ports.free_port()"
    other = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert words in other.stderr
    for _ in range(2):  # a server that is started again gets it too
        with socket.create_server((HOST, port)), socket.create_connection((HOST, port), 5.0):
            pass


def test_only_so_many_ports_are_held(monkeypatch):
    monkeypatch.setattr(ports, "_HELD_MAX", len(ports._held) + 2)
    for _ in range(4):
        free_port()
    assert len(ports._held) <= ports._HELD_MAX


def test_nobody_answers_on_a_port_that_was_chosen():
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, free_port()), 5.0)

"""`tocsin up` and a real InfluxDB that dies while its port is held: the other services go on, and so does it later."""

import os
import signal
import socket

import pytest
from influxdb_servers import require_influxdb
from site_run import made_site, services_of
from waiting import until

from tocsin.site.influx import Influx
from tocsin.site.up import Topology

pytestmark = pytest.mark.services
ENDED = "influxdb ended with status -9, starting it again"
HELD = "influxdb cannot be started again, it is tried until it can: InfluxDB cannot listen on port"


@pytest.fixture
def influxdb(tmp_path):
    """The service influxdb of docker-compose.yml alone, healthy: its topology and its program."""
    require_influxdb()
    services = {"influxdb": services_of(made_site(tmp_path / "site"))["influxdb"]}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    up = Topology(services, tmp_path / "data")
    try:
        yield up
    finally:
        up.stop()
        for number, handler in handlers.items():
            signal.signal(number, handler)


class Watched:
    """Steps a topology and keeps what it says."""

    def __init__(self, topology, capsys, monkeypatch):
        self.said = ""
        self.starts = []
        start = Influx.start
        monkeypatch.setattr(Influx, "start", lambda program: (self.starts.append(program), start(program)))
        self._topology = topology
        self._capsys = capsys

    def until(self, condition, what):
        def stepped():
            self._topology.step()
            self.said += self._capsys.readouterr().out
            return condition()

        until(stepped, what)


def test_a_dead_influxdb_whose_port_is_held_is_tried_until_it_runs(influxdb, capsys, monkeypatch):
    up = Watched(influxdb, capsys, monkeypatch)
    up.until(lambda: "influxdb is healthy" in up.said, "InfluxDB")
    server = up.starts[0]._server
    first = server.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: server.pid is None, "its end")
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", server.port))
        holder.listen()
        up.until(lambda: len(up.starts) >= 4, "some tries")
        assert up.said.count(ENDED) == 1
        assert up.said.count(HELD) == 1
    up.said = ""
    up.until(lambda: "influxdb is healthy" in up.said, "InfluxDB again")
    assert server.pid not in (None, first)
    assert HELD not in up.said


def test_a_start_is_not_waited_for_and_an_end_meanwhile_leaves_nothing(influxdb, capsys, monkeypatch):
    up = Watched(influxdb, capsys, monkeypatch)
    up.until(lambda: up.starts, "the start")
    program = up.starts[0]
    assert not program._coming.done()
    influxdb.stop()
    assert program._coming.done()
    assert program._server.pid is None

"""`tocsin up` with the settings of docker-compose.yml, a real broker and a real InfluxDB: it raises the alarm."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import demo_run
import pytest
from influxdb_client import InfluxDBClient
from influxdb_servers import require_influxdb
from site_run import addresses_of, made_site, said_by_up, services_of, start_up
from waiting import PATIENCE_SECONDS, until

from shared.ports import free_port
from tocsin.demo.api import Api
from tocsin.site import layout

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]
#: Half an hour of recorded time takes 15 s.
SPEED = "120"
ASSET = "demo/site/area/line/demo-pump-1"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The whole topology with the profile `demo`, being started."""
    require_influxdb()
    ports = {f"TOCSIN_{name}_PORT": str(free_port()) for name in ("MQTT", "CLOUD", "GRAFANA")}
    site, data = made_site(tmp_path / "site"), tmp_path / "up"
    process = start_up(site, data, "--profile", "demo", TOCSIN_DEMO_SPEED=SPEED, **ports)
    yield process, data
    if process.poll() is None:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def sensors_say(data: Path) -> dict[str, Any]:
    """The last report of the sensors."""
    lines = (data / "logs" / "sensors.log").read_text().splitlines()
    reports = [line for line in lines if line.startswith("{") and line.endswith("}")]
    return json.loads(reports[-1]) if reports else {"state": "", "produced": {}, "stored": {}, "lost": 0}


def gateway_of(parent: int) -> int:
    """The process id of the gateway that `parent` started."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in listing.splitlines()[1:]]
    (pid,) = [int(pid) for pid, ppid, args in lines if int(ppid) == parent and "tocsin gateway run" in args]
    return pid


def count_in_influxdb(url: str, site: Path) -> dict[str, int]:
    """How many readings of each device are in the bucket."""
    token = (site / "secrets" / "influxdb-token").read_text().strip()
    flux = (
        f'from(bucket: "{layout.BUCKET}") |> range(start: -1d) |> filter(fn: (r) => r._measurement == "readings" and '
        'r._field == "sequence") |> group(columns: ["device"]) |> count()'
    )
    with InfluxDBClient(url, token, org=layout.ORGANISATION, timeout=60_000) as client:
        tables = client.query_api().query(flux)
    return {record["device"]: record.get_value() for table in tables for record in table.records}


def test_the_compose_file_without_docker_raises_the_alarm_and_loses_nothing(
    up: tuple[subprocess.Popen[bytes], Path], tmp_path: Path
) -> None:
    process, data = up

    def alive() -> bool:
        assert process.poll() is None, said_by_up(data)
        return True

    until(lambda: alive() and addresses_of(data) is not None, "the topology", demo_run.LIMIT_SECONDS)
    addresses = addresses_of(data) or {}
    assert {"nats", "influxdb", "cloud"} <= set(addresses)
    plant = json.loads((data / "volumes/plant/plant.json").read_text())
    declared = services_of(tmp_path / "site")["gateway"].environment["TOCSIN_GATEWAY_HEALTHY_READINGS_OF"]
    assert plant["healthy_readings"] == json.loads(declared)

    until(lambda: sum(sensors_say(data)["stored"].values()) > 500, "readings", demo_run.LIMIT_SECONDS)
    os.kill(gateway_of(process.pid), signal.SIGKILL)
    until(lambda: "gateway ended with status -9, starting it again" in said_by_up(data), "a restart")

    api = Api(addresses["cloud"])
    until(lambda: alive() and bool(api.get("/api/alarms")), "the alarm", demo_run.LIMIT_SECONDS)
    until(lambda: alive() and sensors_say(data)["state"] == "done", "the end of the recording", demo_run.LIMIT_SECONDS)
    report = sensors_say(data)
    assert report["lost"] == 0
    produced = report["produced"]
    assert report["stored"] == produced
    assert min(produced.values()) >= 900

    def at_cloud() -> dict[str, int]:
        devices = api.get("/api/loss")["devices"]
        assert all(entry["lost"] == 0 for entry in devices)
        return {entry["device"]: entry["stored"] for entry in devices}

    until(lambda: at_cloud() == produced, "every reading at the cloud")
    assert count_in_influxdb(addresses["influxdb"], tmp_path / "site") == produced
    alarms = api.get("/api/alarms")
    assert {alarm["asset"] for alarm in alarms} == {ASSET}
    assert min(alarm["begin_ns"] for alarm in alarms) >= plant["onset_ns"]
    assert api.get("/api/health")["status"] == "ok"

    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) == 130, said_by_up(data)
    assert demo_run.processes_of(data, process.pid) == []
    assert addresses_of(data) is None

"""A real InfluxDB as a program of this machine: started, set up, killed, started again; both versions."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from influxdb_servers import ORGANISATION, PASSWORD, TOKEN, VERSIONS, Bucket, fresh_bucket, require_influxdb
from waiting import PATIENCE_SECONDS, until

from shared.errors import TocsinError, UsageError
from shared.ports import free_port
from tocsin.servers.http import ask
from tocsin.servers.influxdb import InfluxServer

pytestmark = pytest.mark.services


def _answers(url):
    try:
        return ask(url, "GET", "/health", timeout_seconds=5.0).status == 200
    except OSError:
        return False


def _bucket(server, name):
    return Bucket(server.url, "" if server.is_1 else ORGANISATION, name, TOKEN, server.version)


@pytest.mark.parametrize("version", VERSIONS)
def test_readings_outlive_a_kill_and_the_server_comes_back_on_its_port(tmp_path, version):
    name = "plant/for-ever" if version.startswith("1.") else "plant"
    with InfluxServer(tmp_path / "a folder", version=version, binary=require_influxdb(version)) as server:
        server.set_up(ORGANISATION, name, TOKEN, password=PASSWORD)
        bucket = _bucket(server, name)
        bucket.write('readings,device=a score=0.1,reason="x" 1760000000000000001')
        address = server.url
        server.kill()
        assert server.pid is None
        assert not _answers(address)
        server.start()
        server.start()  # it runs: nothing happens
        server.set_up("another", "another", "another", password=PASSWORD)  # it was set up: only 1.8 makes a database
        assert server.url == address
        assert bucket.count("readings", "score") == 1
    assert not _answers(address)
    assert not [path for path in tmp_path.iterdir() if path.name != "a folder"]


def test_a_test_gets_an_empty_bucket_of_the_server_that_all_share():
    first, second = fresh_bucket(), fresh_bucket()
    assert (first.url, first.token) == (second.url, second.token)
    first.write("readings value=1i 1760000000000000000")
    assert (first.count("readings", "value"), second.count("readings", "value")) == (1, 0)
    short = fresh_bucket(retention_seconds=3600)
    assert short.ask("POST", "/api/v2/write", b"m v=1 1", org=short.organisation, bucket=short.bucket).status == 422


@pytest.fixture
def server(tmp_path):
    with InfluxServer(tmp_path / "data", binary=require_influxdb()) as server:
        yield server


def test_refuses_a_folder_or_a_port_in_use(tmp_path, server):
    with pytest.raises(TocsinError, match=r"The folder .*data is in use by another InfluxDB"):
        InfluxServer(tmp_path / "data", binary=require_influxdb()).start()
    with pytest.raises(TocsinError, match=rf"cannot listen on port {server.port} of 127\.0\.0\.1"):
        InfluxServer(tmp_path / "other", port=server.port, binary=require_influxdb()).start()
    assert _answers(server.url)


def test_says_in_one_sentence_what_the_server_refuses(server):
    with pytest.raises(UsageError, match="needs at least 8 characters"):
        server.set_up(ORGANISATION, "plant", TOKEN, password="short")
    with pytest.raises(TocsinError, match=r"refused POST /api/v2/setup: status 4\d\d, .*\.$"):
        server.set_up(ORGANISATION, "_plant", TOKEN, password=PASSWORD)
    server.kill()
    with pytest.raises(TocsinError, match=r"does not answer .*: see .*influxd\.log"):
        server.set_up(ORGANISATION, "plant", TOKEN, password=PASSWORD)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo no room; exit 7", r"ended at once with status 7: see .*influxd\.log"),
        ("exec sleep 60", r"did not answer on port \d+ within 0\.5 s: see .*influxd\.log"),
    ],
)
def test_says_when_a_program_does_not_come_up(tmp_path, script, sentence):
    program = tmp_path / "influxd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    server = InfluxServer(tmp_path / "data", binary=program)
    with pytest.raises(TocsinError, match=sentence):
        server.start(0.5)
    assert server.pid is None
    assert "no room" in server.log.read_text() or "60" in script
    with pytest.raises(TocsinError):  # the folder is free again: it fails for the same reason
        server.start(0.0)


def test_reads_no_configuration_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"http-bind-address": f"127.0.0.1:{free_port()}", "no-tasks": 1}))
    monkeypatch.setenv("INFLUXD_TLS_CERT", "/nowhere")
    monkeypatch.setenv("INFLUXD_TLS_KEY", "/nowhere")
    monkeypatch.setenv("INFLUXD_ENGINE_PATH", str(tmp_path / "elsewhere"))
    with InfluxServer(tmp_path / "data", binary=require_influxdb()) as server:
        assert _answers(server.url)
    assert not (tmp_path / "elsewhere").exists()


def test_ends_with_the_process_that_started_it(tmp_path):
    require_influxdb()
    program = f"""
        from pathlib import Path
        from tocsin.servers.influxdb import InfluxServer
        server = InfluxServer(Path({str(tmp_path / "data")!r}))
        server.start()
        print(server.url, flush=True)
        input()
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with starter:
        address = starter.stdout.readline().strip()
        assert _answers(address)
        starter.kill()
    until(lambda: not _answers(address), "the end of the server")


def test_the_command_runs_and_sets_up_a_server_until_it_is_told_to_stop(tmp_path):
    require_influxdb()
    token_file = tmp_path / "secrets" / "token"
    command = [sys.executable, "-m", "tocsin", "servers", "run", "influxdb", "--data", str(tmp_path / "data")]
    command += ["--port", "0", "--bucket", "plant", "--token-file", str(token_file)]
    for value in (1, 2):  # the second run finds what the first one made
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        address = process.stdout.readline().split()[3].rstrip(",")
        assert token_file.stat().st_mode & 0o777 == 0o600
        bucket = Bucket(address, "tocsin", "plant", token_file.read_text().strip(), VERSIONS[0])
        bucket.write(f"readings value={value}i {value}")
        process.send_signal(signal.SIGTERM if value == 1 else signal.SIGINT)
        assert process.communicate(timeout=PATIENCE_SECONDS)[1] == "stopped\n"
        assert process.returncode == 0
        assert not _answers(address)
    token_file.write_text("another token\n")
    refused = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert refused.returncode == 1
    assert "does not take the token in" in refused.stderr
    assert os.listdir(tmp_path) in (["data", "secrets"], ["secrets", "data"])  # noqa: PTH208

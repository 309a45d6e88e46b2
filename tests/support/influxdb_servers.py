"""A real InfluxDB for tests: one server a version and process, started at the first use, a fresh bucket for each test.

    from influxdb_servers import fresh_bucket, require_influxdb

    @pytest.fixture(params=VERSIONS)
    def bucket(request):
        return fresh_bucket(request.param)          # skips with the remedy where there is no such server

A test that stops or kills its server takes one of its own: ``InfluxServer(tmp_path, binary=require_influxdb())``.
"""

import atexit
import csv
import io
import itertools
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from shared.errors import TocsinError
from tocsin.servers.cache import INFLUXDB_1, INFLUXDB_2, find_influxd
from tocsin.servers.http import Answer, ask
from tocsin.servers.influxdb import InfluxServer

VERSIONS = (INFLUXDB_2, INFLUXDB_1)
ORGANISATION = "tocsin"
#: The all-access token of 2.x; 1.8 runs without users and takes any.
TOKEN = "tests:a-token-of-the-tests"
PASSWORD = "a password of the tests"

_servers: dict[str, InfluxServer] = {}
_numbers = itertools.count(1)


def require_influxdb(version: str = INFLUXDB_2) -> Path:
    """The program, or a skip that names the remedy."""
    binary = find_influxd(version)
    if binary is None:
        pytest.skip(f"no InfluxDB {version} on this machine: make servers")
    return binary


def shared_server(version: str = INFLUXDB_2) -> InfluxServer:
    """The running server of this test process; skips where there is none."""
    binary = require_influxdb(version)
    server = _servers.get(version)
    if server is None:
        folder = Path(tempfile.mkdtemp(prefix="tocsin-influxdb-"))
        server = _servers[version] = InfluxServer(folder, version=version, binary=binary)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        atexit.register(server.stop)
    server.start()
    server.set_up(ORGANISATION, "first", TOKEN, password=PASSWORD)
    return server


@dataclass(frozen=True)
class Bucket:
    """A bucket of a running server, by the names that clients use (1.8: ``database/retention``)."""

    url: str
    organisation: str
    bucket: str
    token: str
    version: str

    def write(self, lines: str) -> None:
        """Write line protocol in nanoseconds; the server must take all of it."""
        answer = self.ask("POST", "/api/v2/write", lines.encode(), org=self.organisation, bucket=self.bucket)
        assert answer.status == 204, answer

    def query(self, flux: str) -> list[dict[str, str]]:
        """The rows that a Flux query returns, every value as text; annotations and table numbers left out."""
        answer = self.ask(
            "POST", "/api/v2/query", flux.encode(), {"Content-Type": "application/vnd.flux"}, org=self.organisation
        )
        assert answer.status == 200, answer
        return _rows(answer.body.decode())

    def count(self, measurement: str, field: str) -> int:
        """How many points of a measurement hold a field, whenever."""
        rows = self.query(
            f"from(bucket: {json.dumps(self.bucket)}) |> range(start: 1677-09-22T00:00:00Z, stop: 2262-04-11T00:00:00Z)"
            f" |> filter(fn: (r) => r._measurement == {json.dumps(measurement)} and r._field == {json.dumps(field)})"
            " |> group() |> count()"
        )
        return int(rows[0]["_value"]) if rows else 0

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, **parameters: str
    ) -> Answer:
        """Any request with the token, such as ``ask("GET", "/api/v2/buckets", name="x")``."""
        with_token = {"Authorization": f"Token {self.token}", "Accept": "application/csv", **(headers or {})}
        return ask(self.url, method, f"{path}?{urlencode(parameters)}", body, with_token)


def fresh_bucket(version: str = INFLUXDB_2, *, retention_seconds: int = 0) -> Bucket:
    """An empty bucket in the shared server; readings older than `retention_seconds` are refused (0: never)."""
    return make_bucket(shared_server(version), f"test-{next(_numbers)}", retention_seconds=retention_seconds)


def make_bucket(server: InfluxServer, name: str, *, retention_seconds: int = 0) -> Bucket:
    """A bucket in a server that was set up with this module's organisation and token."""
    if server.is_1:
        server.create_database(name)
        if retention_seconds:
            wish = f'ALTER RETENTION POLICY "autogen" ON "{name}" DURATION {retention_seconds}s SHARD DURATION 1h'
            answer = ask(server.url, "POST", f"/query?{urlencode({'q': wish})}")
            assert answer.status == 200, answer
            assert b"error" not in answer.body, answer
        return Bucket(server.url, "", f"{name}/autogen", "", server.version)
    made = Bucket(server.url, ORGANISATION, name, TOKEN, server.version)
    organisations = made.ask("GET", "/api/v2/orgs", headers={"Accept": "application/json"}, org=ORGANISATION).json()
    rules = [{"type": "expire", "everySeconds": retention_seconds, "shardGroupDurationSeconds": 3600}]
    wish = {
        "orgID": organisations["orgs"][0]["id"],
        "name": name,
        "retentionRules": rules if retention_seconds else [],
    }
    answer = made.ask("POST", "/api/v2/buckets", json.dumps(wish).encode(), {"Content-Type": "application/json"})
    if answer.status != 201:
        raise TocsinError(f"InfluxDB made no bucket {name}: {answer.reason()}.")
    return made


def _rows(text: str) -> list[dict[str, str]]:
    """Rows of InfluxDB's CSV: tables apart by empty lines, each with a header of its own."""
    found = []
    header: list[str] | None = None
    for line in csv.reader(io.StringIO(text)):
        if not line:
            header = None
        elif line[0].startswith("#"):
            continue
        elif header is None:
            header = line
        else:
            row = dict(zip(header, line, strict=True))
            assert "error" not in row, row
            found.append({name: value for name, value in row.items() if name not in ("", "result", "table")})
    return found

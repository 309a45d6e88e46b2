"""`tocsin grafana apply` against Grafana's documented interface, and against a real one where there is one."""

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grafana_fake import FakeGrafana
from influxdb_servers import TOKEN, fresh_bucket
from typer.testing import CliRunner

from cloud.grafana.apply import InfluxSource, apply
from cloud.grafana.cli import app
from cloud.grafana.connection import connect
from cloud.grafana.dashboards import dashboards
from shared.errors import TocsinError, UsageError

SOURCE = InfluxSource("http://influxdb:8086", "tocsin", "readings", "secret-of-influxdb")
OUTCOMES = ("folder", "data source", "dashboard Tocsin: Plant", "dashboard Tocsin: Asset")


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    with FakeGrafana() as running:
        yield running
    assert not running.complaints


Run = Callable[..., list[str]]


@pytest.fixture
def run(grafana: FakeGrafana) -> Run:
    def _run(source: InfluxSource | None = SOURCE, token: str = "glsa_admin") -> list[str]:
        lines: list[str] = []
        with connect(grafana.url, token, "the-token-file") as connection:
            changed = apply(connection, source, lines.append)
        assert changed == (lines[-1] == "done")
        return lines

    return _run


def outcomes(lines: list[str]) -> list[str]:
    """What was said of each thing, in order."""
    found = []
    for what in OUTCOMES:
        (line,) = (line for line in lines if line.startswith(what))
        found.append(line.removeprefix(what).partition(": ")[2].split(",")[0].split(" (")[0])
    return found


def test_makes_everything_and_then_nothing(grafana: FakeGrafana, run: Run) -> None:
    lines = run()
    assert outcomes(lines) == ["created"] * 4
    assert f"dashboard Tocsin: Plant: created, {grafana.url}/d/tocsin-plant" in lines
    assert grafana.secrets["tocsin-influxdb"] == {"token": "secret-of-influxdb"}
    assert grafana.datasources["tocsin-influxdb"]["jsonData"]["defaultBucket"] == "readings"
    for board in dashboards().values():
        kept = grafana.dashboards[board["uid"]]
        assert kept["dashboard"] | {"id": None, "version": None} == board | {"id": None, "version": None}
        assert kept["meta"]["folderUid"] == "tocsin"
    grafana.requests.clear()
    again = run()
    assert outcomes(again) == ["unchanged"] * 4
    assert again[-1] == "unchanged"
    assert grafana.changes == ["PUT /api/datasources/uid/tocsin-influxdb"]  # the token, which cannot be compared
    assert all(entry[0]["version"] == 1 for entry in grafana.versions.values())


def test_says_no_secret(grafana: FakeGrafana, run: Run) -> None:
    said = "\n".join(run()) + repr(SOURCE)
    assert "secret-of-influxdb" not in said
    assert "glsa_admin" not in said


def test_changes_what_differs_and_keeps_what_a_person_did(grafana: FakeGrafana, run: Run) -> None:
    run()
    grafana.folders["tocsin"]["title"] = "Pumps"
    grafana.folders["hall"] = {"uid": "hall", "title": "Hall"}
    plant = grafana.dashboards["tocsin-plant"]
    plant["meta"]["folderUid"] = "hall"
    plant["dashboard"]["panels"].pop()
    plant["dashboard"]["version"] = 7
    grafana.versions["tocsin-plant"].insert(0, {"version": 7, "message": "without the last panel"})
    source = grafana.datasources["tocsin-influxdb"]
    source["isDefault"] = True
    source["jsonData"]["tlsSkipVerify"] = True
    source["url"] = "http://elsewhere:8086"
    assert outcomes(run()) == ["unchanged", "updated", "updated", "unchanged"]
    assert plant["dashboard"] is not grafana.dashboards["tocsin-plant"]["dashboard"]
    assert grafana.dashboards["tocsin-plant"]["dashboard"]["version"] == 8
    assert grafana.dashboards["tocsin-plant"]["meta"]["folderUid"] == "hall"
    kept = grafana.datasources["tocsin-influxdb"]
    assert (kept["isDefault"], kept["url"], kept["jsonData"]["tlsSkipVerify"]) == (True, SOURCE.url, True)
    assert outcomes(run()) == ["unchanged"] * 4


def test_a_new_token_takes_the_place_of_the_old(grafana: FakeGrafana, run: Run) -> None:
    run()
    run(InfluxSource(SOURCE.url, SOURCE.organisation, SOURCE.bucket, "a-newer-secret"))
    assert grafana.secrets["tocsin-influxdb"] == {"token": "a-newer-secret"}


def test_a_grafana_with_a_form_of_its_own_is_not_written_again(grafana: FakeGrafana, run: Run) -> None:
    grafana.shown = lambda dashboard: dashboard | {"schemaVersion": 42, "panels": []}
    run()
    assert outcomes(run()) == ["unchanged"] * 4


def test_a_number_that_comes_back_as_an_integer_is_the_same(grafana: FakeGrafana, run: Run) -> None:
    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: whole(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [whole(inner) for inner in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    grafana.shown = whole
    run()
    grafana.versions.clear()
    assert outcomes(run()) == ["unchanged"] * 4


def test_leaves_the_data_source_and_needs_an_editor_only(grafana: FakeGrafana, run: Run) -> None:
    lines = run(None, "glsa_editor")
    assert [line for line in lines if "data source" in line] == ["data source tocsin-influxdb: left as it is"]
    assert not any("datasources" in change for change in grafana.changes)
    assert set(grafana.dashboards) == {"tocsin-plant", "tocsin-asset"}


def test_makes_no_dashboards_that_would_show_nothing(grafana: FakeGrafana, run: Run) -> None:
    refused(run, "has no data source tocsin-influxdb yet: say what it reads with --influxdb-url", None, "glsa_admin")
    assert not grafana.dashboards


def test_works_below_a_path() -> None:
    with FakeGrafana(below="/monitoring/grafana") as grafana:
        lines: list[str] = []
        with connect(grafana.url + "/", "glsa_admin", "t") as connection:
            assert apply(connection, SOURCE, lines.append)
    assert not grafana.complaints
    assert lines[-2].endswith(f"{grafana.url}/d/tocsin-asset")


def refused(run: Run, sentence: str, *arguments: Any) -> None:
    with pytest.raises(TocsinError, match=sentence) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_names_the_token_that_is_refused(run: Run) -> None:
    refused(run, "refuses the token in the-token-file", SOURCE, "glsa_forgotten")


@pytest.mark.parametrize(
    ("token", "source", "sentence"),
    [
        ("glsa_viewer", None, "does not permit to make a folder: give its service account the role Editor"),
        ("glsa_editor", SOURCE, "does not permit to read the data source: .* the role Admin"),
    ],
)
def test_names_the_role_that_is_missing(run: Run, token: str, source: InfluxSource | None, sentence: str) -> None:
    refused(run, sentence, source, token)


def test_names_the_role_where_only_the_dashboards_are_forbidden(grafana: FakeGrafana, run: Run) -> None:
    run()
    grafana.dashboards.clear()
    refused(run, "does not permit to write dashboards: .* the role Editor", None, "glsa_viewer")


def test_an_old_grafana_is_told_so(grafana: FakeGrafana, run: Run) -> None:
    grafana.version = "9.5.21"
    refused(run, r"version 9\.5\.21, and the dashboards need 10\.1 or later")
    assert grafana.changes == []


def test_a_hidden_version_is_asked_for_with_the_token(grafana: FakeGrafana, run: Run) -> None:
    grafana.version = None
    assert run()[0] == f"Grafana 12.2.1 at {grafana.url}"


def test_tells_when_grafana_cannot_read_influxdb(grafana: FakeGrafana, run: Run) -> None:
    grafana.trouble = "error performing flux query: unauthorized access\n"
    refused(run, r"cannot read InfluxDB at http://influxdb:8086 \(error performing flux query: unauthorized access\)")
    assert set(grafana.dashboards) == {"tocsin-plant", "tocsin-asset"}


def test_another_thing_of_the_same_name_is_not_touched(grafana: FakeGrafana, run: Run) -> None:
    grafana.folders["x"] = {"uid": "x", "title": "Tocsin"}
    refused(run, "another folder called Tocsin: rename that one")
    del grafana.folders["x"]
    grafana.datasources["y"] = {"name": "Tocsin InfluxDB"}
    refused(run, "another data source called Tocsin InfluxDB: rename that one")
    del grafana.datasources["y"]
    other = {"title": "Tocsin: Plant", "uid": "z", "version": 1, "id": 9}
    grafana.dashboards["z"] = {"dashboard": other, "meta": {"folderUid": "tocsin", "provisioned": False}}
    refused(run, "another dashboard of that name in the same folder: rename that one")


def test_somebody_else_at_the_same_moment_is_told_of(grafana: FakeGrafana, run: Run) -> None:
    run()

    def edit(method: str, path: str) -> None:
        if (method, path) == ("POST", "/api/dashboards/db"):
            grafana.dashboards["tocsin-asset"]["dashboard"]["version"] += 1
        if method == "PUT":
            grafana.datasources["tocsin-influxdb"]["version"] += 1

    grafana.meanwhile = edit
    refused(run, "somebody changes the data source at this moment: run this again")
    grafana.dashboards["tocsin-asset"]["dashboard"]["panels"] = []
    grafana.versions["tocsin-asset"].insert(0, {"message": ""})
    refused(run, "Tocsin: Asset was not written: .* somebody changes it at this moment: run this again", None)


def test_what_comes_from_files_is_changed_there(grafana: FakeGrafana, run: Run) -> None:
    run()
    grafana.datasources["tocsin-influxdb"]["readOnly"] = True
    for kept in grafana.dashboards.values():
        kept["meta"]["provisioned"] = True
    grafana.requests.clear()
    assert outcomes(run()) == ["unchanged"] * 4
    assert grafana.changes == []
    grafana.dashboards["tocsin-plant"]["dashboard"]["refresh"] = "1h"
    grafana.versions["tocsin-plant"].insert(0, {"message": ""})
    refused(run, "The dashboard tocsin-plant in .* comes from a file: change it there")
    grafana.datasources["tocsin-influxdb"]["url"] = "http://elsewhere:8086"
    refused(run, "The data source tocsin-influxdb in .* comes from a file: change it there")


def test_nothing_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with connect(url, "t", "f") as connection, pytest.raises(TocsinError, match=f"{url} cannot be reached"):
            apply(connection, None, str)


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8, no_password = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    (tmp_path / "pem").write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, pkcs8, no_password))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with (
            connect(url, "t", "f") as real,
            pytest.raises(TocsinError, match=f"certificate of Grafana at {url} is not"),
        ):
            apply(real, None, str)
        thread.join(10)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", b"<html>hello</html>"),
        (200, "application/json", b'{"name": "influxdb"}'),
        (200, "application/json", b"not JSON"),
        (404, "text/plain", b"404 page not found"),
        (405, "text/plain", b"no"),
    ],
)
def test_something_else_there(status: int, kind: str, body: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        """A web server that is no Grafana."""

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        with connect(url, "t", "f") as connection, pytest.raises(TocsinError, match=f"at {url} is no Grafana"):
            apply(connection, None, str)
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://host", "http://", "http://user:pass@host:3000", "http://h?x=1"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="address"), connect(url, "t", "f"):
        pytest.fail("it was taken")


def test_the_command(grafana: FakeGrafana, tmp_path: Path) -> None:
    token, influxdb_token = tmp_path / "token", tmp_path / "influxdb-token"
    token.write_text("glsa_admin\n")
    influxdb_token.write_text("x-token\n")
    command = ["apply", "--url", grafana.url, "--token-file", str(token)]
    source = ["--influxdb-url", "http://i:8086", "--organisation", "o", "--bucket", "b"]
    runner = CliRunner()
    done = runner.invoke(app, [*command, *source, "--influxdb-token-file", str(influxdb_token)])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "done"
    assert grafana.secrets["tocsin-influxdb"] == {"token": "x-token"}
    for arguments, sentence in (
        ([*command, *source], "needs --influxdb-token-file too"),
        ([*command[:-1], str(tmp_path / "nowhere")], "cannot be read"),
    ):
        wrong = runner.invoke(app, arguments)
        assert isinstance(wrong.exception, UsageError)
        assert sentence in str(wrong.exception)
    token.write_text("two words\n")
    wrong = runner.invoke(app, command)
    assert isinstance(wrong.exception, UsageError)
    assert "holds no token" in str(wrong.exception)


def test_a_real_grafana() -> None:
    url, file = os.environ.get("TOCSIN_GRAFANA_URL"), os.environ.get("TOCSIN_GRAFANA_TOKEN_FILE")
    if not url:
        pytest.skip(
            "no Grafana to test with: name one in TOCSIN_GRAFANA_URL and TOCSIN_GRAFANA_TOKEN_FILE (role Admin)"
        )
    assert file, "TOCSIN_GRAFANA_TOKEN_FILE must name the file with a token of the role Admin"
    bucket = fresh_bucket()
    # A Grafana on another machine needs this one's address and a way to it.
    seen = os.environ.get("TOCSIN_GRAFANA_INFLUXDB_URL", bucket.url)
    source = InfluxSource(seen, bucket.organisation, bucket.bucket, TOKEN)
    lines: list[str] = []
    with connect(url, Path(file).read_text().strip(), file) as real:
        apply(real, source, print)
        assert not apply(real, source, lines.append)
    assert outcomes(lines) == ["unchanged"] * 4

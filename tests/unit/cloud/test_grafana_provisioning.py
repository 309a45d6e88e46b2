"""The files from which a Grafana sets itself up."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cloud.errors import CloudError
from cloud.grafana import provisioning
from cloud.grafana.cli import app
from cloud.grafana.dashboards import dashboards
from cloud.grafana.provisioning import write_provisioning
from shared.errors import UsageError

GIVEN = {
    "url": "http://influxdb:8086",
    "organisation": "tocsin",
    "bucket": "readings",
    "token_file": "/run/secrets/influxdb-token",
}
FILES = ["dashboards/asset.json", "dashboards/plant.json", "dashboards/tocsin.yaml", "datasources/tocsin.yaml"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def datasource(folder: Path) -> dict[str, Any]:
    content = yaml.safe_load((folder / "datasources/tocsin.yaml").read_text())
    (found,) = content["datasources"]
    assert isinstance(found, dict)
    return found


def test_writes_what_grafana_reads(tmp_path: Path) -> None:
    folder = tmp_path / "site" / "grafana"
    written = write_provisioning(folder, **GIVEN)
    assert sorted(str(path.relative_to(folder)) for path in written) == FILES == list(contents(folder))
    source = datasource(folder)
    assert source == {
        "name": "Tocsin InfluxDB",
        "uid": "tocsin-influxdb",
        "type": "influxdb",
        "access": "proxy",
        "url": "http://influxdb:8086",
        "isDefault": False,
        "editable": False,
        "jsonData": {
            "version": "Flux", "organization": "tocsin", "defaultBucket": "readings", "maxSeries": 1000,
        },
        "secureJsonData": {"token": "$__file{/run/secrets/influxdb-token}"},
    }  # fmt: skip
    content = yaml.safe_load((folder / "dashboards/tocsin.yaml").read_text())
    (provider,) = content["providers"]
    assert content["apiVersion"] == 1
    assert (provider["type"], provider["folderUid"], provider["folder"]) == ("file", "tocsin", "Tocsin")
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
    for name, board in dashboards().items():
        assert json.loads((folder / f"dashboards/{name}.json").read_text()) == board


def test_grafana_s_user_can_read_them(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_provisioning(tmp_path / "grafana", **GIVEN)
    finally:
        os.umask(before)
    for path in (tmp_path / "grafana", *(tmp_path / "grafana").rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_provisioning(tmp_path / "a", **GIVEN)
    write_provisioning(tmp_path / "b", **GIVEN)
    write_provisioning(tmp_path / "b", **GIVEN)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_keeps_what_else_is_there_and_the_folder_itself(tmp_path: Path) -> None:
    folder = tmp_path / "grafana"
    (folder / "alerting").mkdir(parents=True)
    (folder / "alerting" / "ours.yaml").write_text("apiVersion: 1\n")
    number = folder.stat().st_ino
    write_provisioning(folder, **GIVEN)
    write_provisioning(folder, **{**GIVEN, "bucket": "other"})
    assert folder.stat().st_ino == number
    assert sorted(contents(folder)) == sorted([*FILES, "alerting/ours.yaml"])
    assert datasource(folder)["jsonData"]["defaultBucket"] == "other"


def test_all_or_nothing_in_a_folder_that_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "grafana"
    write_provisioning(folder, **GIVEN)
    (folder / "dashboards/asset.json").unlink()
    (folder / "dashboards/asset.json").mkdir()  # what cannot be replaced comes last
    before = contents(folder)
    with pytest.raises(CloudError, match=r"cannot be written to .*: nothing was changed"):
        write_provisioning(folder, **{**GIVEN, "bucket": "other"})
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["grafana"]


def test_all_or_nothing_in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(provisioning.os, "fsync", full)
    with pytest.raises(CloudError, match="No space left on device"):
        write_provisioning(tmp_path / "new" / "grafana", **GIVEN)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "grafana").write_text("a file")
    with pytest.raises(CloudError, match="cannot be written"):
        write_provisioning(tmp_path / "grafana", **GIVEN)
    assert (tmp_path / "grafana").read_text() == "a file"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"token_file": "token"}, "must be an absolute path"),
        ({"token_file": "/run/$HOME"}, "must be an absolute path"),
        ({"token_file": "/run/a}b"}, "must be an absolute path"),
        ({"bucket": " "}, "needs the bucket"),
        ({"url": ""}, "needs the InfluxDB's URL"),
        ({"mounted_at": "etc"}, "provisioning folder 'etc' must be an absolute path"),
    ],
)
def test_what_cannot_be(tmp_path: Path, changed: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        write_provisioning(tmp_path / "grafana", **{**GIVEN, **changed})
    assert not (tmp_path / "grafana").exists()


def test_awkward_values_stay_what_they_are(tmp_path: Path) -> None:
    write_provisioning(tmp_path, **{**GIVEN, "bucket": 'a: "b" #1', "organisation": "${ORG}", "url": "http://h/$x"})
    source = datasource(tmp_path)
    assert source["jsonData"]["defaultBucket"] == 'a: "b" #1'
    assert source["jsonData"]["organization"] == "${ORG}"  # Grafana puts its variable in
    assert source["url"] == "http://h/$$x"  # Grafana takes $$ for $


def test_the_command_names_variables_of_grafana_s_environment(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["provision", "--out", str(tmp_path / "grafana")])
    assert done.exit_code == 0, done.output
    assert done.output.count("wrote ") == len(FILES)
    source = datasource(tmp_path / "grafana")
    assert source["url"] == "${TOCSIN_INFLUXDB_URL}"
    assert source["jsonData"]["organization"] == "${TOCSIN_INFLUXDB_ORGANISATION}"
    assert source["jsonData"]["defaultBucket"] == "${TOCSIN_INFLUXDB_BUCKET}"

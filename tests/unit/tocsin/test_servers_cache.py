"""Which influxd is taken: the one that is named, then the one built here, then the path's, if its version fits."""

import pytest

from shared.errors import TocsinError, UsageError
from tocsin.servers.cache import built_influxd, cache_folder, find_influxd
from tocsin.servers.influxdb import InfluxServer


def _influxd(folder, says):
    """A program that says of itself what an influxd of some version says."""
    folder.mkdir(parents=True)
    program = folder / "influxd"
    program.write_text(f"#!/bin/sh\n[ \"$1\" = version ] && echo '{says}'\n")
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def _nothing_here(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("TOCSIN_INFLUXD", raising=False)


def test_keeps_servers_in_the_cache_of_the_user(tmp_path, monkeypatch):
    assert cache_folder() == tmp_path / "cache" / "tocsin" / "servers"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "tocsin" / "servers"


def test_takes_the_named_one_then_the_built_one_then_the_one_on_the_path(tmp_path, monkeypatch):
    assert find_influxd() is None
    on_path = _influxd(tmp_path / "path", "InfluxDB v2.7.11 (git: ec9dcde5d6) build_date: 2024-12-02T17:48:15Z")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    assert find_influxd() == on_path
    built = _influxd(built_influxd("2.7.12").parent, "")
    assert find_influxd() == built
    named = _influxd(tmp_path / "named", "InfluxDB dev (git: none) build_date: 2026-11-22T18:47:42Z")
    monkeypatch.setenv("TOCSIN_INFLUXD", str(named))
    assert find_influxd() == named


def test_passes_by_a_program_of_another_line(tmp_path, monkeypatch):
    old = _influxd(tmp_path / "old", "InfluxDB v1.8.4 (git: 1.8 bc8ec4384eed25436d31045f974bf39f3310fa3c)")
    monkeypatch.setenv("TOCSIN_INFLUXD", str(old))
    assert find_influxd("2.7.12") is None
    assert find_influxd("1.8.10") == old
    newer = _influxd(tmp_path / "newer", "InfluxDB v2.8.0 (git: aaaaaaaaaa) build_date: 2026-01-01T00:00:00Z")
    monkeypatch.setenv("TOCSIN_INFLUXD", str(newer))
    assert find_influxd("2.7.12") == newer
    assert find_influxd("2.7.12", any_2=False) is None


def test_an_influxd_that_is_none_is_an_error_and_not_a_silent_other_choice(tmp_path, monkeypatch):
    _influxd(built_influxd("2.7.12").parent, "")
    for strange in (tmp_path / "missing", _influxd(tmp_path / "strange", "NATS 2.12")):
        monkeypatch.setenv("TOCSIN_INFLUXD", str(strange))
        with pytest.raises(UsageError, match=rf"TOCSIN_INFLUXD is {strange}, which does not run as an influxd"):
            find_influxd()


def test_a_server_that_is_nowhere_names_the_remedy(tmp_path):
    with pytest.raises(TocsinError, match=r"no InfluxDB 2\.7\.12 .* 'tocsin servers build'.* TOCSIN_INFLUXD"):
        InfluxServer(tmp_path / "data").start()
    assert not (tmp_path / "data").exists()

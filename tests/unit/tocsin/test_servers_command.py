"""`tocsin servers`: what it lists, what it builds, and what it says when it cannot."""

import pytest
from typer.testing import CliRunner

from shared.errors import TocsinError, UsageError
from tocsin.servers.cache import built_influxd
from tocsin.servers.cli import app
from tocsin.servers.toolchain import MissingToolsError


@pytest.fixture(autouse=True)
def _no_tools_and_an_empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TOCSIN_INFLUXD", raising=False)


def _type(*words):
    return CliRunner().invoke(app, words, catch_exceptions=True)


def _put(version):
    program = built_influxd(version)
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    return program


def test_lists_each_server_with_its_place_or_the_way_to_get_it():
    program = _put("1.8.10")
    missing, found = _type("list").stdout.splitlines()
    assert missing.startswith("influxdb      2.7.12  not here; building it needs go 1.23 or newer, cargo 1.72 or newer")
    assert found == f"influxdb-1.8  1.8.10  {program}"


def test_leaves_out_what_cannot_be_built_only_where_that_is_asked_for():
    program = _put("1.8.10")
    soft = _type("build", "--if-possible")
    assert soft.exit_code == 0
    assert soft.stdout == f"InfluxDB 1.8.10 is {program}\n"
    assert soft.stderr.startswith("without InfluxDB 2.7.12: Building InfluxDB 2.7.12 needs go")
    assert soft.stderr.count("\n") == 1
    assert isinstance(_type("build").exception, MissingToolsError)
    assert _type("build", "influxdb-1.8").exit_code == 0


def test_a_build_that_fails_does_not_keep_the_others_away(monkeypatch):
    program = _put("1.8.10")

    def fail(name, say):
        raise TocsinError(f"{name} cannot be built.")

    monkeypatch.setattr("tocsin.servers.cli.build_server", fail)
    result = _type("build", "--if-possible")
    assert (str(result.exception), result.exit_code) == ("influxdb cannot be built.", 1)
    assert result.stdout == f"InfluxDB 1.8.10 is {program}\n"


@pytest.mark.parametrize("command", ["build", "run"])
def test_an_unknown_server_is_wrong_use(command):
    assert isinstance(_type(command, "influxdb-3").exception, UsageError)


def test_a_token_file_that_cannot_be_made_or_is_empty_stops_before_anything_is_set_up(tmp_path):
    from tocsin.servers.cli import _token

    (tmp_path / "empty").write_text("\n")
    for file, word in ((tmp_path / "empty", "is empty"), (tmp_path / "empty" / "token", "cannot be made")):
        with pytest.raises(UsageError, match=word):
            _token(file)

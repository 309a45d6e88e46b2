import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from cloud.cli import app, settings_from
from cloud.settings import CloudSettings
from shared.errors import UsageError

ROOT = Path(__file__).parents[3]


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "cloud", "run", *arguments],
        capture_output=True, text=True, check=False, timeout=60, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_settings_come_from_the_environment_and_cannot_be_changed(monkeypatch):
    monkeypatch.setenv("TOCSIN_CLOUD_PORT", "9000")
    monkeypatch.setenv("TOCSIN_CLOUD_BROKER", "mqtt://broker")
    settings = CloudSettings()
    assert settings.port == 9000
    assert settings.broker_address() == ("broker", 1883)
    with pytest.raises(ValidationError):
        settings.port = 1
    assert settings_from({"port": 7}).port == 7


@pytest.mark.parametrize(
    "given", [{"port": 70_000}, {"broker": "http://x"}, {"broker": "mqtt://"}, {"batch_messages": 0}]
)
def test_a_wrong_setting_is_named(given):
    with pytest.raises(UsageError, match=f"setting {next(iter(given))} is wrong"):
        settings_from(given)


def test_wrong_use_ends_with_2_and_one_sentence():
    result = CliRunner().invoke(app, ["run", "--broker", "tcp://nowhere"])
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1


def test_a_port_in_use_is_told_in_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = command("--port", str(port), "--data-folder", str(tmp_path / "cloud"))
    assert ended.returncode == 1
    assert ended.stderr.strip().startswith(f"tocsin cloud: The cloud cannot listen on port {port}")
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "cloud").exists()


def test_a_data_folder_that_is_a_file_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    ended = command("--port", "0", "--data-folder", str(tmp_path / "file"))
    assert ended.returncode == 1
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "cannot be used" in ended.stderr

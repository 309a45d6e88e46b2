"""kill -9 of broker, gateway and cloud while the demo runs: it recovers, and not one reading is lost or double."""

import json
import os
import signal
from pathlib import Path

import demo_run
import pytest
from waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


def _recorded_seconds(folder: Path) -> float:
    """How far the sensors have played, in recorded seconds; -1 before they play."""
    log = folder / "sensors.log"
    lines = log.read_bytes().split(b"\n")[:-1] if log.exists() else []
    if not lines:
        return -1.0
    return (json.loads(lines[-1])["time_ns"] - 1_767_225_600_000_000_000) / 1e9


def test_killed_tiers_come_back_and_every_reading_is_stored_once(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = demo_run.start_demo(folder)
    for name, at_seconds in (("gateway", 300.0), ("cloud", 650.0), ("broker", 1000.0)):

        def played(at_seconds: float = at_seconds) -> bool:
            assert process.poll() is None, process.stdout and process.stdout.read()
            return _recorded_seconds(folder) >= at_seconds

        until(played, f"{at_seconds} s of recorded time", demo_run.LIMIT_SECONDS)
        pid = int((folder / f"{name}.pid").read_text())
        os.kill(pid, signal.SIGKILL)
    finished, summary = demo_run.finish(process, folder)
    assert finished.returncode == 0, finished.stdout
    produced = demo_run.produced_readings(folder)
    stored = demo_run.stored_readings(folder)
    assert stored == produced  # lost 0, double 0, reading by reading
    assert sum(map(len, produced.values())) == summary["produced"] == summary["stored"] >= 5400
    assert summary["lost"] == 0
    assert summary["first_alarm_delay_seconds"] is not None
    assert summary["false_alarms"] == 0
    assert len(summary["refused_images"]) == 3
    assert demo_run.processes_of(folder, process.pid) == []

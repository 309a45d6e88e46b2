"""The demo with boards in QEMU: their firmware's readings reach the cloud over serial lines, and a killed gateway loses
none."""

import json
import os
import shutil
import signal
from pathlib import Path

import demo_run
import pytest
from waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]
EMULATED = {"pump-1-process": "emulated", "pump-2-process": "emulated"}
TWINS = {"pump-1-vibration": "twin", "pump-2-vibration": "twin"}


def _produced(folder: Path) -> int:
    """Readings of an emulated board so far; 0 before it plays."""
    log = folder / "sensors.log"
    lines = log.read_bytes().split(b"\n")[:-1] if log.exists() else []
    return int(json.loads(lines[-1])["produced"]["pump-1-process"]) if lines else 0


def test_boards_in_the_emulator_play_their_part_of_the_demo(tmp_path: Path) -> None:
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU for Arm: apt install qemu-system-arm")
    folder = tmp_path / "demo"
    process = demo_run.start_demo(folder, "--sensors", "twin,emulated", "--speed", "max")

    def played() -> bool:
        assert process.poll() is None, process.stdout and process.stdout.read()
        return _produced(folder) >= 300

    until(played, "300 readings of a board", demo_run.LIMIT_SECONDS)
    os.kill(int((folder / "gateway.pid").read_text()), signal.SIGKILL)
    finished, summary = demo_run.finish(process, folder)
    assert finished.returncode == 0, finished.stdout
    assert summary["sensors"] == EMULATED | TWINS
    produced = demo_run.produced_readings(folder)
    assert demo_run.stored_readings(folder) == produced  # lost 0, double 0, reading by reading
    assert {device: len(readings) for device, readings in produced.items() if device in EMULATED} == dict.fromkeys(
        EMULATED, 1800
    )
    assert (summary["lost"], summary["false_alarms"]) == (0, 0)
    assert summary["first_alarm_delay_seconds"] is not None
    assert set(summary["new_model"]) == set(TWINS)  # the firmware checks no signature yet
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert report.count("board in QEMU, on a serial line") == len(EMULATED)
    # Each board said under its own id, on a line of its own, that it is well.
    says = [json.loads(line) for line in (folder / "gateway.log").read_text().splitlines() if "device says" in line]
    assert len({line["line"] for line in says}) == len(EMULATED)
    assert demo_run.processes_of(folder, process.pid) == []


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        ("twin,lathe", "'lathe' is no kind of sensor; there are twin and emulated"),
        ("emulated", "write --sensors twin,emulated"),
    ],
)
def test_sensors_that_cannot_be_are_one_sentence(tmp_path: Path, sensors: str, words: str) -> None:
    if sensors == "emulated" and shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU for Arm: apt install qemu-system-arm")
    finished, summary = demo_run.run_demo(tmp_path / "demo", "--sensors", sensors)
    assert (finished.returncode, summary, finished.stdout.count("\n")) == (2, {}, 1)
    assert words in finished.stdout
    assert not (tmp_path / "demo").exists()


def test_without_qemu_the_demo_says_what_to_install_before_it_starts_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    finished, summary = demo_run.run_demo(tmp_path / "demo", "--sensors", "twin,emulated")
    assert (finished.returncode, summary, finished.stdout.count("\n")) == (1, {}, 1)
    assert "apt install qemu-system-arm" in finished.stdout
    assert not (tmp_path / "demo").exists()

"""The demo ends everything that it started, at whatever moment and however it is ended."""

import os
import signal
import sys
from pathlib import Path

import demo_run
import pytest
from waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


def _start(folder: Path, sign: str):  # type: ignore[no-untyped-def]
    process = demo_run.start_demo(folder)

    def reached() -> bool:
        assert process.poll() is None, process.stdout and process.stdout.read()
        return (folder / sign).exists() and (folder / sign).stat().st_size > 0

    until(reached, sign, demo_run.LIMIT_SECONDS)
    assert len(demo_run.processes_of(folder, process.pid)) >= 3
    return process


@pytest.mark.parametrize(
    ("sign", "signals"),
    [
        ("cloud.log", [signal.SIGINT]),
        ("sensors.log", [signal.SIGINT, signal.SIGINT]),
        ("cloud.log", [signal.SIGHUP]),
    ],
    ids=["Ctrl-C while training", "Ctrl-C twice while playing", "the terminal is closed"],
)
def test_the_demo_ends_with_all_that_it_started(tmp_path: Path, sign: str, signals: list[signal.Signals]) -> None:
    folder = tmp_path / "demo"
    process = _start(folder, sign)
    for number in signals:
        os.killpg(process.pid, number)  # as a terminal does: to every process of the group
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert demo_run.processes_of(folder, process.pid) == []
    assert not (folder / "summary.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_even_a_killed_demo_leaves_no_process_behind(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = _start(folder, "cloud.log")
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    until(lambda: not demo_run.processes_of(folder, process.pid), "the end of every process")

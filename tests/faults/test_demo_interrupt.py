"""Ctrl-C in the demo, while it trains and while it plays: it ends at once and leaves no process behind."""

import signal
import subprocess
from pathlib import Path

import demo_run
import pytest

pytestmark = [pytest.mark.services, pytest.mark.slow]


def _processes_of(folder: Path) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(folder) in line]


@pytest.mark.parametrize("sign", ["cloud.log", "sensors.log"], ids=["while training", "while playing"])
def test_ctrl_c_ends_everything_that_was_started(tmp_path: Path, sign: str) -> None:
    folder = tmp_path / "demo"
    process = demo_run.start_demo(folder)

    def reached() -> bool:
        assert process.poll() is None, process.stdout and process.stdout.read()
        return (folder / sign).exists() and (folder / sign).stat().st_size > 0

    demo_run.wait_until(reached, sign)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert _processes_of(folder) == []
    assert not (folder / "summary.json").exists()

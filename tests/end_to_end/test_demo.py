"""The demo as a person starts it: with a fault, without one, and on a real recording."""

import os
from pathlib import Path

import demo_run
import pytest

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


def test_without_a_fault_the_demo_stays_silent_and_ends_well(tmp_path: Path) -> None:
    finished, summary = demo_run.run_demo(tmp_path / "demo", "--no-fault", "--speed", "max")
    assert finished.returncode == 0, finished.stdout
    assert summary["alarms"] == []
    assert summary["false_alarms"] == 0
    assert summary["lost"] == 0
    assert summary["produced"] == summary["stored"] >= 5400
    assert min(summary["new_model"].values()) >= 2  # the gate may refuse a candidate first
    assert demo_run.stored_readings(tmp_path / "demo") == demo_run.produced_readings(tmp_path / "demo")


def test_a_real_recording_is_alarmed_in_its_anomaly_and_not_before(tmp_path: Path) -> None:
    datasets = os.environ.get("TOCSIN_DATASETS")
    if not datasets:
        pytest.skip("needs recorded data: set TOCSIN_DATASETS to the folder that holds skab/")
    finished, summary = demo_run.run_demo(
        tmp_path / "demo",
        *("--recording", f"{datasets}/skab/data/valve1/0.csv", "--healthy-rows", "400"),
        *("--truth", "anomaly", "--ignore", "changepoint"),
    )
    assert finished.returncode == 0, finished.stdout
    rights = [alarm["right"] for alarm in summary["alarms"]]
    assert rights[0] is True
    assert summary["first_alarm_delay_seconds"] >= 0
    assert summary["lost"] == 0
    assert summary["produced"] == summary["stored"] == 1147
    assert summary["new_model"] == {"valve1-0": 2}
    assert demo_run.stored_readings(tmp_path / "demo") == demo_run.produced_readings(tmp_path / "demo")

"""`tocsin score` and the running system are one: the same recording through a real broker stores the same bits."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from waiting import PATIENCE_SECONDS, until

from shared.broker import Broker
from shared.ports import free_port
from shared.recordings import read_recording
from tocsin.provisioning import provision
from tocsin.score import Verdicts, judge

pytestmark = [pytest.mark.services, pytest.mark.slow]
BUDGET = 1.0 / 7.0


@contextmanager
def _running(module: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], env={**os.environ, **environment}, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _stored(url: str, device: str) -> int:
    with urllib.request.urlopen(f"{url}/api/loss", timeout=PATIENCE_SECONDS) as answer:
        loss = json.load(answer)
    return sum(entry["stored"] for entry in loss["devices"] if entry["device"] == device)


def test_two_replayed_devices_in_the_real_system_store_the_bits_that_score_gives(tmp_path: Path) -> None:
    datasets = os.environ.get("TOCSIN_DATASETS")
    if not datasets:
        pytest.skip("needs recorded data: set TOCSIN_DATASETS to the folder that holds skab/")
    file = f"{datasets}/skab/data/valve1/0.csv"
    recording = read_recording(file, healthy_rows=400, ignore=("anomaly", "changepoint"))
    provisioned = provision(recording, "valve", "plant/site/area/line/valve", 400, seed=0)
    expected = judge(provisioned, false_alarms_per_day=BUDGET)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        Broker(tmp_path / "broker") as broker,
        _running(
            ["tocsin", "cloud", "run"],
            {
                "TOCSIN_CLOUD_DATA_FOLDER": str(tmp_path / "cloud"),
                "TOCSIN_CLOUD_BROKER": broker.url,
                "TOCSIN_CLOUD_PORT": str(port),
                "TOCSIN_CLOUD_CONSOLE": "false",
            },
            tmp_path / "cloud.log",
        ),
        _running(
            ["tocsin", "gateway", "run"],
            {
                "TOCSIN_GATEWAY_DATA_FOLDER": str(tmp_path / "gateway"),
                "TOCSIN_GATEWAY_BROKER_URL": broker.url,
                "TOCSIN_GATEWAY_HEALTHY_READINGS": "400",
                "TOCSIN_GATEWAY_FALSE_ALARMS_PER_DAY": repr(BUDGET),
            },
            tmp_path / "gateway.log",
        ),
    ):
        until(lambda: _answers(f"{url}/api/health"), "the cloud")
        replay = subprocess.run(
            [
                *(sys.executable, "-m", "tocsin", "replay", file, "--speed", "max", "--devices", "2"),
                *("--name", "valve", "--broker", broker.url, "--data", str(tmp_path / "replay")),
                *("--healthy-rows", "400", "--ignore", "anomaly,changepoint"),
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert replay.returncode == 0, replay.stderr
        for device in ("valve", "valve-2"):
            until(lambda device=device: _stored(url, device) == recording.rows, f"the last reading of {device}")
    (database,) = (tmp_path / "cloud").glob("**/*.duckdb")
    with duckdb.connect(str(database), read_only=True) as connection:
        for device in ("valve", "valve-2"):
            rows = connection.execute(
                "SELECT sequence, score, flagged, alarm, top_channel FROM all_readings "
                "WHERE device = ? ORDER BY sequence",
                [device],
            ).fetchall()
            _assert_equal(rows, recording.rows, expected)


def _assert_equal(rows: list[tuple[Any, ...]], count: int, expected: Verdicts) -> None:
    assert [row[0] for row in rows] == list(range(count))
    scores = np.array([np.nan if row[1] is None else row[1] for row in rows], np.float64)
    assert np.isfinite(scores).sum() > 1000
    assert scores.tobytes() == expected.scores.tobytes()
    assert [bool(row[2]) for row in rows] == expected.flagged.tolist()
    assert [bool(row[3]) for row in rows] == expected.alarm.tolist()
    assert [-1 if row[4] is None else row[4] for row in rows] == expected.top_channels.tolist()
    assert expected.alarm.any()

"""The demo's verdict fails whenever something is wrong: no alarm, a false one, counts that do not add up."""

from pathlib import Path
from typing import Any

import pytest

from firmware.host.journal import Journal
from shared.identity import Channel, DeviceProfile
from tocsin.demo.prepare import Plan, Prepared, Truth
from tocsin.demo.report import write_report
from tocsin.demo.summary import Summary, count, weigh_alarms

SECOND = 1_000_000_000
PUMP, OTHER = "site/pump-1", "site/pump-2"


def _plan(folder: Path, truth: Truth) -> Plan:
    profile = DeviceProfile("pump-1", PUMP, "slow", 1.0, (Channel("t", "degC", 0.0, 1.0),))
    journal = Journal(folder / "pump-1" / "journal")
    journal.add(1, 0, 16)
    journal.add(1, 16, 4)
    journal.close()
    return Plan(folder, {"pump-1": Prepared(profile, b"", 100, 0, 100 * SECOND, 1000 * SECOND, 4000)}, truth, ())


def _fault_at(second: int) -> Truth:
    return Truth(PUMP, second * SECOND, 100 * SECOND, ((second * SECOND, 1000 * SECOND),), True)


def _alarm(asset: str, second: int) -> dict[str, Any]:
    return {
        "asset": asset,
        "device": "pump-1",
        "begin_ns": second * SECOND,
        "end_ns": None,
        "peak_score": 2.5,
        "reasons": [{"sentence": "t is <b>high</b>"}],
    }


def test_an_alarm_after_the_onset_is_right_and_its_delay_is_in_recorded_time(tmp_path: Path) -> None:
    summary = Summary()
    weigh_alarms(summary, _plan(tmp_path, _fault_at(500)), [_alarm(PUMP, 530)])
    assert (summary.first_alarm_delay_seconds, summary.false_alarms, summary.failures) == (30.0, 0, [])


@pytest.mark.parametrize(
    ("truth", "alarms", "words"),
    [
        (_fault_at(500), [], "raised no alarm"),
        (_fault_at(500), [_alarm(PUMP, 499), _alarm(PUMP, 530)], "where nothing was wrong"),
        (_fault_at(500), [_alarm(OTHER, 600), _alarm(PUMP, 530)], "where nothing was wrong"),
        (Truth(None, None, 100 * SECOND, (), True), [_alarm(PUMP, 600)], "where nothing was wrong"),
    ],
    ids=["missing", "before the onset", "another asset", "no fault at all"],
)
def test_missing_and_false_alarms_fail(tmp_path: Path, truth: Truth, alarms: list[dict[str, Any]], words: str) -> None:
    summary = Summary()
    weigh_alarms(summary, _plan(tmp_path, truth), alarms)
    assert any(words in failure for failure in summary.failures)


def test_without_truth_no_alarm_is_called_false(tmp_path: Path) -> None:
    summary = Summary()
    weigh_alarms(summary, _plan(tmp_path, Truth(None, None, 100 * SECOND, (), False)), [_alarm(PUMP, 600)])
    assert summary.false_alarms == 0
    assert not summary.failures


def _loss(gateway: int, stored: int, lost: int) -> dict[str, Any]:
    entry = {"device": "pump-1", "gateway_stored": gateway, "gateway_lost": 0, "gateway_duplicates": 3}
    return {"devices": [entry | {"stored": stored, "lost": lost, "duplicates": 1}]}


def test_counts_come_from_the_journals_and_must_add_up(tmp_path: Path) -> None:
    summary = Summary()
    count(summary, _plan(tmp_path, _fault_at(500)), _loss(20, 20, 0))
    assert (summary.produced, summary.stored, summary.lost, summary.duplicates) == (20, 20, 0, 4)
    assert not summary.failures


@pytest.mark.parametrize("loss", [_loss(19, 20, 0), _loss(20, 19, 0), _loss(20, 21, 0), _loss(20, 18, 2)])
def test_counts_that_do_not_add_up_and_losses_fail(tmp_path: Path, loss: dict[str, Any]) -> None:
    summary = Summary()
    count(summary, _plan(tmp_path, _fault_at(500)), loss)
    assert summary.failures


class _Histories:
    """What the report asks of the API."""

    def get(self, path: str) -> dict[str, Any]:
        assert path.startswith("/api/devices/pump-1/history")
        return {
            "points": [
                {
                    "time_ns": second * SECOND,
                    "score_max": None if second < 16 else 0.5 + second / 500,
                    "alarm": second > 530,
                }
                for second in range(0, 1000, 4)
            ]
        }


def test_the_report_shows_the_verdict_and_escapes_what_devices_say(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "fleet", _fault_at(500))
    summary = Summary(raw_bytes=4000, uplink_bytes=20, model_versions={"pump-1": 2})
    weigh_alarms(summary, plan, [_alarm(PUMP, 530)])
    count(summary, plan, _loss(20, 20, 0))
    write_report(tmp_path / "report.html", summary, plan, _Histories())  # type: ignore[arg-type]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "As it should be." in page
    assert "&lt;b&gt;high&lt;/b&gt;" in page
    assert "<b>high</b>" not in page
    assert page.count("<polyline") == 1
    assert "http://" not in page
    assert "https://" not in page
    assert list(tmp_path.glob("*.unfinished")) == []


def test_the_report_fits_a_desk_and_a_telephone(tmp_path: Path) -> None:
    import shutil

    browser_program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser_program is None:
        pytest.skip("no Chromium on the path: install the package chromium to look at the report")
    from playwright.sync_api import sync_playwright

    plan = _plan(tmp_path / "fleet", _fault_at(500))
    summary = Summary(raw_bytes=4000, uplink_bytes=20, model_versions={"pump-1": 2})
    weigh_alarms(summary, plan, [_alarm(PUMP, 530)])
    count(summary, plan, _loss(20, 20, 0))
    write_report(tmp_path / "report.html", summary, plan, _Histories())  # type: ignore[arg-type]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program, args=["--no-sandbox", "--disable-gpu"])
        for width in (1280, 400):
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.goto((tmp_path / "report.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator("svg polyline").bounding_box()["width"] > width / 3  # type: ignore[index]
        browser.close()

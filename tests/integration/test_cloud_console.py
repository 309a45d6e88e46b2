"""The console in a real browser: what an operator sees, at the width of a desk and of a telephone."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from waiting import PATIENCE_SECONDS

from shared.broker import Broker
from shared.messages import codec
from shared.messages.codec import Alarm, Counters, Line, Reason, Resemblance
from shared.ports import free_port

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser is driven by playwright: install extra 'dev'"
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_specification = importlib.util.spec_from_file_location("uploader", Path(__file__).with_name("uploader.py"))
uploader = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(uploader)

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: install the package chromium"),
]
SENTENCE = "The mean of current is 6.0 healthy deviations above normal <b>since 3 minutes</b>."
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def test_the_page_shows_assets_the_trend_and_an_alarm_as_it_comes_in(tmp_path, browser):
    with Broker(tmp_path / "broker") as broker:
        cloud = uploader.CloudProcess(tmp_path / "cloud", broker.url, free_port(), console="true")
        gateway = uploader.Uploader(broker.port)
        try:
            cloud.start()
            gateway.upload(
                uploader.birth("pump-1"),
                uploader.birth("fan-7", "acme/north/fan-7"),
                *(uploader.readings("fan-7", 16 * number) for number in range(4)),
                *(uploader.readings("pump-1", 16 * number) for number in range(30)),
            )
            pages = {width: browser.new_page(viewport={"width": width, "height": 900}) for width in (1280, 400)}
            asked: list[str] = []
            complaints: list[str] = []
            for page in pages.values():
                page.set_default_timeout(PATIENCE_SECONDS * 1000)
                page.on("request", lambda request: asked.append(request.url))
                page.on("pageerror", lambda error: complaints.append(str(error)))
                page.goto(cloud.url + "/")
                page.get_by_text("Score of fan-7").wait_for()
                page.get_by_text("None so far.").wait_for()
                page.locator("canvas").wait_for()
                page.evaluate("window.loadedOnce = true")
            reason = Reason("current", "mean", 6.0, SENTENCE)
            alarm = Alarm(
                "a-1", "acme/north/pump-1", "pump-1", uploader.BEGIN_NS + 470 * uploader.SECOND_NS, None, 2.1, False,
                (reason,), uploader.BEGIN_NS + 455 * uploader.SECOND_NS, ("whitened distance", "sensor's model"),
                (Line("BPFO", 107.4, "current", "envelope-3", "envelope-3 of current holds BPFO (107.4 Hz)"),),
                Resemblance("a-0", uploader.BEGIN_NS, 0.93),
            )  # fmt: skip
            gateway.upload(
                uploader.readings("pump-1", 480, level=2.0),
                ("alarm", codec.encode_alarm(alarm)),
                ("counters", codec.encode_counters(Counters("pump-1", 1, 496, 496, 0, 0, 0))),
            )
            for width, page in pages.items():
                page.get_by_text(SENTENCE).wait_for()  # as text: what a device says is never markup
                page.get_by_text("active", exact=True).wait_for()
                page.get_by_text("holds BPFO").wait_for()
                page.get_by_text("93% alike").wait_for()
                page.get_by_text("seen by whitened distance, sensor's model").wait_for()
                page.get_by_role("button", name=re.compile("^pump-1")).click()
                page.get_by_text("Score of pump-1").wait_for()
                page.get_by_text("Model 1: running").wait_for()
                page.get_by_text("produced by sensors").wait_for()
                assert page.evaluate("window.loadedOnce") is True
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                drawn = page.evaluate(
                    "Object.values(document.querySelectorAll('canvas')).every(c => c.width > 100 && c.height > 100)"
                )
                assert drawn
                overflowing = page.evaluate(
                    "[...document.querySelectorAll('.t-card *')].filter(e => e.getBoundingClientRect().right"
                    " > document.documentElement.clientWidth + 1).length"
                )
                assert overflowing == 0
                page.screenshot(path=tmp_path / f"console-{width}.png", full_page=True)
                assert (tmp_path / f"console-{width}.png").stat().st_size > 10_000
            assert [url for url in asked if not url.startswith((cloud.url, "data:"))] == []
            assert complaints == []
            assert cloud.get("/api/alarms", active=True)[0]["id"] == "a-1"
            assert "nothing at /api/other" in uploader.httpx.get(cloud.url + "/api/other").json()["error"]
            assert cloud.stop() == 0
            assert "Traceback" not in cloud.log.read_text()
        finally:
            gateway.close()
            cloud.end()

"""The page at ``/``: assets, the score trend of a device, alarms as they come in, and what was lost."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from nicegui import run, ui

from cloud.console import parts
from cloud.console.chart import draw, empty_chart
from cloud.console.normality import show_changes
from cloud.console.snapshot import Snapshot, gather
from cloud.errors import CloudError
from cloud.tier import CloudTier

_log = logging.getLogger(__name__)
REFRESH_SECONDS = 1.0
WINDOWS: dict[int, str] = {600: "10 min", 3600: "1 h", 86_400: "1 day", 0: "all"}
_STYLE = Path(__file__).with_name("style.css")


def mount_console(application: FastAPI, tier: CloudTier) -> None:
    """Put the console at ``/`` of the API's application. Nothing on it is fetched from elsewhere."""
    style = _STYLE.read_text()

    @ui.page("/", title="Tocsin")
    async def console() -> None:
        ui.add_css(style)
        page = ConsolePage(tier)
        await page.refresh()
        ui.timer(REFRESH_SECONDS, page.refresh)

    ui.run_with(application, title="Tocsin", tailwind=False, show_welcome_message=False)


class ConsolePage:
    """One viewer's page. Elements are made once and filled; lists are made anew only when what they say has changed."""

    def __init__(self, tier: CloudTier) -> None:
        self._tier = tier
        self._device = ""
        self._window = 0
        self._shown: dict[str, Any] = {}
        self._busy = asyncio.Lock()
        with ui.element("header").classes("t-head"):
            ui.label("Tocsin").classes("t-name")
            ui.label("machines under watch").classes("t-what")
            self._health = ui.label("").classes("t-trouble")
        with ui.element("main").classes("t-body"):
            with ui.element("section").classes("t-column"):
                self._assets = ui.element("div").classes("t-column")
            with ui.element("section").classes("t-column"):
                self._chart_card()
                with ui.element("div").classes("t-card"):
                    ui.label("Alarms").classes("t-title")
                    self._alarms = ui.element("div")
                with ui.element("div").classes("t-card"):
                    ui.label("Changed for good?").classes("t-title")
                    self._changes = ui.element("div")
                with ui.element("div").classes("t-card"):
                    ui.label("Readings, from the sensors to here").classes("t-title")
                    self._loss = ui.element("div").classes("t-figures t-loss")

    def _chart_card(self) -> None:
        with ui.element("div").classes("t-card"):
            with ui.element("div").classes("t-row t-apart"):
                self._title = ui.label("").classes("t-title")
                ui.toggle(WINDOWS, value=0, on_change=lambda event: self._look(event.value)).props(
                    "dense no-caps unelevated toggle-color=primary"
                )
            self._chart = ui.echart(empty_chart()).classes("t-chart")
            self._models = ui.element("div").classes("t-row")

    async def _look(self, window_seconds: int) -> None:
        self._window = window_seconds
        await self.refresh()

    async def _choose(self, device: str) -> None:
        self._device = device
        await self.refresh()

    async def refresh(self) -> None:
        """Gather off the event loop, then fill in what has changed."""
        if self._busy.locked():
            return
        async with self._busy:
            try:
                snapshot = await run.io_bound(gather, self._tier, self._device, self._window or None)
            except CloudError as error:
                self._health.set_text(str(error))
                return
            if snapshot is not None:  # None: the server is going down
                self._fill(snapshot)

    def _fill(self, snapshot: Snapshot) -> None:
        self._health.set_text(snapshot.trouble or "connected")
        if self._changed("assets", parts.asset_lines(snapshot)):
            self._assets.clear()
            with self._assets:
                parts.show_assets(snapshot, self._choose)
        if self._changed("alarms", snapshot.alarms):
            self._alarms.clear()
            with self._alarms:
                parts.show_alarms(snapshot.alarms)
        if self._changed("changes", snapshot.changes):
            self._changes.clear()
            with self._changes:
                show_changes(self._tier, snapshot.changes, self.refresh)
        if self._changed("loss", snapshot.loss):
            self._loss.clear()
            with self._loss:
                parts.show_loss(snapshot.loss)
        if self._changed("models", (snapshot.device, snapshot.models)):
            self._title.set_text(f"Score of {snapshot.device}" if snapshot.device else "No device has reported yet")
            self._models.clear()
            with self._models:
                parts.show_models(snapshot.models)
        if snapshot.history is not None and self._changed("chart", (snapshot.history, snapshot.alarms)):
            draw(self._chart.options, snapshot.history, snapshot.alarms)
            self._chart.update()

    def _changed(self, part: str, content: object) -> bool:
        """Whether a part says something else than what is shown; it counts as shown from now on."""
        if part in self._shown and self._shown[part] == content:
            return False
        self._shown[part] = content
        return True

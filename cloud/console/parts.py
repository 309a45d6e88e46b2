"""The parts of the page that are made anew when they change: assets, alarms, models, loss."""

import time
from collections.abc import Awaitable, Callable

from nicegui import ui

from cloud.api.alarms import Alarm
from cloud.api.assets import Device
from cloud.api.loss import Loss
from cloud.console import words
from cloud.console.snapshot import ModelLine, Snapshot

Choose = Callable[[str], Awaitable[None]]
#: A release is on its way until the device reports it; the other states are said as they are called.
STATE_WORDS = {"released": "on its way", "replaced": "was replaced"}
MODELS_SHOWN = 4


def asset_lines(snapshot: Snapshot) -> list[tuple[str, ...]]:
    """What the list of assets says, word by word: it is made anew when this differs."""
    return [
        (
            asset.asset,
            asset.state,
            device.device,
            device.state,
            words.score(device.score),
            _since(device),
            _model(device),
        )
        + (("chosen",) if device.device == snapshot.device else ())
        for asset in snapshot.assets
        for device in asset.devices
    ]


def show_assets(snapshot: Snapshot, choose: Choose) -> None:
    """A card per asset, a line per device."""
    if not snapshot.assets:
        with ui.element("div").classes("t-card"):
            ui.label("No assets yet").classes("t-title")
            ui.label("They appear here as soon as a gateway reports its first device.").classes("t-soft")
    for asset in snapshot.assets:
        name = asset.asset.rsplit("/", 1)
        with ui.element("div").classes("t-card"):
            with ui.element("div").classes("t-row t-apart"):
                ui.label(name[-1]).classes("t-title")
                ui.label(asset.state).classes(f"t-pill t-{asset.state}")
            if len(name) > 1:
                ui.label(name[0].replace("/", " / ")).classes("t-soft")
            for device in asset.devices:
                _show_device(device, device.device == snapshot.device, choose)


def _show_device(device: Device, chosen: bool, choose: Choose) -> None:
    line = ui.element("button").classes("t-device" + (" t-chosen" if chosen else ""))
    line.props(f"type=button aria-pressed={'true' if chosen else 'false'}")
    line.on("click", lambda: choose(device.device))
    with line:
        ui.label(device.device).classes("t-id")
        over = device.score is not None and device.score >= 1.0
        ui.label(words.score(device.score)).classes("t-score" + (" t-over" if over else ""))
        ui.label(f"{device.state} · {_model(device)}").classes("t-soft")
        ui.label(_since(device)).classes("t-soft")


def _since(device: Device) -> str:
    """How long ago the device was heard; less than a silence is "now", so that the list stands still."""
    if device.received_ns is None:
        return "no reading yet"
    seconds = (time.time_ns() - device.received_ns) / 1e9
    return "now" if seconds < 10.0 else f"{words.duration(seconds - seconds % 10)} ago"


def _model(device: Device) -> str:
    return f"model {device.model_version}" if device.model_version else "no model"


def show_alarms(alarms: list[Alarm]) -> None:
    """Alarms, the newest first, in the words of their explanation."""
    if not alarms:
        ui.label("None so far.").classes("t-soft")
    for alarm in alarms:
        with ui.element("div").classes("t-alarm-entry" + (" t-active" if alarm.active else "")):
            with ui.element("div").classes("t-row"):
                ui.label(alarm.asset.rsplit("/", 1)[-1]).classes("t-title")
                ui.label("active" if alarm.active else "ended").classes(
                    f"t-pill t-{'alarm' if alarm.active else 'silent'}"
                )
                if alarm.provisional:
                    ui.label("provisional").classes("t-pill t-commissioning").tooltip("Judged on little healthy data.")
            for reason in alarm.reasons:
                ui.label(reason.sentence).classes("t-sentence")
            if not alarm.reasons:
                ui.label("The gateway gave no explanation.").classes("t-sentence")
            for line in alarm.lines:
                ui.label(line.sentence).classes("t-sentence")
            for more in (_earlier(alarm), _said_by(alarm), _when(alarm)):
                if more:
                    ui.label(more).classes("t-soft")


def _earlier(alarm: Alarm) -> str:
    """The earlier alarm that this one is like."""
    if alarm.like is None:
        return ""
    return f"Like the alarm of {words.moment(alarm.like.begin_ns)} UTC ({alarm.like.likeness:.0%} alike)"


def _said_by(alarm: Alarm) -> str:
    """Since when, and what spoke up."""
    since = "" if alarm.since_ns is None else f"Changed since {words.moment(alarm.since_ns)} UTC"
    spoken = f"seen by {', '.join(alarm.detectors)}" if alarm.detectors else ""
    return f"{since} · {spoken}" if since and spoken else since or spoken.capitalize()


def _when(alarm: Alarm) -> str:
    begin = f"{alarm.device} · from {words.moment(alarm.begin_ns)} UTC"
    peak = f"highest score {words.score(alarm.peak_score)}"
    if alarm.end_ns is None:
        return f"{begin} · {peak}"
    return f"{begin} for {words.duration((alarm.end_ns - alarm.begin_ns) / 1e9)} · {peak}"


def show_models(models: list[ModelLine]) -> None:
    """The newest versions of a device's model."""
    if not models:
        ui.label("No model version is known of this device.").classes("t-soft")
    for line in models[:MODELS_SHOWN]:
        said = STATE_WORDS.get(line.state, line.state)
        label = ui.label(f"Model {line.version}: {said}").classes("t-soft")
        if line.reason:
            label.tooltip(line.reason)


def show_loss(loss: Loss) -> None:
    """The accounts in one line of figures."""
    figures = (
        ("produced by sensors", words.count(loss.produced)),
        ("stored at gateways", words.count(loss.gateway_stored)),
        ("stored here", words.count(loss.stored)),
        ("on the way", words.count(loss.waiting)),
        ("lost", words.count(loss.lost)),
        ("duplicates dropped", words.count(loss.duplicates)),
        ("received", words.size(loss.received_bytes)),
    )
    for what, value in figures:
        with ui.element("div").classes("t-figure"):
            ui.html(f"<b>{value}</b>", sanitize=False)  # a number made above
            ui.label(what).classes("t-soft")

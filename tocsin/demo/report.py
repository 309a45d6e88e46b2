"""The demo's report: one HTML file with its plots inside, readable without a network, on a desk and on a telephone."""

import html
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from firmware.host.player import EMULATED, TWIN
from tocsin.demo.api import Api
from tocsin.demo.prepare import Plan
from tocsin.demo.summary import Summary

_STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #5b6b7c; --line: #d8dee6; --card: #ffffff; --score: #1f6feb;
  --alarm: #c62828; --alarm-fill: #fde0df; --truth: #fff1c9; }
* { box-sizing: border-box; }
body { margin: 0; background: #f3f5f8; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.6rem; margin: 0 0 4px; } h2 { font-size: 1.15rem; margin: 28px 0 8px; }
p { margin: 4px 0 12px; color: var(--soft); } .verdict { font-size: 1.05rem; color: var(--ink); }
.good { color: #17753a; } .bad { color: var(--alarm); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px; margin: 0 0 14px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.figure b { display: block; font-size: 1.3rem; } .figure span { color: var(--soft); font-size: .88rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: right; padding: 5px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
ul { margin: 6px 0 0; padding-left: 22px; }
svg { width: 100%; height: auto; display: block; } svg text { font: 12px system-ui, sans-serif; fill: #5b6b7c; }
.key { font-size: .85rem; color: var(--soft); }
@media (max-width: 600px) { svg text { font-size: 22px; } svg .middle { display: none; } }
"""
_WIDTH, _HEIGHT = 640, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 10, 26
POINTS = 400
_KINDS = {EMULATED: " · board in QEMU, on a serial line", TWIN: " · twin, over MQTT"}
_KEY = (
    "Blue: highest fused score of each moment (logarithmic). Dashed: the threshold, 1. Red bar: in alarm. "
    "Yellow: something was wrong (the truth, which no tier saw). Grey: the healthy part that models were made from."
)


def write_report(path: Path, summary: Summary, plan: Plan, api: Api) -> None:
    """Write the report whole or not at all."""
    histories = {
        device: api.get(f"/api/devices/{quote(device)}/history?points={POINTS}")["points"] for device in plan.devices
    }
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(_page(summary, plan, histories), encoding="utf-8")
    os.replace(unfinished, path)  # noqa: PTH105


def _page(summary: Summary, plan: Plan, histories: dict[str, list[dict[str, Any]]]) -> str:
    body = [
        "<h1>Tocsin demo</h1>",
        _opening(plan),
        _verdict(summary),
        _figures(summary),
        "<h2>Alarms</h2>",
        _alarms(summary, plan),
        "<h2>Scores</h2>",
        f'<p class="key">{_KEY}</p>',
        *(_device(device, points, summary, plan) for device, points in histories.items()),
        "<h2>Loss accounting</h2>",
        _losses(summary),
        "<h2>Models</h2>",
        _models(summary),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tocsin demo report</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _opening(plan: Plan) -> str:
    length = _duration((plan.end_ns - plan.start_ns) / 1e9)
    devices = f"{len(plan.devices)} device{'s' * (len(plan.devices) > 1)}"
    return f"<p>{devices}, {length} of recorded time from {_time(plan.start_ns)} UTC.</p>"


def _verdict(summary: Summary) -> str:
    if summary.failures:
        items = "".join(f"<li>{html.escape(failure)}</li>" for failure in summary.failures)
        return f'<div class="card"><b class="bad">Not as it should be</b><ul>{items}</ul></div>'
    if not summary.truth_known:
        words = f"{len(summary.alarms)} alarm(s); there was no truth to compare them with."
    elif summary.fault_expected and summary.first_alarm_delay_seconds is not None:
        words = f"The fault was alarmed {_duration(summary.first_alarm_delay_seconds)} after it began."
    else:
        words = "Nothing went wrong, and nothing was alarmed."
    return f'<p class="verdict"><b class="good">As it should be.</b> {words}</p>'


def _figures(summary: Summary) -> str:
    delay = summary.first_alarm_delay_seconds
    figures = [
        ("-" if delay is None else _duration(delay), "from onset to first alarm"),
        (str(summary.false_alarms) if summary.truth_known else "-", "false alarms"),
        (f"{summary.stored:,}", f"readings stored of {summary.produced:,}"),
        (str(summary.lost), "readings lost"),
        (summary.share(), f"bytes sent / raw ({summary.uplink_bytes:,} / {summary.raw_bytes:,})"),
        (str(len(summary.refused_images)), "bad model images refused"),
    ]
    cells = "".join(f'<div class="figure card"><b>{value}</b><span>{label}</span></div>' for value, label in figures)
    return f'<div class="figures">{cells}</div>'


def _alarms(summary: Summary, plan: Plan) -> str:
    if not summary.alarms:
        return '<div class="card">None.</div>'
    cards = []
    for alarm in summary.alarms:
        begin = _duration((alarm["begin_ns"] - plan.start_ns) / 1e9)
        end = "lasts" if alarm["end_ns"] is None else f"until {_duration((alarm['end_ns'] - plan.start_ns) / 1e9)}"
        reasons = "".join(f"<li>{html.escape(reason['sentence'])}</li>" for reason in alarm["reasons"])
        right = {True: "right", False: "false", None: "no truth to compare with"}[alarm["right"]]
        cards.append(
            f'<div class="card"><b>{html.escape(alarm["asset"].rsplit("/", 1)[-1])}</b> '
            f'<span class="key">from {begin}, {end} · highest score {alarm["peak_score"]:.2f} · {right}</span>'
            f"<ul>{reasons or '<li>no explanation</li>'}</ul></div>"
        )
    return "".join(cards)


def _device(device: str, points: list[dict[str, Any]], summary: Summary, plan: Plan) -> str:
    version = summary.model_versions.get(device, 0)
    kind = _KINDS.get(summary.sensors.get(device, ""), "")
    return (
        f'<div class="card"><b>{html.escape(device)}</b> <span class="key">model v{version}{kind}</span>'
        f"{_plot(points, plan, plan.devices[device].profile.asset)}</div>"
    )


def _plot(points: list[dict[str, Any]], plan: Plan, asset: str) -> str:
    scored = [point for point in points if point["score_max"] is not None]
    if not scored:
        return "<p>No score yet.</p>"
    scores = [max(point["score_max"], 1e-2) for point in scored]
    low = min(0.1, *scores)
    high = max(3.0, *scores)
    span_ns = max(plan.end_ns - plan.start_ns, 1)

    def across(time_ns: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(max((time_ns - plan.start_ns) / span_ns, 0.0), 1.0)

    def down(score: float) -> float:
        share = (math.log(score) - math.log(low)) / (math.log(high) - math.log(low))
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * share

    def band(begin_ns: int, end_ns: int, colour: str, height: int = _HEIGHT - _TOP - _BOTTOM) -> str:
        left, right = across(begin_ns), across(end_ns)
        return (
            f'<rect x="{left:.1f}" y="{_HEIGHT - _BOTTOM - height}" width="{max(right - left, 1.0):.1f}" '
            f'height="{height}" fill="{colour}"/>'
        )

    parts = [band(plan.start_ns, plan.truth.healthy_end_ns, "#eef1f5")]
    if asset == plan.truth.asset:
        parts += [band(begin, end, "#fff1c9") for begin, end in plan.truth.anomalous]
    parts += [band(begin, end, "#d64541", height=8) for begin, end in _alarm_spans(points, plan.end_ns)]
    ticks = [tick for tick in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0) if low <= tick <= high]
    for tick in ticks:
        y = down(tick)
        dash = ' stroke="#5b6b7c" stroke-dasharray="5 4"' if tick == 1.0 else ' stroke="#e3e8ee"'
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"{dash}/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    line = " ".join(
        f"{across(point['time_ns']):.1f},{down(score):.1f}" for point, score in zip(scored, scores, strict=True)
    )
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1f6feb" stroke-width="1.4"/>')
    for share in (0.0, 0.5, 1.0):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * share
        anchor = {0.0: "start", 0.5: "middle", 1.0: "end"}[share]
        label = _duration(span_ns * share / 1e9)
        parts.append(f'<text class="{anchor}" x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{label}</text>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Score over recorded time">{"".join(parts)}</svg>'
    )


def _alarm_spans(points: list[dict[str, Any]], end_ns: int) -> list[tuple[int, int]]:
    """Begin and end of each run of points in alarm."""
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    for point in points:
        if point["alarm"] and begin is None:
            begin = point["time_ns"]
        elif not point["alarm"] and begin is not None:
            spans.append((begin, point["time_ns"]))
            begin = None
    return spans if begin is None else [*spans, (begin, end_ns)]


def _losses(summary: Summary) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(device)}</td><td>{counts['produced']}</td><td>{counts['stored_gateway']}</td>"
        f"<td>{counts['lost_gateway']}</td><td>{counts['stored_cloud']}</td><td>{counts['lost_cloud']}</td>"
        f"<td>{counts['duplicates_dropped']}</td></tr>"
        for device, counts in summary.devices.items()
    )
    return (
        '<div class="card scroll"><table><tr><th>device</th><th>produced</th><th>stored, gateway</th>'
        "<th>lost, gateway</th><th>stored, cloud</th><th>lost, cloud</th><th>duplicates dropped</th></tr>"
        f"{rows}</table></div>"
    )


def _models(summary: Summary) -> str:
    versions = ", ".join(
        f"{html.escape(device)} runs version {version}" for device, version in summary.model_versions.items()
    )
    refused = "".join(f"<li>{html.escape(reason)}</li>" for reason in summary.refused_images)
    attempts = f"<p>Images that the device refused, and why:</p><ul>{refused}</ul>" if refused else ""
    return f'<div class="card"><p>{versions}.</p>{attempts}</div>'


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _duration(seconds: float) -> str:
    """A span of time as people say it.

    >>> _duration(12.34), _duration(754), _duration(90000)
    ('12.3 s', '12 min 34 s', '25 h 0 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"

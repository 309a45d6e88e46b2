"""The demo on a terminal: a live table of devices, and the figures at the end."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tocsin.demo.prepare import Plan
from tocsin.demo.summary import Summary

_COLOURS = {"alarm": "bold red", "silent": "yellow", "commissioning": "cyan", "normal": "green"}


@dataclass(slots=True)
class Picture:
    """What the cloud and the sensors' process said last."""

    assets: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    loss: dict[str, Any]
    models: list[dict[str, Any]]
    progress: dict[str, Any]
    #: What kind of sensor each device is.
    sensors: dict[str, str]
    start_ns: int
    end_ns: int

    def recorded_seconds(self) -> float:
        """How far the recording has been played."""
        return max(0.0, (min(self.progress["time_ns"] or self.start_ns, self.end_ns) - self.start_ns) / 1e9)


def live_table(picture: Picture, url: str, trainings: list[tuple[str, int, int]]) -> RenderableType:
    """One row per device; below it the recording's and each training's progress, and the newest alarm."""
    table = Table(expand=False, title=f"Tocsin demo, console at {url}", title_justify="left")
    for name in ("device", "sensor", "model", "readings", "stored", "score", "state"):
        table.add_column(name, justify="right" if name in ("model", "readings", "stored", "score") else "left")
    stored = {entry["device"]: entry["stored"] for entry in picture.loss["devices"]}
    for asset in picture.assets:
        for device in asset["devices"]:
            score = device["score"]
            name = device["device"]
            table.add_row(
                name,
                picture.sensors.get(name, ""),
                f"v{device['model_version']}",
                str(picture.progress["produced"].get(name, 0)),
                str(stored.get(name, 0)),
                "-" if score is None else f"{score:.2f}",
                Text(device["state"], style=_COLOURS.get(device["state"], "")),
            )
    total = (picture.end_ns - picture.start_ns) / 1e9
    done = picture.recorded_seconds()
    parts: list[RenderableType] = [
        table,
        ProgressBar(total=total, completed=done, width=50),
        f"recorded time {done:,.0f} of {total:,.0f} s ({picture.progress['state']})",
    ]
    for words, steps, of in trainings:
        parts.append(Columns([ProgressBar(total=max(of, 1), completed=steps, width=50), f"training {words}"]))
    if picture.alarms:
        newest = picture.alarms[0]
        why = newest["reasons"][0]["sentence"] if newest["reasons"] else ""
        parts.append(Text(f"ALARM {newest['asset']}: {why}", style="bold red"))
    return Group(*parts)


def final_table(summary: Summary, plan: Plan) -> RenderableType:
    """The figures of a run."""
    table = Table(title="Summary", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("figure", overflow="fold")
    delay = summary.first_alarm_delay_seconds
    if not summary.truth_known:
        verdict = f"{len(summary.alarms)} raised (no truth to compare with)"
    elif not summary.fault_expected:
        verdict = "none, as it should be" if not summary.alarms else f"{len(summary.alarms)}, all false"
    else:
        verdict = "none" if delay is None else f"{delay:,.1f} s after the onset (recorded time)"
    table.add_row("alarm", verdict)
    table.add_row("false alarms", str(summary.false_alarms) if summary.truth_known else "-")
    for tier, counts in summary.tiers.items():
        table.add_row(
            f"readings, {tier}", f"{counts['produced']} produced = {counts['stored']} stored + {counts['lost']} lost"
        )
    table.add_row("duplicates dropped", str(summary.duplicates))
    table.add_row(
        "bytes", f"{summary.uplink_bytes:,} sent for {summary.raw_bytes:,} of raw samples ({summary.share()})"
    )
    table.add_row("models", ", ".join(f"{device} v{version}" for device, version in summary.model_versions.items()))
    table.add_row("bad images refused", str(len(summary.refused_images)))
    table.add_row("seconds", ", ".join(f"{what} {seconds}" for what, seconds in summary.seconds.items()))
    kinds = Counter(summary.sensors.values())
    table.add_row("devices", ", ".join(f"{number} {kind}" for kind, number in kinds.items()) or str(len(plan.devices)))
    return table

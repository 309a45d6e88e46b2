"""What the demo concludes: counts that must add up, alarms against the truth, models, bytes; and its exit status."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firmware.host.journal import read_journal
from tocsin.demo.prepare import Plan


@dataclass(slots=True)
class Summary:
    """`build/demo/summary.json`. Delays are in recorded time; None where there is none.

    `duplicates` are copies that a hop repeated and its receiver dropped, none of them stored; `uplink_bytes` are the
    data messages from the sensors to the gateway, `raw_bytes` the samples they were made from. `sensors` says what kind
    each device is: a twin, or emulated.
    """

    first_alarm_delay_seconds: float | None = None
    false_alarms: int = 0
    produced: int = 0
    stored: int = 0
    lost: int = 0
    duplicates: int = 0
    sensors: dict[str, str] = field(default_factory=dict)
    model_versions: dict[str, int] = field(default_factory=dict)
    uplink_bytes: int = 0
    raw_bytes: int = 0
    fault_expected: bool = False
    truth_known: bool = True
    alarms: list[dict[str, Any]] = field(default_factory=list)
    tiers: dict[str, dict[str, int]] = field(default_factory=dict)
    devices: dict[str, dict[str, int]] = field(default_factory=dict)
    refused_images: list[str] = field(default_factory=list)
    new_model: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def share(self) -> str:
        """Bytes sent as a share of the raw ones.

        >>> Summary(uplink_bytes=5, raw_bytes=1000).share(), Summary(uplink_bytes=15, raw_bytes=10).share()
        ('1/200', '1.5 times')
        """
        if not self.uplink_bytes or not self.raw_bytes:
            return "-"
        share = self.raw_bytes / self.uplink_bytes
        return f"1/{share:,.0f}" if share >= 2 else f"{1 / share:.1f} times"

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        unfinished.replace(path)


def produced_by_journals(plan: Plan) -> dict[str, int]:
    """Readings that each sensor wrote down as it made them."""
    return {
        device: sum(entry.readings for entry in read_journal(plan.fleet / device / "journal"))
        for device in plan.devices
    }


def count(summary: Summary, plan: Plan, loss: dict[str, Any]) -> None:
    """Fill in the counts of each tier and say where they do not add up."""
    journals = produced_by_journals(plan)
    at_cloud = {entry["device"]: entry for entry in loss["devices"]}
    for device, produced in journals.items():
        entry = at_cloud.get(device, {})
        summary.devices[device] = {
            "produced": produced,
            "stored_gateway": entry.get("gateway_stored", 0),
            "lost_gateway": entry.get("gateway_lost", 0),
            "stored_cloud": entry.get("stored", 0),
            "lost_cloud": entry.get("lost", 0),
            "duplicates_dropped": entry.get("gateway_duplicates", 0) + entry.get("duplicates", 0),
        }
        counts = summary.devices[device]
        for tier in ("gateway", "cloud"):
            if produced != counts[f"stored_{tier}"] + counts[f"lost_{tier}"]:
                summary.failures.append(
                    f"{device}: {produced} produced, but the {tier} counts {counts[f'stored_{tier}']} stored and "
                    f"{counts[f'lost_{tier}']} lost"
                )
    total = {
        key: sum(counts[key] for counts in summary.devices.values()) for key in next(iter(summary.devices.values()))
    }
    summary.produced = total["produced"]
    summary.stored = total["stored_cloud"]
    summary.lost = total["lost_cloud"]
    summary.duplicates = total["duplicates_dropped"]
    summary.tiers = {
        "gateway": {"produced": total["produced"], "stored": total["stored_gateway"], "lost": total["lost_gateway"]},
        "cloud": {"produced": total["produced"], "stored": total["stored_cloud"], "lost": total["lost_cloud"]},
    }
    if summary.lost:
        summary.failures.append(f"{summary.lost} readings were lost")


def weigh_alarms(summary: Summary, plan: Plan, alarms: list[dict[str, Any]]) -> None:
    """Compare alarms with the truth: late, false, missing."""
    truth = plan.truth
    summary.truth_known = truth.known
    summary.fault_expected = truth.onset_ns is not None
    summary.alarms = sorted(alarms, key=lambda alarm: int(alarm["begin_ns"]))
    right = []
    for alarm in summary.alarms:
        alarm["right"] = truth.is_anomalous(alarm["asset"], alarm["begin_ns"]) if truth.known else None
        if alarm["right"]:
            right.append(alarm["begin_ns"])
        elif truth.known:
            summary.false_alarms += 1
    if truth.onset_ns is not None:
        if right:
            summary.first_alarm_delay_seconds = (min(right) - truth.onset_ns) / 1e9
        else:
            summary.failures.append("the fault raised no alarm")
    before = [
        alarm
        for alarm in summary.alarms
        if truth.known
        and not alarm["right"]
        and (truth.onset_ns is None or alarm["asset"] != truth.asset or alarm["begin_ns"] < truth.onset_ns)
    ]
    if before:
        summary.failures.append(f"{len(before)} alarm(s) where nothing was wrong, the first of {before[0]['asset']}")

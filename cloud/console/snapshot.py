"""Everything that the page shows, gathered at one moment, off the event loop."""

from dataclasses import dataclass

from cloud.api.alarms import Alarm, alarm_of
from cloud.api.assets import Asset, list_assets
from cloud.api.devices import History, history_of
from cloud.api.health import get_health
from cloud.api.loss import Loss, count_loss
from cloud.console.normality import Change, gather_changes
from cloud.tier import CloudTier

CHART_POINTS = 600
ALARMS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model version in the words of the page."""

    version: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is shown; `device` is the one in the chart, empty while there is none."""

    assets: list[Asset]
    alarms: list[Alarm]
    changes: list[Change]
    loss: Loss
    trouble: str
    device: str
    history: History | None
    models: list[ModelLine]


def gather(tier: CloudTier, wanted: str, window_seconds: int | None) -> Snapshot:
    """What the page shows now.

    Parameters
    ----------
    wanted
        The device that the viewer chose; if there is no such device, the first one in alarm or the first of all.
    window_seconds
        The chart ends at the device's newest reading and begins so much earlier; None shows everything.
    """
    assets = list_assets(tier)
    device = _chosen(assets, wanted)
    history, models = None, []
    if device:
        history = history_of(tier, device, _from_ns(tier, device, window_seconds), None, CHART_POINTS)
        models = [ModelLine(row.version, row.state, row.reason) for row in tier.registry.versions(device)]
    alarms = [alarm_of(row) for row in tier.facts.alarms(newest=ALARMS_SHOWN)]
    return Snapshot(
        assets=assets,
        alarms=alarms,
        changes=gather_changes(tier, alarms),
        loss=count_loss(tier),
        trouble=get_health(tier).trouble,
        device=device,
        history=history,
        models=models,
    )


def _chosen(assets: list[Asset], wanted: str) -> str:
    devices = [device for asset in assets for device in asset.devices]
    for device in devices:
        if device.device == wanted:
            return wanted
    in_alarm = [device.device for device in devices if device.state == "alarm"]
    return (in_alarm or [device.device for device in devices] or [""])[0]


def _from_ns(tier: CloudTier, device: str, window_seconds: int | None) -> int | None:
    latest = tier.store.latest(device)
    if window_seconds is None or latest is None or latest.time_ns is None:
        return None
    return max(latest.time_ns - window_seconds * 1_000_000_000, -(2**63))

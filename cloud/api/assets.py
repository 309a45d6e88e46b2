"""``/api/assets``: every asset with its devices, as they stand now."""

import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from cloud.api.access import Tier
from cloud.storage.port import Position
from cloud.storage.relational import AlarmRow, DeviceRow, StateRow
from cloud.tier import CloudTier

router = APIRouter(tags=["assets"])
Condition = Literal["normal", "alarm", "silent", "commissioning"]


class Device(BaseModel):
    """A device as it stands now. `score` joins sensor and gateway; scores are null where there is none."""

    device: str
    asset: str
    gateway: str
    kind: str
    state: Condition
    time_ns: int | None
    received_ns: int | None
    score: float | None
    sensor_score: float | None
    gateway_score: float | None
    flagged: bool
    alarm: bool
    top_channel: str | None
    model_version: int
    stored: int


class Asset(BaseModel):
    """An asset (ISA-95 path) with the devices that watch it; its state is the gravest of theirs."""

    asset: str
    state: Condition
    score: float | None
    devices: list[Device]


@router.get("/assets")
def get_assets(tier: Tier) -> list[Asset]:
    """All assets."""
    return list_assets(tier)


def list_assets(tier: CloudTier, now_ns: int | None = None) -> list[Asset]:
    """All assets, by path."""
    assets: dict[str, list[Device]] = {}
    for device in list_devices(tier, now_ns):
        assets.setdefault(device.asset, []).append(device)
    return [
        Asset(
            asset=asset,
            state=gravest([device.state for device in devices]),
            score=max((device.score for device in devices if device.score is not None), default=None),
            devices=devices,
        )
        for asset, devices in sorted(assets.items())
    ]


def gravest(states: list[Condition]) -> Condition:
    """The state of an asset from those of its devices.

    >>> gravest(["normal", "silent", "commissioning"])
    'silent'
    """
    order: tuple[Condition, ...] = ("alarm", "silent", "commissioning", "normal")
    return next((state for state in order if state in states), "commissioning")


def list_devices(tier: CloudTier, now_ns: int | None = None) -> list[Device]:
    """All devices, by name, as they stand at `now_ns` (wall time, now by default)."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    newest: dict[str, Position] = {}
    stored: dict[str, int] = {}
    for position in tier.store.positions():  # in order of boots
        newest[position.device] = position
        stored[position.device] = stored.get(position.device, 0) + position.stored
    alarms, states = tier.facts.alarms(active=True), tier.facts.states()
    silent_ns = int(tier.settings.silent_after_seconds * 1e9)
    found = []
    for row in tier.facts.devices():
        latest = newest.get(row.device)
        condition = _condition(row, latest, alarms, now_ns - silent_ns)
        found.append(_device(row, latest, states.get(row.device), condition, stored.get(row.device, 0)))
    return found


def _condition(row: DeviceRow, position: Position | None, alarms: list[AlarmRow], silent_before_ns: int) -> Condition:
    if any(alarm.asset == row.asset and alarm.device == row.device for alarm in alarms):
        return "alarm"
    if position is None:
        return "commissioning"
    if position.alarm:
        return "alarm"
    if position.received_ns < silent_before_ns:
        return "silent"
    return "commissioning" if position.score is None else "normal"


def _device(
    row: DeviceRow, position: Position | None, state: StateRow | None, condition: Condition, stored: int
) -> Device:
    latest = position or Position(row.device, row.boot)
    top = latest.top_channel
    reported = state.model_version if state is not None else row.model_version
    return Device(
        device=row.device,
        asset=row.asset,
        gateway=row.gateway,
        kind=row.kind,
        state=condition,
        time_ns=latest.time_ns,
        received_ns=latest.received_ns or None,
        score=latest.score,
        sensor_score=latest.sensor_score,
        gateway_score=latest.gateway_score,
        flagged=latest.flagged,
        alarm=latest.alarm,
        top_channel=row.channels[top][0] if top is not None and top < len(row.channels) else None,
        model_version=reported,
        stored=stored,
    )

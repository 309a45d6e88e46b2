"""``/api/loss``: what was produced, stored, lost and sent twice, from the sensors to here."""

from fastapi import APIRouter
from pydantic import BaseModel

from cloud.api.access import Tier
from cloud.storage.port import Position
from cloud.tier import CloudTier

router = APIRouter(tags=["loss"])


class DeviceLoss(BaseModel):
    """Readings of a device over all its boots.

    `produced` and `gateway_*` are as the gateway counted last; ``produced == gateway_stored + gateway_lost`` there.
    Here `lost` counts the numbers missing between stored readings, and what the gateway lost after the last of them;
    `duplicates` came twice and were dropped; `waiting` is stored at the gateway and not here yet.
    """

    device: str
    produced: int
    gateway_stored: int
    gateway_lost: int
    gateway_duplicates: int
    gateway_late: int
    stored: int
    lost: int
    duplicates: int
    waiting: int


class GatewayLoss(BaseModel):
    """Uploads of a gateway over all its epochs. `early` ones were left for the gateway to repeat."""

    gateway: str
    uploads: int
    duplicates: int
    lost: int
    early: int
    undecodable: int
    received_bytes: int


class Loss(BaseModel):
    """Loss accounting; totals over all devices and gateways beside the parts."""

    produced: int
    gateway_stored: int
    stored: int
    lost: int
    duplicates: int
    waiting: int
    received_bytes: int
    devices: list[DeviceLoss]
    gateways: list[GatewayLoss]


@router.get("/loss")
def get_loss(tier: Tier) -> Loss:
    """Loss accounting."""
    return count_loss(tier)


def lost_beyond(position: Position, produced: int, lost_at_gateway: int) -> int:
    """Readings of a boot that the gateway lost and whose gap does not show here, because nothing came after it.

    A gateway that lost its folder counts as lost what it no longer knows; what is stored here is never lost.

    >>> lost_beyond(Position("a", 1, next_sequence=10, stored=8, lost=2), produced=15, lost_at_gateway=7)
    5
    >>> lost_beyond(Position("a", 1, next_sequence=10, stored=10), produced=12, lost_at_gateway=10)
    2
    """
    return max(min(lost_at_gateway, produced - position.stored) - position.lost, 0)


def count_loss(tier: CloudTier) -> Loss:
    """Loss accounting from the gateways' counters and this cloud's own positions and marks."""
    devices: dict[str, DeviceLoss] = {}

    def of(device: str) -> DeviceLoss:
        zeros = dict.fromkeys(DeviceLoss.model_fields, 0)
        return devices.setdefault(device, DeviceLoss.model_validate({**zeros, "device": device}))

    positions = {(position.device, position.boot): position for position in tier.store.positions()}
    for row in tier.facts.counters():
        entry = of(row.device)
        entry.produced += row.produced
        entry.gateway_stored += row.stored
        entry.gateway_lost += row.lost
        entry.gateway_duplicates += row.duplicates
        entry.gateway_late += row.late
        known = positions.get((row.device, row.boot), Position(row.device, row.boot))
        entry.lost += lost_beyond(known, row.produced, row.lost)
    for position in positions.values():
        entry = of(position.device)
        entry.stored += position.stored
        entry.lost += position.lost
        entry.duplicates += position.duplicates
    for entry in devices.values():
        entry.waiting = max(entry.gateway_stored - entry.stored, 0)
    gateways: dict[str, GatewayLoss] = {}
    for mark in tier.store.marks():
        zeros = dict.fromkeys(GatewayLoss.model_fields, 0)
        fresh = GatewayLoss.model_validate({**zeros, "gateway": mark.gateway})
        gateway = gateways.setdefault(mark.gateway, fresh)
        gateway.uploads += mark.taken
        gateway.duplicates += mark.duplicates
        gateway.lost += mark.lost
        gateway.early += mark.early
        gateway.undecodable += mark.undecodable
        gateway.received_bytes += mark.received_bytes
    entries = [devices[name] for name in sorted(devices)]
    return Loss(
        produced=sum(entry.produced for entry in entries),
        gateway_stored=sum(entry.gateway_stored for entry in entries),
        stored=sum(entry.stored for entry in entries),
        lost=sum(entry.lost for entry in entries),
        duplicates=sum(entry.duplicates for entry in entries),
        waiting=sum(entry.waiting for entry in entries),
        received_bytes=sum(gateway.received_bytes for gateway in gateways.values()),
        devices=entries,
        gateways=[gateways[name] for name in sorted(gateways)],
    )

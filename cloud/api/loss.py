"""``/api/loss``: what was produced, stored, lost and sent twice, from the sensors to here."""

from fastapi import APIRouter
from pydantic import BaseModel

from cloud.api.access import Tier
from cloud.tier import CloudTier

router = APIRouter(tags=["loss"])


class DeviceLoss(BaseModel):
    """Readings of a device over all its boots.

    `produced` and `gateway_*` are as the gateway counted last; ``produced == gateway_stored + gateway_lost`` there.
    Here `lost` counts the numbers missing between stored readings, those that the gateway had lost among them;
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


def count_loss(tier: CloudTier) -> Loss:
    """Loss accounting from the gateways' counters and this cloud's own positions and marks."""
    devices: dict[str, DeviceLoss] = {}

    def of(device: str) -> DeviceLoss:
        zeros = dict.fromkeys(DeviceLoss.model_fields, 0)
        return devices.setdefault(device, DeviceLoss.model_validate({**zeros, "device": device}))

    for row in tier.facts.counters():
        entry = of(row.device)
        entry.produced += row.produced
        entry.gateway_stored += row.stored
        entry.gateway_lost += row.lost
        entry.gateway_duplicates += row.duplicates
        entry.gateway_late += row.late
    for position in tier.store.positions():
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

"""``/api/devices/...``: one device, its history, and the order to train it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from cloud.api.access import Tier, require_token
from cloud.api.assets import Device, list_devices
from cloud.api.jobs import Job, job_of
from cloud.errors import NotFound
from cloud.storage.relational import DeviceRow
from cloud.tier import CloudTier

router = APIRouter(prefix="/devices", tags=["devices"])
POINTS_LIMIT = 10_000
TimeNs = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class ChannelDescription(BaseModel):
    """A channel of a device: ``physical = offset + step * count``."""

    name: str
    unit: str
    offset: float
    step: float


class DeviceDetail(Device):
    """A device with what its birth told; counts are in readings."""

    channels: list[ChannelDescription]
    feature_names: list[str]
    sample_rate_hz: float
    window: int
    hop: int
    first_ns: int | None
    last_ns: int | None


class Point(BaseModel):
    """Neighbouring readings drawn as one point; `value_*` in the unit of the answer. The peak is `score_max`."""

    time_ns: int
    readings: int
    score_min: float | None
    score_max: float | None
    score_mean: float | None
    value_min: float | None
    value_max: float | None
    value_mean: float | None
    flagged: int
    alarm: bool


class History(BaseModel):
    """A device's scores, and one channel's values if it was asked for, down-sampled to at most the points wanted."""

    device: str
    from_ns: int
    to_ns: int
    threshold: float
    channel: str | None
    unit: str | None
    points: list[Point]


@router.get("/{device}")
def get_device(device: str, tier: Tier) -> DeviceDetail:
    """One device."""
    row = tier.facts.device(device)
    summary = next(found for found in list_devices(tier) if found.device == device)
    span = tier.store.span(device)
    return DeviceDetail(
        **summary.model_dump(),
        channels=[ChannelDescription(name=n, unit=u, offset=o, step=s) for n, u, o, s in row.channels],
        feature_names=row.feature_names,
        sample_rate_hz=row.sample_rate_hz,
        window=row.window,
        hop=row.hop,
        first_ns=None if span is None else span[0],
        last_ns=None if span is None else span[1],
    )


@router.get("/{device}/history")
def get_history(
    device: str,
    tier: Tier,
    from_ns: TimeNs | None = None,
    to_ns: TimeNs | None = None,
    points: Annotated[int, Query(ge=1, le=POINTS_LIMIT)] = 500,
    channel: str | None = None,
) -> History:
    """Scores of a device between two times, both included; all of them by default.

    `channel` is the name of a channel of a slow device or of a feature of a fast one (in healthy deviations).
    """
    return history_of(tier, device, from_ns, to_ns, points, channel)


def history_of(
    tier: CloudTier, device: str, from_ns: int | None, to_ns: int | None, points: int, channel: str | None = None
) -> History:
    """See `get_history`."""
    row = tier.facts.device(device)
    column, unit, offset, step = _column(row, channel)
    span = tier.store.span(device) or (0, 0)
    first = max(span[0], -(2**63)) if from_ns is None else from_ns
    last = span[1] if to_ns is None else to_ns
    buckets = tier.store.history(device, first, last, points, column)

    def physical(value: float | None) -> float | None:
        return None if value is None else offset + step * value

    return History(
        device=device,
        from_ns=first,
        to_ns=last,
        threshold=1.0,
        channel=channel,
        unit=unit,
        points=[
            Point(
                time_ns=bucket.time_ns,
                readings=bucket.readings,
                score_min=bucket.score_min,
                score_max=bucket.score_max,
                score_mean=bucket.score_mean,
                value_min=physical(bucket.value_min),
                value_max=physical(bucket.value_max),
                value_mean=physical(bucket.value_mean),
                flagged=bucket.flagged,
                alarm=bucket.alarm,
            )
            for bucket in buckets
        ],
    )


def _column(row: DeviceRow, channel: str | None) -> tuple[tuple[str, int] | None, str | None, float, float]:
    """Column, unit, offset and step of what `channel` names."""
    if channel is None:
        return None, None, 0.0, 1.0
    if row.kind == "fast":
        if channel in row.feature_names:
            return ("features", row.feature_names.index(channel)), "healthy deviations", 0.0, 1.0 / 64.0
    else:
        for index, (name, unit, offset, step) in enumerate(row.channels):
            if name == channel:
                return ("counts", index), unit, offset, step
    known = row.feature_names if row.kind == "fast" else [entry[0] for entry in row.channels]
    raise NotFound(f"Device {row.device} has no channel {channel}: it has {', '.join(known) or 'none yet'}.")


@router.post("/{device}/train", status_code=202, dependencies=[Depends(require_token)])
def train(device: str, tier: Tier) -> Job:
    """Train the next model version of a device from its stored healthy readings. Follow it at ``/api/jobs/{id}``."""
    return job_of(tier.trainings.ask(device))

"""``/api/alarms``: what was and is wrong, with the explanation."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from cloud.api.access import Tier
from cloud.storage.relational import AlarmRow

router = APIRouter(tags=["alarms"])


class Reason(BaseModel):
    """One part of an explanation; `distance` in healthy deviations."""

    channel: str
    feature: str
    distance: float
    sentence: str


class Line(BaseModel):
    """A line of a bearing or shaft that a feature's band holds; `hertz` at the declared speed."""

    name: str
    hertz: float
    channel: str
    feature: str
    sentence: str


class Resemblance(BaseModel):
    """An earlier alarm of the asset that was explained much like this one; `likeness` from 0 to 1."""

    id: str
    begin_ns: int
    likeness: float


class Alarm(BaseModel):
    """An alarm of an asset; `end_ns` is null while it lasts, `provisional` means calibrated on little healthy data.

    `since_ns`: when the change behind it most likely began; `detectors`: what spoke up, in words.
    """

    id: str
    asset: str
    device: str
    gateway: str
    active: bool
    begin_ns: int
    end_ns: int | None
    received_ns: int
    peak_score: float
    provisional: bool
    reasons: list[Reason]
    since_ns: int | None
    detectors: list[str]
    lines: list[Line]
    like: Resemblance | None


@router.get("/alarms")
def get_alarms(
    tier: Tier,
    active: bool | None = None,
    asset: str | None = None,
    newest: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> list[Alarm]:
    """Alarms, the newest first; all of them, or the active or ended ones, or those of one asset."""
    return [alarm_of(row) for row in tier.facts.alarms(active, asset, newest)]


def alarm_of(row: AlarmRow) -> Alarm:
    """The answer for a row."""
    details = row.details
    return Alarm(
        id=row.identifier,
        asset=row.asset,
        device=row.device,
        gateway=row.gateway,
        active=row.end_ns is None,
        begin_ns=row.begin_ns,
        end_ns=row.end_ns,
        received_ns=row.received_ns,
        peak_score=row.peak_score,
        provisional=row.provisional,
        reasons=[Reason(channel=c, feature=f, distance=d, sentence=s) for c, f, d, s in row.reasons],
        since_ns=None if details is None else details.since_ns,
        detectors=[] if details is None else details.detectors,
        lines=[
            Line(name=n, hertz=h, channel=c, feature=f, sentence=s)
            for n, h, c, f, s in ([] if details is None else details.lines)
        ],
        like=None if details is None or not details.like else _resemblance(*details.like),
    )


def _resemblance(identifier: str, begin_ns: int, likeness: float) -> Resemblance:
    return Resemblance(id=identifier, begin_ns=begin_ns, likeness=likeness)

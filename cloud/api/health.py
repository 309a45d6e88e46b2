"""``/api/health``: whether this cloud does its work."""

from importlib import metadata
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from cloud.api.access import Tier
from cloud.errors import StoreUnavailable
from cloud.tier import CloudTier

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """`status` is ok when the broker is connected and the store takes uploads; `trouble` says why not.

    A store's server is watched also while nothing is uploaded. `refused_points` wait because it refused them; the
    others were stored.
    """

    status: Literal["ok", "degraded"]
    broker_connected: bool
    unacknowledged: int
    trouble: str
    refused_points: int
    free_bytes: int
    version: str


def installed_version() -> str:
    """The version of the installed distribution; a source tree that is not installed has none."""
    try:
        return metadata.version("tocsin")
    except metadata.PackageNotFoundError:
        return "not installed"


def _refused(tier: CloudTier) -> tuple[int, str]:
    """How many points wait because they were refused, and the sentence about it; health is told whatever fails."""
    try:
        refused = tier.store.refused()
    except StoreUnavailable as error:
        return 0, str(error)
    if not refused.points:
        return 0, ""
    return refused.points, (
        f"The store's server refused {refused.points} points ({refused.reason}): they wait and are tried again; see to "
        "the bucket's retention and to the types of its fields."
    )


@router.get("/health")
def get_health(tier: Tier) -> Health:
    """How this cloud is. Answers also when it is degraded: read `status`."""
    state = tier.ingest.state()
    trouble = state.trouble
    if not trouble and not state.connected:
        trouble = f"There is no connection to the broker {tier.settings.broker}."
    refused, sentence = _refused(tier)
    trouble = trouble or sentence
    return Health(
        status="degraded" if trouble else "ok",
        broker_connected=state.connected,
        unacknowledged=state.pending,
        trouble=trouble,
        refused_points=refused,
        free_bytes=tier.free_bytes(),
        version=installed_version(),
    )

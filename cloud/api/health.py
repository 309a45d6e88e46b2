"""``/api/health``: whether this cloud does its work."""

from importlib import metadata
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from cloud.api.access import Tier

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """`status` is ok when the broker is connected and the store takes uploads; `trouble` says why not."""

    status: Literal["ok", "degraded"]
    broker_connected: bool
    unacknowledged: int
    trouble: str
    free_bytes: int
    version: str


def installed_version() -> str:
    """The version of the installed distribution; a source tree that is not installed has none."""
    try:
        return metadata.version("tocsin")
    except metadata.PackageNotFoundError:
        return "not installed"


@router.get("/health")
def get_health(tier: Tier) -> Health:
    """How this cloud is. Answers also when it is degraded: read `status`."""
    state = tier.ingest.state()
    trouble = state.trouble
    if not trouble and not state.connected:
        trouble = f"There is no connection to the broker {tier.settings.broker}."
    return Health(
        status="degraded" if trouble else "ok",
        broker_connected=state.connected,
        unacknowledged=state.pending,
        trouble=trouble,
        free_bytes=tier.free_bytes(),
        version=installed_version(),
    )

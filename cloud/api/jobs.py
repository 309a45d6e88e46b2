"""``/api/jobs``: trainings and how far they are."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from cloud.api.access import Tier
from cloud.storage.relational import JobRow

router = APIRouter(tags=["jobs"])


class Job(BaseModel):
    """A training; `done` of `total` steps of its `stage`."""

    id: str
    device: str
    version: int
    state: Literal["waiting", "running", "accepted", "refused", "failed"]
    stage: str
    done: int
    total: int
    reason: str
    created_ns: int
    ended_ns: int | None


@router.get("/jobs")
def get_jobs(tier: Tier) -> list[Job]:
    """All trainings, the newest first."""
    return [job_of(row) for row in tier.trainings.jobs()]


@router.get("/jobs/{job}")
def get_job(job: str, tier: Tier) -> Job:
    """One training."""
    return job_of(tier.trainings.job(job))


def job_of(row: JobRow) -> Job:
    """The answer for a row."""
    values = {name: getattr(row, name) for name in Job.model_fields if name != "id"}
    return Job.model_validate({**values, "id": row.identifier})

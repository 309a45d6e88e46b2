"""``/api/normal`` and ``/api/drifts``: what operators called normal, and what changed since it was."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from cloud.api.access import Tier, require_token
from cloud.storage.normality import DriftRow, WordRow
from shared.messages.normality import NAME_LIMIT

router = APIRouter(tags=["normality"])


class Moved(BaseModel):
    """By how much a channel moved: in healthy deviations, and in its unit."""

    channel: str
    deviations: float
    change: float
    unit: str


class Drift(BaseModel):
    """How a device stands to what was told normal; `kind` is none where nothing changed for good."""

    device: str
    asset: str
    gateway: str
    kind: Literal["none", "sudden", "gradual", "recurring"]
    pattern: Literal["", "operating point", "against the others", "unclear"]
    since_ns: int
    time_ns: int
    received_ns: int
    channels: list[Moved]
    operating_point: str
    sentence: str


class Word(BaseModel):
    """An operator's word to one gateway: asked, waiting for readings, applied or refused, with what it answered."""

    id: str
    asset: str
    gateway: str
    alarm: str
    by: str
    since_ns: int | None
    asked_ns: int
    state: Literal["asked", "waiting", "applied", "refused"]
    sentence: str
    answered_ns: int | None
    time_ns: int | None


class Question(BaseModel):
    """That an asset is normal, and who says so. `alarm`: the one that was seen, null for the one that stands now."""

    asset: str = Field(min_length=1, max_length=1024)
    by: str = Field(min_length=1, max_length=NAME_LIMIT)
    alarm: str | None = Field(default=None, max_length=64)
    since_ns: int | None = Field(default=None, ge=0, lt=2**63)


@router.get("/drifts")
def get_drifts(tier: Tier, asset: str | None = None) -> list[Drift]:
    """How each device stands, by name; of one asset or of all. A device that never changed may be missing."""
    return [drift_of(row) for row in tier.words.drifts(asset)]


@router.get("/normal")
def get_words(tier: Tier, asset: str | None = None, newest: Annotated[int, Query(ge=1, le=10_000)] = 100) -> list[Word]:
    """What operators called normal, the newest first; of one asset or of all."""
    return [word_of(row) for row in tier.words.words(asset, newest)]


@router.post("/normal", status_code=202, dependencies=[Depends(require_token)])
def post_word(question: Question, tier: Tier) -> list[Word]:
    """Say that an asset is normal: its alarm ends and its devices are calibrated anew. Follow it at ``/api/normal``.

    A word about the asset that no gateway has answered yet is returned in place of a new one.
    """
    return [word_of(row) for row in tier.words.ask(question.asset, question.by, question.alarm, question.since_ns)]


def drift_of(row: DriftRow) -> Drift:
    """The answer for a row."""
    values = {name: getattr(row, name) for name in Drift.model_fields if name != "channels"}
    names = tuple(Moved.model_fields)
    channels = [dict(zip(names, entry, strict=True)) for entry in row.channels]
    return Drift.model_validate({**values, "channels": channels})


def word_of(row: WordRow) -> Word:
    """The answer for a row."""
    values = {name: getattr(row, name) for name in Word.model_fields if name != "id"}
    return Word.model_validate({**values, "id": row.identifier})

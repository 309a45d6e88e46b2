"""``/api/models``: every version of every device's model and how far it came."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from cloud.api.access import Tier, require_token
from shared import model_image
from shared.identity import check_id
from shared.model_image import IMAGE_LIMIT_BYTES

router = APIRouter(tags=["models"])
ModelState = Literal["candidate", "refused", "released", "running", "replaced", "installed"]


class Model(BaseModel):
    """A version of a device's model; `digest` is the SHA-256 of its image, null if the image is not here."""

    device: str
    version: int
    state: ModelState
    reason: str
    metrics: dict[str, Any]
    digest: str | None
    created_ns: int
    released_ns: int | None
    running_ns: int | None


@router.get("/models")
def get_models(tier: Tier, device: str | None = None) -> list[Model]:
    """Versions by device, the newest first; of one device or of all."""
    if device is not None:
        tier.facts.device(device)
    return [Model.model_validate(row, from_attributes=True) for row in tier.registry.versions(device)]


async def image_of(request: Request, _allowed: Annotated[None, Depends(require_token)]) -> bytes:
    """The body of a request that carries the token, read no further than an image may be long."""
    image = bytearray()
    try:
        async for part in request.stream():
            image += part
            if len(image) > IMAGE_LIMIT_BYTES:
                raise HTTPException(413, f"The body is longer than the {IMAGE_LIMIT_BYTES} bytes of a model image.")
    except ClientDisconnect as error:
        raise HTTPException(400, "The body ended early: send it again.") from error
    return bytes(image)


@router.put(
    "/models/{device}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def put_model(device: str, tier: Tier, image: Annotated[bytes, Depends(image_of)]) -> list[Model]:
    """Register the image that a device was provisioned with; later trainings start from it. Returns its versions.

    The device need not have reported yet. Sending the same image again changes nothing.
    """
    try:
        check_id(device)
    except ValueError as error:
        raise HTTPException(422, f"{error}.") from error
    content = model_image.read(image)
    tier.registry.install(device, content.version, image)
    return [Model.model_validate(row, from_attributes=True) for row in tier.registry.versions(device)]

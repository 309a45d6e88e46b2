"""The FastAPI application: the resources and the errors that they share."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from cloud.api import alarms, assets, devices, health, jobs, loss, models, normality
from cloud.api.access import ensure_token
from cloud.api.health import installed_version
from cloud.errors import Conflict, NotFound, StoreUnavailable
from cloud.tier import CloudTier
from shared.errors import ImageError, TocsinError, UsageError

_STATUS: tuple[tuple[type[TocsinError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (StoreUnavailable, 503),
    (ImageError, 422),
    (UsageError, 422),
    (TocsinError, 500),
)


class ErrorAnswer(BaseModel):
    """What went wrong, in one sentence."""

    error: str


def create_application(tier: CloudTier) -> FastAPI:
    """The API of a running cloud; its description is at ``/openapi.json``."""
    application = FastAPI(
        title="Tocsin cloud",
        version=installed_version(),
        description="Assets, history, alarms, models, loss accounting. Times in ns UTC; score 1.0 is the threshold.",
        docs_url=None,  # the usual page fetches its scripts from elsewhere
        redoc_url=None,
        responses={status: {"model": ErrorAnswer} for status in (404, 422)},
    )
    application.state.tier = tier
    application.state.token = ensure_token(tier.settings.data_folder, tier.settings.api_token_file)
    for resource in (assets, devices, alarms, normality, models, loss, jobs, health):
        application.include_router(resource.router, prefix="/api")
    application.add_api_route("/api/{rest:path}", _nothing, include_in_schema=False)
    application.add_exception_handler(TocsinError, _failed)
    application.add_exception_handler(HTTPException, _refused)
    application.add_exception_handler(RequestValidationError, _misunderstood)
    return application


def _nothing(rest: str) -> None:
    """Before the console, which would answer with a page."""
    raise HTTPException(404)


def _failed(_request: Request, error: Exception) -> JSONResponse:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return JSONResponse({"error": str(error)}, status)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if error.status_code == 404:
        sentence = f"There is nothing at {request.url.path}: see /openapi.json for what there is."
    elif error.status_code == 405:
        sentence = f"{request.url.path} does not answer to {request.method}: see /openapi.json for what it does."
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


def _misunderstood(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = first["loc"][-1] if first["loc"] else "request"
    return JSONResponse({"error": f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}."}, 422)

"""Which store the cloud keeps readings in: ``TOCSIN_STORE``, ``TOCSIN_INFLUXDB_...``, read once and handed down."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import UsageError

EMBEDDED, INFLUXDB = "embedded", "influxdb"


def _url(url: str) -> str:
    parts = urlsplit(url)
    try:
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        port_is_good = False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_good:
        raise ValueError("must look like http://host:8086")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a password: it belongs into the token file")
    return url.rstrip("/")


class StoreSettings(BaseSettings):
    """The store and, for InfluxDB, where it is. The token stands in a file, never here.

    >>> StoreSettings(store="embedded").influxdb_url
    'http://127.0.0.1:8086'
    """

    model_config = SettingsConfigDict(env_prefix="TOCSIN_", frozen=True, extra="forbid")

    store: Literal["embedded", "influxdb"] = "embedded"
    influxdb_url: Annotated[str, AfterValidator(_url)] = "http://127.0.0.1:8086"
    influxdb_organisation: str = Field(default="tocsin", min_length=1)
    #: In InfluxDB 1.8 ``database/retention``.
    influxdb_bucket: str = Field(default="tocsin", min_length=1)
    #: Holds the token (in 1.8 ``user:password``); read again when the server refuses it.
    influxdb_token_file: Path | None = None
    #: So long a request may take to be taken or answered.
    influxdb_timeout_seconds: float = Field(default=10.0, ge=0.1, le=600.0)

    @model_validator(mode="after")
    def _token_is_named(self) -> Self:
        if self.store == INFLUXDB and self.influxdb_token_file is None:
            raise ValueError("TOCSIN_INFLUXDB_TOKEN_FILE must name the file that holds InfluxDB's token")
        return self


def store_settings_from(given: dict[str, Any] | None = None) -> StoreSettings:
    """Settings from `given` and the environment; `UsageError` names the first variable that cannot be.

    >>> store_settings_from({"store": "mongo"})
    Traceback (most recent call last):
    ...
    shared.errors.UsageError: The cloud's setting TOCSIN_STORE is wrong (Input should be 'embedded' or 'influxdb').
    """
    try:
        return StoreSettings(**(given or {}))
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise UsageError(f"The cloud's store cannot be used: {reason}.") from error
        raise UsageError(f"The cloud's setting TOCSIN_{str(first['loc'][0]).upper()} is wrong ({reason}).") from error

"""Settings of the cloud: read once from the environment (``TOCSIN_CLOUD_...``), then handed down frozen."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.credentials import Login, read_login

DEFAULT_MQTT_PORT = 1883


def _broker(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "mqtt" or not parts.hostname:
        raise ValueError("must look like mqtt://host:port")
    return url


#: A file, or nothing: an empty variable sets none.
SecretFile = Annotated[Path | None, BeforeValidator(lambda path: path or None)]


class CloudSettings(BaseSettings):
    """Everything that an operator may set, with units, bounds and safe defaults.

    >>> CloudSettings(broker="mqtt://broker.example:1884").broker_address()
    ('broker.example', 1884)
    """

    model_config = SettingsConfigDict(env_prefix="TOCSIN_CLOUD_", frozen=True, extra="forbid")

    data_folder: Path = Path("tocsin-cloud")
    broker: Annotated[str, AfterValidator(_broker)] = "mqtt://127.0.0.1:1883"
    #: Who the cloud is at the broker; the password stands in a file. Both empty: a broker that asks nobody.
    broker_user: str = ""
    broker_password_file: SecretFile = None
    #: The persistent session at the broker: it must stay the same over restarts and be this cloud's alone.
    client_id: str = "tocsin-cloud"
    #: Holds the token of those who may change something; empty: made in the data folder.
    api_token_file: SecretFile = None
    #: Holds the Ed25519 key (PEM) that signs model images; empty: made in the data folder.
    signing_key_file: SecretFile = None
    #: Only this machine by default; the API has no encryption of its own.
    host: str = "127.0.0.1"
    port: int = Field(default=8480, ge=0, le=65535)
    console: bool = True

    batch_messages: int = Field(default=500, ge=1, le=10_000)
    batch_milliseconds: int = Field(default=50, ge=1, le=10_000)
    #: Wait before a write is tried again that the disk refused.
    retry_seconds: float = Field(default=1.0, gt=0.0, le=60.0)

    store_threads: int = Field(default=1, ge=1, le=64)
    store_memory_megabytes: int = Field(default=512, ge=64)
    #: Above this the older half of the table becomes a Parquet segment.
    hot_readings: int = Field(default=1_000_000, ge=100)

    #: A device that sent nothing for so long is called silent.
    silent_after_seconds: float = Field(default=60.0, gt=0.0)
    training_timeout_seconds: float = Field(default=1800.0, gt=0.0)
    #: A training takes at most so many of the newest healthy readings.
    training_readings: int = Field(default=200_000, ge=1)

    def broker_address(self) -> tuple[str, int]:
        """Host and port of the broker."""
        parts = urlsplit(self.broker)
        assert parts.hostname is not None  # the validator saw to it
        return parts.hostname, parts.port or DEFAULT_MQTT_PORT

    def broker_login(self) -> Login | None:
        """User and password at the broker; UsageError when the file holds none."""
        return read_login(self.broker_user, self.broker_password_file, "TOCSIN_CLOUD_BROKER_")

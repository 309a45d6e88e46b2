"""What an operator decides about a gateway: read once, checked, then passed down frozen.

Every field can be set by a variable of the environment, ``TOCSIN_GATEWAY_<FIELD>`` (maps as JSON), and most by an
option of ``tocsin gateway run``.
"""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from gateway.alarms.evidence import DEFAULT_FALSE_ALARMS_PER_DAY
from gateway.detectors.device import MINIMUM_HEALTHY_READINGS
from gateway.explanation.geometry import Geometry
from gateway.inputs.transport import parse_address
from shared.credentials import Login, read_login
from shared.errors import UsageError
from shared.identity import check_id


def _broker_url(url: str) -> str:
    parts = urlsplit(url)
    try:
        fits = parts.scheme in ("mqtt", "mqtts") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{url!r} is not a broker's address: write mqtt://host:port or mqtts://host:port")
    return url


def _serial_inputs(texts: tuple[str, ...]) -> tuple[str, ...]:
    lines: set[str] = set()
    for text in texts:
        line = str(parse_address(text))
        if line in lines:
            raise ValueError(f"the line {line} stands there twice; name each once")
        lines.add(line)
    return texts


def _enough(count: int) -> int:
    if 0 < count < MINIMUM_HEALTHY_READINGS:
        raise ValueError(f"at least {MINIMUM_HEALTHY_READINGS} healthy readings are needed, or 0 to wait")
    return count


def _public_key(text: str) -> str:
    """The key as 64 hexadecimal digits, from those or from a file that holds them or the 32 bytes themselves."""
    if not text:
        return text
    key: bytes | None = None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        try:
            content = Path(text).read_bytes()
        except OSError as error:
            raise ValueError(f"{text!r} is neither 64 hexadecimal digits nor a readable file ({error})") from error
        key = content
        if len(content) != 32:
            try:
                key = bytes.fromhex(content.decode("ascii").strip())
            except ValueError as error:
                raise ValueError(f"the file {text} does not hold 64 hexadecimal digits or 32 bytes") from error
    if len(key) != 32:
        raise ValueError(f"an Ed25519 public key has 32 bytes, this one {len(key)}")
    return key.hex()


#: Options that are not called as their setting: they give one entry of it.
_OPTIONS = {"serial_inputs": "serial", "healthy_readings_of": "healthy"}
#: Settings that have no option.
_VARIABLE_ONLY = ("geometry_of",)

Identifier = Annotated[str, AfterValidator(lambda text: check_id(text, "gateway id"))]
HealthyReadings = Annotated[int, Field(ge=0, le=1_000_000), AfterValidator(_enough)]
BrokerUrl = Annotated[str, AfterValidator(_broker_url)]
#: A file, or nothing: an empty variable sets none.
SecretFile = Annotated[Path | None, BeforeValidator(lambda path: path or None)]


class GatewaySettings(BaseSettings):
    """Settings of one gateway.

    `healthy_readings` is how many readings from now on are healthy, device by device in `healthy_readings_of`;
    0 waits for the operator to say so.
    """

    model_config = SettingsConfigDict(env_prefix="TOCSIN_GATEWAY_", frozen=True, extra="forbid")

    id: Identifier = "gateway-1"
    data_folder: Path = Path("gateway-data")
    broker_url: BrokerUrl = "mqtt://127.0.0.1:1883"
    #: Where the cloud listens; empty: the same broker.
    uplink_url: Annotated[str, AfterValidator(lambda url: _broker_url(url) if url else url)] = ""
    #: Who the gateway is at the broker; the password stands in a file. Both empty: a broker that asks nobody.
    broker_user: str = ""
    broker_password_file: SecretFile = None
    #: The same at the cloud's broker, where it is another one.
    uplink_user: str = ""
    uplink_password_file: SecretFile = None
    #: Serial lines with a device each, beside those that speak MQTT.
    serial_inputs: Annotated[tuple[str, ...], AfterValidator(_serial_inputs)] = ()
    healthy_readings: HealthyReadings = 0
    healthy_readings_of: dict[str, HealthyReadings] = {}
    #: Shaft and bearing that a fast device looks at, device by device: its alarms then tell which line they match.
    geometry_of: dict[str, Geometry] = {}
    false_alarms_per_day: Annotated[float, Field(gt=0.0, le=1000.0)] = DEFAULT_FALSE_ALARMS_PER_DAY
    #: Ed25519 public key of releases, hexadecimal, or a file that holds it; empty: no release is accepted.
    release_public_key: Annotated[str, AfterValidator(_public_key)] = ""
    outbox_limit_bytes: Annotated[int, Field(ge=1 << 16)] = 1 << 30
    batch_messages: Annotated[int, Field(ge=1, le=10_000)] = 500
    batch_seconds: Annotated[float, Field(ge=0.0, le=1.0)] = 0.020
    #: A device's judgement is written after so many of its messages; a restart judges the ones since then again.
    checkpoint_messages: Annotated[int, Field(ge=1, le=10_000)] = 32
    uplink_window: Annotated[int, Field(ge=1, le=1000)] = 64
    repeat_seconds: Annotated[float, Field(gt=0.0, le=3600.0)] = 2.0
    counters_seconds: Annotated[float, Field(gt=0.0, le=3600.0)] = 5.0
    keepalive_seconds: Annotated[int, Field(ge=5, le=600)] = 30

    def healthy_readings_for(self, device: str) -> int:
        """How many healthy readings the operator declared for `device`."""
        return self.healthy_readings_of.get(device, self.healthy_readings)

    def broker_login(self) -> Login | None:
        """User and password at the devices' broker; UsageError when the file holds none."""
        return read_login(self.broker_user, self.broker_password_file, "TOCSIN_GATEWAY_BROKER_")

    def uplink_login(self) -> Login | None:
        """User and password at the cloud's broker: those of the devices' broker only if it is that one."""
        if self.uplink_url in ("", self.broker_url):
            return self.broker_login()
        return read_login(self.uplink_user, self.uplink_password_file, "TOCSIN_GATEWAY_UPLINK_")

    @classmethod
    def read(cls, **given: object) -> Self:
        """Settings from the environment and from the options that were given (None: not given).

        Raises
        ------
        UsageError
            One sentence that names the setting, the value and what it must be.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        except SettingsError as error:
            raise UsageError(f"A variable TOCSIN_GATEWAY_... is not valid JSON: {error}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "settings"
            reason = first["msg"].removeprefix("Value error, ")
            field = str(first["loc"][0]) if first["loc"] else name
            option = "" if field in _VARIABLE_ONLY else f"option --{_OPTIONS.get(field, field.replace('_', '-'))} or "
            raise UsageError(
                f"The gateway setting {name} cannot be {first['input']!r}: {reason} "
                f"({option}variable TOCSIN_GATEWAY_{field.upper()})."
            ) from error

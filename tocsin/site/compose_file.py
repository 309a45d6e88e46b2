"""docker-compose.yml as values: the services with what `tocsin up` needs of each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shared.errors import UsageError
from tocsin.site.dockerfile import Image, read_image
from tocsin.site.interpolation import interpolated

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


@dataclass(frozen=True, slots=True)
class Health:
    """How a service is asked whether it is well: an exec-form command, seconds, and tries."""

    command: tuple[str, ...]
    interval_seconds: float
    timeout_seconds: float
    start_seconds: float
    retries: int


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a container, published on the machine at `published` of `address`."""

    address: str
    published: int
    inside: int


@dataclass(frozen=True, slots=True)
class Service:
    """One service, with the image's defaults filled in.

    `folders` maps paths of the container to the names of volumes, `files` to paths of this machine.
    """

    name: str
    image: str
    #: The folder of its Dockerfile below the compose file's, empty for an image that is only pulled.
    built_in: str
    command: tuple[str, ...]
    environment: dict[str, str]
    health: Health | None
    ports: tuple[Port, ...]
    folders: dict[str, str]
    files: dict[str, Path]
    secrets: tuple[str, ...]
    depends_on: dict[str, str]
    restart: str
    stop_seconds: float


def read_compose(file: Path, profiles: list[str], variables: Mapping[str, str]) -> dict[str, Service]:
    """The services without a profile and those of `profiles`, each after those that it depends on.

    Raises
    ------
    UsageError
        The file cannot be read, a variable is missing, or a service depends on one that is not there.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"the compose file {file} cannot be read ({error.strerror}); run this in Tocsin's folder or name it with "
            "--file"
        ) from error
    except yaml.YAMLError as error:
        raise UsageError(f"the compose file {file} is no YAML ({error}); correct it") from error
    content = interpolated(content, variables)
    known = {profile for entry in content["services"].values() for profile in entry.get("profiles", [])}
    for profile in profiles:
        if profile not in known:
            raise UsageError(
                f"there is no profile {profile!r} in {file}; there is {', '.join(sorted(known)) or 'none'}"
            )
    services = {
        name: _service(name, entry, content, file.parent)
        for name, entry in content["services"].items()
        if not entry.get("profiles") or set(entry["profiles"]) & set(profiles)
    }
    return _ordered(services)


def _service(name: str, entry: dict[str, Any], content: dict[str, Any], folder: Path) -> Service:
    build = entry.get("build") or {}
    image, built_in = Image(), ""
    if build:
        dockerfile = Path(build.get("context", ".")) / build.get("dockerfile", "Dockerfile")
        image = read_image(folder / dockerfile)
        built_in = dockerfile.parent.as_posix()
    command = (*image.entrypoint, *map(str, entry.get("command") or image.command))
    secrets = tuple(entry.get("secrets", []))
    files = {f"/run/secrets/{secret}": folder / content["secrets"][secret]["file"] for secret in secrets}
    folders: dict[str, str] = {}
    for volume in entry.get("volumes", []):
        if isinstance(volume, dict):
            files[volume["target"]] = folder / volume["source"]
        else:
            source, target = volume.split(":")[:2]
            folders[target] = source
    environment = {key: str(value) for key, value in (entry.get("environment") or {}).items()}
    return Service(
        name=name,
        image=entry.get("image", ""),
        built_in=built_in,
        command=command,
        environment=image.environment | environment,
        health=_health(entry.get("healthcheck") or {}, image),
        ports=tuple(_port(text) for text in entry.get("ports", [])),
        folders=folders,
        files=files,
        secrets=secrets,
        depends_on={other: wanted["condition"] for other, wanted in (entry.get("depends_on") or {}).items()},
        restart=entry.get("restart", "no"),
        stop_seconds=seconds(entry.get("stop_grace_period", "10s")),
    )


def _health(entry: dict[str, Any], image: Image) -> Health | None:
    command = tuple(map(str, entry.get("test", []))) or (("CMD", *image.health) if image.health else ())
    if entry.get("disable") or not command:
        return None
    return Health(
        command[1:],
        seconds(entry.get("interval", "30s")),
        seconds(entry.get("timeout", "30s")),
        seconds(entry.get("start_period", "0s")),
        int(entry.get("retries", 3)),
    )


def _port(text: str) -> Port:
    address, published, inside = text.rsplit(":", 2)
    return Port(address, int(published), int(inside))


def seconds(text: str) -> float:
    """A duration of compose.

    >>> seconds("1m30s"), seconds("10s")
    (90.0, 10.0)
    """
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise UsageError(f"{text!r} in the compose file is no duration; write it as 10s or 1m30s")
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def _ordered(services: dict[str, Service]) -> dict[str, Service]:
    ordered: dict[str, Service] = {}
    waiting = dict(services)
    while waiting:
        ready = [name for name, service in waiting.items() if service.depends_on.keys() <= ordered.keys()]
        if not ready:
            name, service = next(iter(waiting.items()))
            missing = sorted(service.depends_on.keys() - services.keys())
            raise UsageError(
                f"the service {name} depends on {', '.join(missing or service.depends_on)}, which "
                f"{'is not among the services' if missing else 'depends on it'}; correct the compose file"
            )
        for name in ready:
            ordered[name] = waiting.pop(name)
    return ordered

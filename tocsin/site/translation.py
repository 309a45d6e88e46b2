"""From the world of containers to this machine: hosts and ports, paths of volumes and secrets.

In the compose file ``nats:1883`` is a container's port, ``127.0.0.1:8222`` a port of the container that says it, and
``/data`` its volume. Here every such port is a port of 127.0.0.1 and every such path lies in the folder of volumes.
"""

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.ports import HOST, free_port
from tocsin.site.compose_file import Service

_OWN = ("127.0.0.1", "0.0.0.0", "localhost")  # noqa: S104  (what a container says; nothing listens there)


class Translation:
    """Where each service's ports and paths are on this machine.

    Parameters
    ----------
    services
        By name.
    volumes
        The folder that holds one folder per volume.
    say
        Told when a published port is taken and another one is used.
    """

    def __init__(self, services: Mapping[str, Service], volumes: Path, say: Callable[[str], None]) -> None:
        self._services = services
        self._volumes = volumes
        self._ports: dict[tuple[str, int], int] = {}
        names = "|".join(map(re.escape, (*services, *_OWN)))
        self._address = re.compile(rf"(?<![\w.-])({names}):(\d+)(?!\w)")
        for service in services.values():
            for port in service.ports:
                self._ports[service.name, port.inside] = port.published
                if not is_free(port.published):
                    other = self._ports[service.name, port.inside] = free_port()
                    say(f"port {port.published} for {service.name} is taken, it is {other} instead")

    def port(self, service: str, inside: int) -> int:
        """The port of 127.0.0.1 that stands for a port of a service."""
        if (service, inside) not in self._ports:
            port = free_port()
            while port in self._ports.values():
                port = free_port()
            self._ports[service, inside] = port
        return self._ports[service, inside]

    def folder(self, volume: str) -> Path:
        """The folder of a volume, made if it is not there."""
        folder = self._volumes / volume
        folder.mkdir(parents=True, exist_ok=True)
        return folder.resolve()

    def paths(self, service: Service) -> dict[str, Path]:
        """What stands for each path that is mounted into a service."""
        folders = {target: self.folder(volume) for target, volume in service.folders.items()}
        return folders | {target: path.resolve() for target, path in service.files.items()}

    def text(self, service: Service, text: str) -> str:
        """A text that `service` reads (an argument, a value, a configuration) as it must be on this machine."""

        def here(match: re.Match[str]) -> str:
            name = service.name if match[1] in _OWN else match[1]
            return f"{HOST}:{self.port(name, int(match[2]))}"

        text = self._address.sub(here, text)
        for target, path in sorted(self.paths(service).items(), key=lambda item: -len(item[0])):
            text = re.sub(rf"(?<![\w./-]){re.escape(target)}(?![\w.-])", lambda _, path=path: str(path), text)  # type: ignore[misc]
        return text

    def environment(self, service: Service) -> dict[str, str]:
        """The variables of a service; those of its image that say where programs lie are left out."""
        found = {}
        for name, value in service.environment.items():
            if name in ("PATH", "HOME"):
                continue
            if value in _OWN:
                found[name] = HOST
            elif name.endswith("_PORT") and value.isdecimal():
                found[name] = str(self.port(service.name, int(value)))
            else:
                found[name] = self.text(service, value)
        return found


def is_free(port: int) -> bool:
    """Whether nobody listens at a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True

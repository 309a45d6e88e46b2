"""What runs in the place of each service's image: our tiers by this Python, the others by programs of this machine.

A program's health is asked as the compose file says: the commands of our tiers run for real; where an image's own tool
asks an address (``wget``), the same address is asked.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from shared.broker import server_binary
from shared.errors import TocsinError, UsageError
from shared.processes import bound_to_us
from tocsin.demo.processes import Child
from tocsin.site.answer import trouble_at
from tocsin.site.compose_file import Service
from tocsin.site.influx import Influx
from tocsin.site.translation import Translation

_TIERS = ("gateway", "cloud", "firmware")
_URL = re.compile(r"https?://\S+")
#: What a container would not see of this machine either.
_OURS = ("TOCSIN_", "GF_", "INFLUX", "DOCKER_", "NICEGUI_")


class Program(Protocol):
    """One running service."""

    def start(self) -> None:
        """Start it (again) without waiting for it; TocsinError in one sentence."""

    def status(self) -> int | None:
        """Its exit status, None while it runs; TocsinError when it turned out that it cannot be started."""

    def trouble(self, timeout_seconds: float) -> str:
        """Why it is not healthy, in words; empty when it is."""

    def last_words(self) -> str:
        """The last line of its log."""

    def ask_to_stop(self) -> None:
        """Begin its orderly end."""

    def wait(self, seconds: float) -> None:
        """Wait for its end, by force once the time is over."""


def program_for(service: Service, translation: Translation, logs: Path) -> Program | None:
    """The program of a service, not started; None with Grafana where there is none.

    Raises
    ------
    UsageError
        No program of this machine stands for the service's image.
    """
    log = logs / f"{service.name}.log"
    if service.built_in in _TIERS:
        command = [translation.text(service, word) for word in service.command]
        return Process(service, translation, _by_this_python(command), translation.environment(service), log)
    if service.built_in == "deploy/nats":
        return Process(service, translation, _nats_command(service, translation, logs), {}, log)
    if service.image.startswith("influxdb:"):
        return Influx(service, translation)
    if service.image.startswith("grafana/"):
        return _grafana(service, translation, log)
    raise UsageError(f"no program stands for {service.image} of the service {service.name}; start it with Docker")


class Process:
    """A service that is one process of this machine."""

    def __init__(
        self, service: Service, translation: Translation, command: list[str], environment: Mapping[str, str], log: Path
    ) -> None:
        health = service.health.command if service.health is not None else ()
        self._health = [translation.text(service, word) for word in health]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self._environment = {**inherited, "PYTHONUNBUFFERED": "1", **environment}
        self._child = _Command(service.name, command, self._environment, log)

    def start(self) -> None:
        """Start it (again)."""
        self._child.start()

    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return None if self._child.process is None else self._child.process.poll()

    def trouble(self, timeout_seconds: float) -> str:
        """What the health check says."""
        urls = _URL.findall(" ".join(self._health))
        if urls and self._health[0] == "wget":
            return trouble_at(urls[0], timeout_seconds)
        if not self._health:
            return ""
        try:
            done = subprocess.run(
                bound_to_us(_by_this_python(self._health)),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"the health check took more than {timeout_seconds:g} s"
        said = (done.stdout + done.stderr).strip().splitlines()
        return "" if done.returncode == 0 else (said[-1] if said else f"status {done.returncode}")

    def last_words(self) -> str:
        """The last line of its log."""
        return self._child.last_words()

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self._child.ask_to_stop()

    def wait(self, seconds: float) -> None:
        """Wait for its end, by force once the time is over."""
        self._child.wait(seconds)


class _Command(Child):
    """A child whose command is any program's."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        super().__init__(name, [], {}, log)
        self._command = command
        self._whole_environment = dict(environment)

    def start(self) -> None:
        """Start it (again)."""
        self.restarts += 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                bound_to_us(self._command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._whole_environment,
                start_new_session=True,
            )


def _by_this_python(command: list[str]) -> list[str]:
    """The commands of our images (``tocsin``, ``python``) by the interpreter that runs us."""
    if command[0] == "tocsin":
        return [sys.executable, "-m", *command]
    if command[0] == "python":
        return [sys.executable, *command[1:]]
    raise UsageError(f"the command {command[0]!r} of an image of ours is neither tocsin nor python")


def _nats_command(service: Service, translation: Translation, folder: Path) -> list[str]:
    """The server on the very configuration of the site, with this machine's ports and folders in it."""
    configuration = service.files["/run/secrets/nats.conf"]
    try:
        text = configuration.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{configuration} cannot be read ({error.strerror}); make it with tocsin init") from error
    translated = folder / "nats.conf"
    translated.touch(0o600)
    translated.write_text(translation.text(service, text), encoding="utf-8")
    words = [str(translated) if word == "/run/secrets/nats.conf" else word for word in service.command]
    return [str(server_binary()), *words[1:]]


def _grafana(service: Service, translation: Translation, log: Path) -> Process | None:
    """Grafana by the program of this machine; its settings say what the start script of the image would."""
    from cloud.grafana.provisioning import write_provisioning
    from tocsin.site.layout import BUCKET, INFLUXDB_URL, ORGANISATION

    program = shutil.which("grafana-server")
    if program is None:
        return None
    environment = {}
    for name, value in translation.environment(service).items():
        secret = name.removesuffix("__FILE")
        environment[secret] = value if secret == name else f"$__file{{{value}}}"
    home = translation.folder(service.folders["/var/lib/grafana"])
    provisioning = home / "provisioning"
    write_provisioning(
        provisioning,
        url=translation.text(service, INFLUXDB_URL),
        organisation=ORGANISATION,
        bucket=BUCKET,
        token_file=translation.text(service, "/run/secrets/influxdb-token"),
        mounted_at=str(provisioning),
    )
    environment |= {
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(translation.port(service.name, 3000)),
        "GF_PATHS_DATA": str(home),
        "GF_PATHS_LOGS": str(home / "log"),
        "GF_PATHS_PLUGINS": str(home / "plugins"),
        "GF_PATHS_PROVISIONING": str(provisioning),
    }
    return Process(service, translation, [program, "--homepath", "/usr/share/grafana"], environment, log)


def said_by(program: Program, service: Service, status: int) -> TocsinError:
    """The error for a service that ended by itself."""
    return TocsinError(f"the service {service.name} ended with status {status}: {program.last_words()}")

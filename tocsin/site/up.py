"""``tocsin up``: the services of docker-compose.yml on this machine, in their order, watched until they are ended.

It starts a service once those that it depends on are as far as the file wants them, starts a dead one again by its
restart policy, and ends everything in the reverse order. Volumes are folders; nothing is deleted.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from shared.credentials import read_secret
from shared.errors import TocsinError, UsageError
from tocsin.site.compose_file import COMPLETED, HEALTHY, Service, read_compose
from tocsin.site.interpolation import read_variables
from tocsin.site.programs import Program, program_for, said_by
from tocsin.site.translation import Translation

ADDRESSES = "addresses.json"
_POLL_SECONDS = 0.2
#: A service that is not healthy by then will not become so; its own limit counts where that is longer.
_START_SECONDS = 120.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 60.0
#: Who ran so long is not in a loop of crashes.
_STEADY_SECONDS = 10.0
#: Schemes of the addresses that people use.
_ADDRESSES = {"nats": ("mqtt", 1883), "influxdb": ("http", 8086), "cloud": ("http", 8480), "grafana": ("http", 3000)}


class _Ended(Exception):  # noqa: N818  (not a failure)
    """Ctrl-C or SIGTERM."""


def run_up(file: Path, profiles: list[str], site: Path, data: Path) -> int:
    """Run until Ctrl-C, SIGTERM or a closed terminal; returns the exit status.

    Raises
    ------
    UsageError
        The compose file, a profile, a secret or the data folder cannot be used.
    TocsinError
        A service did not start, or ended with an error.
    """
    variables = read_variables(file.absolute().parent, os.environ) | {"TOCSIN_SITE": str(site.absolute())}
    services = read_compose(file, profiles, variables)
    _check_secrets(services)
    with _locked(data):
        topology = Topology(services, data)
        try:
            _interruptible()
            while True:
                topology.step()
                time.sleep(_POLL_SECONDS)
        except _Ended:
            _say("stopping")
            return 128 + signal.SIGINT
        finally:
            topology.stop()


class Running:
    """One service on its way: waiting, started, healthy, ended."""

    def __init__(self, service: Service, program: Program) -> None:
        self.service = service
        self.program = program
        self.started = False
        #: Since its last start; `was_healthy`: ever, so that a new start is tried without end.
        self.healthy = self.was_healthy = False
        self.completed = False
        self._told_late = False
        self._failure = ""
        self.trouble = ""
        self.checked_at = self.started_at = 0.0
        self.again_at: float | None = None
        self.pause = _FIRST_PAUSE_SECONDS

    def is_as_far_as(self, condition: str) -> bool:
        """Whether those that depend on it with `condition` may start."""
        return {COMPLETED: self.completed, HEALTHY: self.healthy}.get(condition, self.started)

    def start(self) -> None:
        """Start it (again)."""
        self.started, self.again_at, self._told_late = True, None, False
        self.program.start()
        self.started_at = time.monotonic()

    def look(self) -> None:
        """See whether it lives and is well.

        Raises
        ------
        TocsinError
            It did not start, or ended with an error and is not to be started again.
        """
        now = time.monotonic()
        try:
            if self.again_at is not None:
                if now >= self.again_at:
                    self.start()
                return
            status = self.program.status()
        except TocsinError as error:
            self._could_not_start(error, now)
            return
        if status is not None:
            self._ended(status, now)
        elif self.service.health is None:
            self.healthy = self.was_healthy = True
        elif not self.healthy or now - self.checked_at >= self.service.health.interval_seconds:
            self.checked_at = now
            self._take(self.program.trouble(self.service.health.timeout_seconds))

    def _could_not_start(self, error: TocsinError, now: float) -> None:
        """Try again later, where it ran well before; what stands in its way may go. Each reason is told once."""
        if not self.was_healthy or self.service.restart == "no":
            raise error
        if str(error) != self._failure:
            self._failure = str(error)
            _say(f"{self.service.name} cannot be started again, it is tried until it can: {error}")
        self._later(now)

    def _later(self, now: float) -> None:
        self.again_at = now + self.pause
        self.pause = min(2 * self.pause, _LONGEST_PAUSE_SECONDS)

    def _ended(self, status: int, now: float) -> None:
        restart = self.service.restart
        if status == 0 and restart in ("no", "on-failure"):
            self.completed = True
            return
        if restart == "no" or (not self.was_healthy and status > 0):
            raise said_by(self.program, self.service, status)
        if now - self.started_at >= _STEADY_SECONDS:
            self.pause = _FIRST_PAUSE_SECONDS
        self.healthy, self.trouble = False, ""
        self._later(now)
        _say(f"{self.service.name} ended with status {status}, starting it again")

    def _take(self, trouble: str) -> None:
        """Note what the health check says; say it when it changes."""
        name = self.service.name
        if not trouble:
            if not self.healthy or self.trouble:
                _say(f"{name} is healthy")
            self.healthy = self.was_healthy = True
            self._failure = ""
        elif self.healthy and not self.trouble:
            _say(f"{name} is not healthy: {trouble}")
        elif not self.healthy and not self._told_late and self._is_late():
            if not self.was_healthy:
                raise TocsinError(f"the service {name} did not become healthy: {trouble}; {self.program.last_words()}")
            self._told_late = True
            _say(f"{name} does not become healthy again: {trouble}")
        self.trouble = trouble

    def _is_late(self) -> bool:
        """Whether it should be healthy by now."""
        health = self.service.health
        assert health is not None
        limit = max(_START_SECONDS, health.start_seconds + health.retries * health.interval_seconds)
        return time.monotonic() - self.started_at > limit


class Topology:
    """All services of a run."""

    def __init__(self, services: dict[str, Service], data: Path) -> None:
        logs = data / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._translation = Translation(services, data / "volumes", _say)
        self._running: dict[str, Running] = {}
        for name, service in services.items():
            program = program_for(service, self._translation, logs)
            if program is None:
                _say(f"{name} is left out: there is no {name}-server on the path")
                continue
            self._running[name] = Running(service, program)
        self._told = False
        self._data = data

    def step(self) -> None:
        """Start what may start, and look at what runs."""
        for one in self._running.values():
            if one.started:
                if not one.completed:
                    one.look()
            elif all(
                self._running[other].is_as_far_as(condition) for other, condition in one.service.depends_on.items()
            ):
                _say(f"starting {one.service.name}")
                one.start()
        if not self._told and all(one.healthy or one.completed for one in self._running.values()):
            self._told = True
            self._tell()

    def _tell(self) -> None:
        addresses = {
            name: f"{scheme}://127.0.0.1:{self._translation.port(name, inside)}"
            for name, (scheme, inside) in _ADDRESSES.items()
            if name in self._running
        }
        unfinished = self._data / f"{ADDRESSES}.unfinished"
        unfinished.write_text(json.dumps(addresses, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self._data / ADDRESSES)
        for name, address in addresses.items():
            _say(f"{name}: {address}")
        _say(f"logs in {self._data / 'logs'}; Ctrl-C ends everything")

    def stop(self) -> None:
        """End everything, last started first; what is asked to end is not left to itself."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        (self._data / ADDRESSES).unlink(missing_ok=True)
        for one in reversed([one for one in self._running.values() if one.started]):
            one.program.ask_to_stop()
            one.program.wait(one.service.stop_seconds)


def _check_secrets(services: dict[str, Service]) -> None:
    for service in services.values():
        for name in service.secrets:
            read_secret(service.files[f"/run/secrets/{name}"], f"for the service {service.name}")


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "lock").open("w")
    except OSError as error:
        raise UsageError(
            f"the data folder {data} cannot be used ({error.strerror}); give another with --data"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"{data} is in use by another tocsin up; end it or give another --data") from error
        yield


def _interruptible() -> None:
    """Ctrl-C, SIGTERM and a closed terminal end the run in order."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise _Ended

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def _say(sentence: str) -> None:
    print(sentence, flush=True)

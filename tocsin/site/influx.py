"""InfluxDB as a service of ``tocsin up``: started in a thread, so that the other services are watched meanwhile."""

import contextlib
import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from shared.credentials import read_secret
from tocsin.servers.influxdb import InfluxServer
from tocsin.site.answer import trouble_at
from tocsin.site.compose_file import Service
from tocsin.site.translation import Translation

_POLL_SECONDS = 0.1


class _Server(InfluxServer):
    """One that tells how it ended."""

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return None if self._process is None else self._process.poll()


class Influx:
    """InfluxDB, set up as its image sets itself up at the first start."""

    def __init__(self, service: Service, translation: Translation) -> None:
        self._settings = translation.environment(service)
        port = translation.port(service.name, 8086)
        folder = translation.folder(service.folders["/var/lib/influxdb2"])
        version = service.image.partition(":")[2]
        self._server = _Server(folder, version=version, port=port)
        self._coming: Future[None] | None = None

    def start(self) -> None:
        """Begin to start the server and to set it up when it is new; `status` says why that failed."""
        thread = ThreadPoolExecutor(1, "influxdb")
        self._coming = thread.submit(self._come_up)
        thread.shutdown(wait=False)

    def _come_up(self) -> None:
        self._server.stop()  # lets go of what one that died held
        self._server.start()
        self._server.set_up(
            self._settings["DOCKER_INFLUXDB_INIT_ORG"],
            self._settings["DOCKER_INFLUXDB_INIT_BUCKET"],
            self._secret("DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE"),
            username=self._settings["DOCKER_INFLUXDB_INIT_USERNAME"],
            password=self._secret("DOCKER_INFLUXDB_INIT_PASSWORD_FILE"),
        )

    def _secret(self, variable: str) -> str:
        return read_secret(Path(self._settings[variable]), variable)

    def status(self) -> int | None:
        """Its exit status, None while it runs or is on its way; TocsinError when it did not come up."""
        if self._coming is None or not self._coming.done():
            return None
        self._coming.result()
        return self._server.exit_status

    def trouble(self, timeout_seconds: float) -> str:
        """What its own health page says, once it is set up."""
        if self._coming is None or not self._coming.done():
            return "it is being started"
        if self._coming.exception() is not None:
            return str(self._coming.exception())
        return trouble_at(f"{self._server.url}/health", timeout_seconds)

    def last_words(self) -> str:
        """Where its log is."""
        return f"see {self._server.log}"

    def ask_to_stop(self) -> None:
        """Nothing: `wait` ends it in order."""

    def wait(self, seconds: float) -> None:
        """End it in order and wait; one that is just being started ends its start itself."""
        told: int | None = None
        while self._coming is not None and not self._coming.done():
            pid = self._server.pid
            if pid is not None and pid != told:
                told = pid
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            with contextlib.suppress(TimeoutError):
                self._coming.exception(_POLL_SECONDS)
        self._server.stop()

"""An InfluxDB server of this machine: started, set up, stopped.

It listens on 127.0.0.1 only, keeps everything below its folder, sends nothing home, reads no configuration of the
machine and ends with the process that started it.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from shared.errors import TocsinError, UsageError
from shared.ports import HOST, free_port
from shared.processes import bound_to_us
from tocsin.servers.cache import INFLUXDB_2, find_influxd
from tocsin.servers.http import Answer, ask, form

_POLL_SECONDS = 0.05
_SHORTEST_PASSWORD = 8
#: What ends an influxd in order: 2.x does not listen to SIGTERM, which ends it as it stands.
_ORDERLY = signal.SIGINT


class InfluxServer:
    """One influxd on one data folder, on 127.0.0.1.

    Parameters
    ----------
    folder
        Holds the data and the log ``influxd.log``; made if it is not there.
    version
        ``2.7.12`` or ``1.8.10``: which program is looked for, and how it is started and set up.
    port
        Port of the HTTP interface; 0 takes a free one at the first start and stays with it.
    binary
        The program; found by `tocsin.servers.cache.find_influxd` if left out.

    Attributes
    ----------
    url
        ``http://127.0.0.1:<port>``, valid after `start`.
    """

    def __init__(self, folder: Path, *, version: str = INFLUXDB_2, port: int = 0, binary: Path | None = None) -> None:
        self.version = version
        self.port = port
        self._folder = folder
        self._binary = binary
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where clients connect: ``http://127.0.0.1:<port>``."""
        return f"http://{HOST}:{self.port}"

    @property
    def is_1(self) -> bool:
        """Whether this is an InfluxDB 1.x, whose buckets are ``database/retention`` and need no token."""
        return self.version.startswith("1.")

    @property
    def pid(self) -> int | None:
        """Process id of the server, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def log(self) -> Path:
        """Where the server writes what it says."""
        return self._folder / "influxd.log"

    def start(self, timeout_seconds: float = 90.0) -> None:
        """Start the server and return when it is ready for readings; nothing when it runs.

        Raises
        ------
        TocsinError
            No program, the folder is in use or cannot be written, the port is taken, or it did not come up.
        """
        if self.pid is not None:
            return
        binary = self._binary or find_influxd(self.version)
        if binary is None:
            raise TocsinError(
                f"There is no InfluxDB {self.version} on this machine: build it with 'tocsin servers build', or name "
                "the program in TOCSIN_INFLUXD."
            )
        self._take_folder()
        try:
            self.port = self.port or free_port()
            _refuse_taken(self.port)
            self._spawn(binary)
            self._wait_until_ready(timeout_seconds)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server in order and wait until it is gone; nothing when it does not run."""
        self._end(_ORDERLY)

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL); a later `start` goes on with its data on the same port."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def set_up(self, organisation: str, bucket: str, token: str, *, username: str = "tocsin", password: str) -> None:
        """Make the first organisation, bucket, user and token; nothing when that was done before.

        In 1.8 it makes the database ``bucket`` (what stands before a ``/``) and the retention policy named after it;
        the server asks for no user, so `organisation`, `token` and `password` are not used.

        Raises
        ------
        UsageError
            The password is too short.
        TocsinError
            The server does not answer or refuses.
        """
        if self.is_1:
            self.create_database(bucket)
            return
        if not self._ask("GET", "/api/v2/setup").json().get("allowed"):
            return
        if len(password) < _SHORTEST_PASSWORD:
            raise UsageError(f"The password of InfluxDB's first user needs at least {_SHORTEST_PASSWORD} characters.")
        wish = {"username": username, "password": password, "org": organisation, "bucket": bucket, "token": token}
        self._ask("POST", "/api/v2/setup", json.dumps(wish).encode(), {"Content-Type": "application/json"})

    def create_database(self, bucket: str) -> None:
        """1.8 only: the database and, after a ``/``, the retention policy that keeps for ever; nothing if they are."""
        database, _, policy = bucket.partition("/")
        self._tell(f"CREATE DATABASE {_quoted(database)}")
        if policy and policy != "autogen":
            self._tell(f"CREATE RETENTION POLICY {_quoted(policy)} ON {_quoted(database)} DURATION INF REPLICATION 1")

    def _tell(self, statement: str) -> None:
        """Run one InfluxQL statement."""
        answer = self._ask("POST", "/query", *form(q=statement))
        for result in answer.json().get("results", []):
            if "error" in result:
                raise TocsinError(f"InfluxDB at {self.url} refused {statement!r}: {result['error']}.")

    def _ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        try:
            answer = ask(self.url, method, path, body, headers)
        except OSError as error:
            raise TocsinError(f"InfluxDB at {self.url} does not answer ({error}): see {self.log}.") from error
        if answer.status >= 300:
            raise TocsinError(f"InfluxDB at {self.url} refused {method} {path}: {answer.reason()}.")
        return answer

    def _take_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self._folder / "lock").open("w")
        except OSError as error:
            raise TocsinError(
                f"InfluxDB cannot use the folder {self._folder} ({error.strerror}): give one that can be written."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._release_folder()
            raise TocsinError(
                f"The folder {self._folder} is in use by another InfluxDB: stop that one or give another folder."
            ) from error

    def _release_folder(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _spawn(self, binary: Path) -> None:
        """Start the program in a thread that lives as long as it does: on Linux it would end with a shorter one."""
        folder = self._folder.resolve()
        arguments, settings = _invocation(self.version, folder, self.port)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX")} | settings
        started = threading.Event()
        failure: list[OSError] = []

        def keep() -> None:
            try:
                with self.log.open("ab") as log:
                    self._process = subprocess.Popen(
                        bound_to_us([str(binary.absolute()), *arguments], _ORDERLY),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        cwd=folder,  # 2.x reads config.* of its working folder
                        env=environment,
                        start_new_session=True,
                    )
            except OSError as error:
                failure.append(error)
                return
            finally:
                started.set()
            self._process.wait()

        self._keeper = threading.Thread(target=keep, name="influxd", daemon=True)
        self._keeper.start()
        started.wait()
        if failure:
            raise TocsinError(f"The program {binary} cannot be started ({failure[0].strerror}).") from failure[0]

    def _wait_until_ready(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                status = None if self._process is None else self._process.returncode
                raise TocsinError(
                    f"InfluxDB {self.version} ended at once with status {status}: see {self.log.absolute()}."
                )
            with contextlib.suppress(OSError):
                if ask(self.url, "GET", "/health", timeout_seconds=1.0).status == 200:
                    return
            time.sleep(_POLL_SECONDS)
        raise TocsinError(
            f"InfluxDB {self.version} did not answer on port {self.port} within {timeout_seconds:g} s: "
            f"see {self.log.absolute()}."
        )

    def _end(self, number: signal.Signals, patience_seconds: float = 20.0) -> None:
        """Send a signal; SIGKILL for a server that does not listen."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(patience_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._keeper is not None:
            self._keeper.join()
        self._process = self._keeper = None
        self._release_folder()


def _invocation(version: str, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of an influxd that keeps everything in `folder` and listens on 127.0.0.1 only."""
    address = f"{HOST}:{port}"
    if version.startswith("1."):
        return ["run", "-config", os.devnull], {
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_BIND_ADDRESS": f"{HOST}:0",  # backups; nobody asks for them
            "INFLUXDB_META_DIR": str(folder / "meta"),
            "INFLUXDB_DATA_DIR": str(folder / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(folder / "wal"),
            "INFLUXDB_HTTP_BIND_ADDRESS": address,
            "INFLUXDB_HTTP_FLUX_ENABLED": "true",
            "INFLUXDB_HTTP_LOG_ENABLED": "false",
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
        }
    return [
        "--bolt-path", str(folder / "influxd.bolt"),
        "--sqlite-path", str(folder / "influxd.sqlite"),
        "--engine-path", str(folder / "engine"),
        "--http-bind-address", address,
        "--reporting-disabled",
    ], {}  # fmt: skip


def _quoted(name: str) -> str:
    """An InfluxQL identifier.

    >>> print(_quoted('a "b"'))
    "a \\"b\\""
    """
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TocsinError(
                f"InfluxDB cannot listen on port {port} of {HOST} ({error.strerror}): "
                "stop what listens there or give another port."
            ) from error

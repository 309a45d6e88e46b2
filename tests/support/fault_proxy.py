"""A TCP proxy that fails on demand, in front of a real server.

    with FaultProxy(server.url) as proxy:
        store = open_store(proxy.url)
        proxy.hang()
        ...                      # the client runs into its time-out
        proxy.pass_through()

What it can do, at any time, also to connections that are open:

pass_through                 hand everything on, both ways
refuse                       nobody listens; open connections are reset
hang                         accept and never answer; the request does not reach the server, or reaches it while its
                             answer is lost (``reaches_server=True``). Leaving this state resets the connections hung
slow                         hold each piece for a time, or let through so many bytes a second, both ways
cut                          reset a connection after so many bytes of the answer, or of the request
http_status                  answer HTTP requests of a path without asking the server; hand on the others

Requests are counted by `requests` in every state as long as the clients speak HTTP; other protocols pass unseen.
"""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from request_splitter import RequestSplitter
from waiting import PATIENCE_SECONDS

HOST = "127.0.0.1"
PIECE_BYTES = 65536
#: How soon a connection notices that the state changed.
_NOTICE_SECONDS = 0.02


class FaultProxy:
    """A proxy on 127.0.0.1 in front of `target`, an address such as ``http://127.0.0.1:8086``.

    `requests` holds (method, path with query) of every HTTP request whose head came in full, in the order of arrival;
    `connections` counts the connections accepted.
    """

    def __init__(self, target: str, *, port: int = 0) -> None:
        place = urlsplit(target)
        self._target = (place.hostname or HOST, place.port or 80)
        self._scheme = place.scheme
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        self._state = _State()
        self._changed = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.port = port
        self._listen()
        self._accepting = threading.Thread(target=self._accept, name="fault proxy", daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """Where clients connect, with the scheme of the target."""
        return f"{self._scheme}://{HOST}:{self.port}"

    def pass_through(self) -> None:
        """Hand everything on."""
        self._become(_State())

    def refuse(self) -> None:
        """Let nobody listen, and reset what is open."""
        self._become(_State(refuses=True))

    def hang(self, *, reaches_server: bool = False) -> None:
        """Accept and never answer."""
        self._become(_State(hangs=True, reaches_server=reaches_server))

    def slow(self, *, bytes_per_second: float | None = None, delay_seconds: float = 0.0) -> None:
        """Hold each piece for `delay_seconds`, and let through no more than `bytes_per_second`, both ways."""
        self._become(_State(bytes_per_second=bytes_per_second, delay_seconds=delay_seconds))

    def cut(self, after_bytes: int, *, of: str = "answer") -> None:
        """Reset each connection after so many bytes of its ``answer`` or ``request``, counted from now."""
        assert of in ("answer", "request")
        self._become(_State(cut_after={of: after_bytes}))

    def http_status(
        self,
        status: int,
        body: bytes = b"",
        *,
        path: str = "/",
        headers: dict[str, str] | None = None,
        times: int | None = None,
    ) -> None:
        """Answer requests whose path begins with `path`; after so many `times` hand on these too."""
        self._become(_State(canned=_Canned(status, body, path, headers or {}, times)))

    def close(self) -> None:
        """Reset what is open, listen no more, and wait until all threads are gone."""
        self._closed = True
        self._become(_State(refuses=True))
        for thread in (self._accepting, *self._threads):
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "a thread of the fault proxy does not end"

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _become(self, state: "_State") -> None:
        """Take a state; on return nobody listens any more, or somebody does again."""
        with self._changed:
            self._state = state
            self._changed.notify_all()
            settled = self._changed.wait_for(lambda: (self._listener is None) == state.refuses, PATIENCE_SECONDS)
        assert settled, "the fault proxy does not change its state"

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener

    def _accept(self) -> None:
        """Listen while the state allows it; a socket that is closed elsewhere would go on listening for a while."""
        while True:
            with self._changed:
                if self._state.refuses:
                    if self._listener is not None:
                        self._listener.close()
                        self._listener = None
                        self._changed.notify_all()
                    if self._closed:
                        return
                    self._changed.wait(_NOTICE_SECONDS)
                    continue
                if self._listener is None:
                    self._listen()
                    self._changed.notify_all()
                listener = self._listener
            if not select.select([listener], [], [], _NOTICE_SECONDS)[0]:
                continue
            client, _ = listener.accept()
            connection = _Connection(self, client)
            thread = threading.Thread(target=connection.run, name="fault proxy connection", daemon=True)
            self.connections += 1
            self._threads = [*(other for other in self._threads if other.is_alive()), thread]
            thread.start()

    def wait(self, state: "_State", seconds: float) -> None:
        """Wait, no longer than `state` is the state."""
        with self._changed:
            self._changed.wait_for(lambda: self._state is not state, seconds)

    @property
    def state(self) -> "_State":
        """What is to be done now."""
        return self._state

    def connect(self) -> socket.socket:
        """A connection to the server."""
        return socket.create_connection(self._target, PATIENCE_SECONDS)


@dataclass
class _Canned:
    """An answer that the proxy gives itself."""

    status: int
    body: bytes
    path: str
    headers: dict[str, str]
    left: int | None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, path: str) -> bool:
        """Whether this request is answered here; counts it."""
        with self.lock:
            if not path.startswith(self.path) or self.left == 0:
                return False
            self.left = None if self.left is None else self.left - 1
            return True

    def encode(self) -> bytes:
        reason = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Status"
        fields = {"Content-Type": "application/json", **self.headers}
        fields |= {"Content-Length": str(len(self.body)), "Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} {reason}\r\n{head}\r\n".encode() + self.body


@dataclass(frozen=True, eq=False)
class _State:
    """What happens to bytes from now on; compared by identity."""

    refuses: bool = False
    hangs: bool = False
    reaches_server: bool = False
    bytes_per_second: float | None = None
    delay_seconds: float = 0.0
    cut_after: dict[str, int] = field(default_factory=dict)
    canned: _Canned | None = None

    def slice_bytes(self, direction: str, passed: int) -> int:
        """How many bytes may go at once after so many of that direction."""
        size = PIECE_BYTES
        if self.bytes_per_second is not None:
            size = max(1, round(self.bytes_per_second * _NOTICE_SECONDS))
        return min(size, max(0, self.cut_after.get(direction, passed + size) - passed))


class _ResetError(Exception):
    """The connection is to be reset."""


class _Connection:
    """One client's connection and the one to the server, which is made when the first byte goes there."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._splitter = RequestSplitter()
        self._state = proxy.state
        self._passed = {"answer": 0, "request": 0}
        self._hung = False
        self._canned: _Canned | None = None

    def run(self) -> None:
        """Relay until one side ends."""
        try:
            while self._step():
                pass
        except (_ResetError, OSError):
            for end in (self._client, self._server):
                if end is not None:
                    with contextlib.suppress(OSError):  # closing sends a reset
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            self._client.close()
            if self._server is not None:
                self._server.close()

    def _step(self) -> bool:
        """Hand on what came; False at an end."""
        self._follow()
        state = self._state
        if state.hangs and not state.reaches_server:
            self._proxy.wait(state, _NOTICE_SECONDS)
            return True
        ends = [end for end in (self._client, self._server) if end is not None]
        for end in select.select(ends, [], [], _NOTICE_SECONDS)[0]:
            piece = end.recv(PIECE_BYTES)
            if not piece:
                return False
            if end is not self._client:
                self._relay(piece, "answer", self._client.sendall)
            elif not self._take_request(piece):
                return False
        return True

    def _follow(self) -> None:
        """Take over the proxy's state."""
        state = self._proxy.state
        if state is self._state and not state.refuses:
            return
        hung = self._hung or (self._state.hangs and not self._state.reaches_server)
        if state.refuses or (hung and not state.hangs):
            raise _ResetError
        self._state, self._passed = state, {"answer": 0, "request": 0}

    def _take_request(self, piece: bytes) -> bool:
        """Hand on or answer what the client sent; False when the connection is answered and over."""
        self._follow()
        for part in self._splitter.feed(piece):
            if part.head is not None:
                self._proxy.requests.append(part.head)
                canned = self._state.canned
                self._canned = canned if canned is not None and canned.takes(part.head[1]) else None
            if self._canned is None:
                self._relay(part.data, "request", self._send_to_server)
            elif part.ends:
                self._client.sendall(self._canned.encode())
                return False
        return True

    def _send_to_server(self, part: bytes) -> None:
        if self._server is None:
            self._server = self._proxy.connect()
        self._server.sendall(part)

    def _relay(self, piece: bytes, direction: str, send: Callable[[bytes], None]) -> None:
        """Send in slices as the state allows; what hangs is lost, for leaving that state resets the connection."""
        self._proxy.wait(self._state, self._state.delay_seconds)
        while piece:
            self._follow()
            state = self._state
            if state.hangs and not (state.reaches_server and direction == "request"):
                self._hung = True
                return
            part = piece[: state.slice_bytes(direction, self._passed[direction])]
            piece = piece[len(part) :]
            if state.bytes_per_second is not None:
                self._proxy.wait(state, len(part) / state.bytes_per_second)
            send(part)
            self._passed[direction] += len(part)
            if self._passed[direction] >= state.cut_after.get(direction, self._passed[direction] + 1):
                raise _ResetError

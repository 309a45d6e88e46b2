"""A relay between a board's line and its gateway that also reads along: which frames went by, in either direction.

The gateway's line of an emulated board takes one client. The tap is that client, and offers the line again on a port of
its own, to one gateway at a time. Bytes go through unchanged. What the board says before the first gateway ever came is
kept, up to FIRST_WORDS_BYTES; later, what is said while no gateway listens is lost, as on a wire. A side that does not
take its bytes holds the other one back.
"""

import contextlib
import queue
import selectors
import socket
import threading

from firmware.errors import FirmwareError
from shared.serial import framing

FIRST_WORDS_BYTES = 16 << 10
_PENDING_MAX_BYTES = 64 << 10
_READ_BYTES = 16 << 10

#: (whether it came from the board, kind, body)
Passed = tuple[bool, int, bytes]


class Tap:
    """`port` is where the gateway connects (0: chosen), `board_port` where the board's line is.

    `passed` holds the frames that went by, in order; `connected` tells whether a gateway listens.
    """

    def __init__(self, board_port: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self.passed: queue.SimpleQueue[Passed] = queue.SimpleQueue()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind((host, port))
        except OSError as error:
            self._listener.close()
            raise FirmwareError(
                f"port {port} for the gateway's line of the emulated board cannot be taken ({error.strerror}); "
                "name another one"
            ) from error
        self._listener.listen(1)
        self.port = int(self._listener.getsockname()[1])
        self._board = socket.create_connection((host, board_port), timeout=10.0)
        self._gateway: socket.socket | None = None
        self._was_connected = False
        self._to_gateway = bytearray()
        self._to_board = bytearray()
        self._from_board = framing.Decoder()
        self._from_gateway = framing.Decoder()
        self.connected = False
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._listener, self._board, self._wake_in, self._wake_out):
            end.setblocking(False)
        self._board.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._own: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="board-tap", daemon=True)

    def start(self) -> None:
        """Relay in the background."""
        self._thread.start()

    def send_to_board(self, content: bytes) -> None:
        """Put bytes of our own between those of the gateway."""
        self._own.put(content)
        with contextlib.suppress(BlockingIOError):
            self._wake_in.send(b"\0")

    def stop(self) -> None:
        """Close both sides."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")
        if self._thread.is_alive():
            self._thread.join()
        for end in (self._listener, self._board, self._gateway, self._wake_in, self._wake_out):
            if end is not None:
                end.close()
        self.connected = False

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_out, selectors.EVENT_READ)
            registered: dict[socket.socket, int] = {}
            while not self._stopping:
                wanted = self._wanted()
                for end in [end for end in registered if end not in wanted]:
                    selector.unregister(end)
                    del registered[end]
                for end, events in wanted.items():
                    if end not in registered:
                        selector.register(end, events)
                    elif registered[end] != events:
                        selector.modify(end, events)
                    registered[end] = events
                for key, events in selector.select():
                    self._serve(key.fileobj, events)

    def _wanted(self) -> dict[socket.socket, int]:
        """What to look at: a side is read while the other one takes its bytes, and written while there are some."""
        wanted: dict[socket.socket, int] = {}
        board = selectors.EVENT_READ if self._gateway is None or len(self._to_gateway) < _PENDING_MAX_BYTES else 0
        board |= selectors.EVENT_WRITE if self._to_board else 0
        if board and self._board.fileno() >= 0:
            wanted[self._board] = board
        if self._gateway is None:
            wanted[self._listener] = selectors.EVENT_READ
        else:
            gateway = selectors.EVENT_READ if len(self._to_board) < _PENDING_MAX_BYTES else 0
            gateway |= selectors.EVENT_WRITE if self._to_gateway else 0
            if gateway:
                wanted[self._gateway] = gateway
        return wanted

    def _serve(self, end: object, events: int) -> None:
        if end is self._wake_out:
            with contextlib.suppress(BlockingIOError):
                self._wake_out.recv(_READ_BYTES)
            while not self._own.empty():
                self._to_board += self._own.get_nowait()
        elif end is self._listener:
            with contextlib.suppress(OSError):
                self._gateway = self._listener.accept()[0]
                self._gateway.setblocking(False)
                self._gateway.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._was_connected = True
                self.connected = True
        elif end is self._board:
            self._serve_board(events)
        elif end is self._gateway and self._gateway is not None:
            self._serve_gateway(self._gateway, events)

    def _serve_board(self, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                del self._to_board[: self._board.send(self._to_board)]
            received = self._board.recv(_READ_BYTES) if events & selectors.EVENT_READ else None
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if received == b"":
            self._board.close()
            self._leave()
        elif received:
            if self._gateway is not None or (
                not self._was_connected and len(self._to_gateway) + len(received) <= FIRST_WORDS_BYTES
            ):
                self._to_gateway += received
            for kind, body in self._from_board.push(received):
                self.passed.put((True, kind, body))

    def _serve_gateway(self, gateway: socket.socket, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                del self._to_gateway[: gateway.send(self._to_gateway)]
            received = gateway.recv(_READ_BYTES) if events & selectors.EVENT_READ else None
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if received == b"":
            self._leave()
        elif received:
            for kind, body in self._from_gateway.push(received):
                self.passed.put((False, kind, body))
            self._to_board += received

    def _leave(self) -> None:
        """The gateway has gone, or there is no board any more to speak with."""
        if self._gateway is not None:
            self._gateway.close()
            self._gateway = None
        self._to_gateway.clear()
        self.connected = False

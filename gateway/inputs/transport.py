"""Where a serial line is and how bytes pass on it: a port of this machine, or TCP to an emulator or a serial server.

>>> parse_address("serial:///dev/ttyUSB0?baud=9600")
PortAddress(path='/dev/ttyUSB0', baud=9600)
>>> parse_address("/dev/ttyACM0")
PortAddress(path='/dev/ttyACM0', baud=115200)
>>> str(parse_address("tcp://127.0.0.1:4000"))
'tcp://127.0.0.1:4000'
"""

import contextlib
import errno
import os
import socket
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from gateway.errors import LineAwayError

if TYPE_CHECKING:
    import serial

DEFAULT_BAUD = 115_200
_BAUD_LIMIT = 4_000_000
#: How long a serial server may take to answer.
_CONNECT_SECONDS = 3.0
#: A silent peer is asked for a sign of life after so many seconds, and given up after three unanswered ones.
_KEEPALIVE_SECONDS = 15
_DEAD_PEER_OPTIONS = {
    "TCP_KEEPIDLE": _KEEPALIVE_SECONDS,
    "TCP_KEEPINTVL": _KEEPALIVE_SECONDS,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 4000 * _KEEPALIVE_SECONDS,
}
_READ_BYTES = 1 << 16
_FORMS = "write serial:///dev/ttyUSB0?baud=115200, /dev/ttyUSB0 or tcp://host:port"


@dataclass(frozen=True, slots=True)
class PortAddress:
    """A serial port: its device file, and bits per second (8 data bits, no parity, 1 stop bit)."""

    path: str
    baud: int = DEFAULT_BAUD

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A serial line behind a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


Address = PortAddress | TcpAddress


def parse_address(text: str) -> Address:
    """The address of a serial line; ValueError with what it must be."""
    if text.startswith("/"):
        return PortAddress(text)
    if text.startswith("serial:///"):
        path, _, query = text.removeprefix("serial://").partition("?")
        return PortAddress(path, _baud(text, query))
    try:
        parts = urlsplit(text)
        if parts.scheme == "tcp" and parts.hostname and parts.port and not (parts.path or parts.query or "@" in text):
            return TcpAddress(parts.hostname, parts.port)
    except ValueError:
        pass  # a port or a host that is none
    raise ValueError(f"{text!r} is not the address of a serial line: {_FORMS}")


def _baud(text: str, query: str) -> int:
    given = parse_qsl(query, keep_blank_values=True)
    if not given and not query:
        return DEFAULT_BAUD
    if len(given) != 1 or given[0][0] != "baud":
        raise ValueError(f"{text!r} may say baud and nothing else: {_FORMS}")
    number = given[0][1]
    if not (number.isdecimal() and number.isascii() and 0 < int(number[:9]) <= _BAUD_LIMIT):
        raise ValueError(f"{text!r} has a baud rate that is not a number from 1 to {_BAUD_LIMIT}: {_FORMS}")
    return int(number[:9])


class Transport:
    """An open line. Nothing waits here: `fileno` is for ``select``."""

    def __init__(self, owner: "socket.socket | serial.Serial", name: str) -> None:
        self._owner = owner
        self._name = name
        self._file = owner.fileno()
        os.set_blocking(self._file, False)

    def fileno(self) -> int:
        """The file to wait for."""
        return self._file

    def read(self) -> bytes:
        """What has arrived, to be called once ``select`` says so; `LineAwayError` when the line has ended."""
        try:
            received = os.read(self._file, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            raise LineAwayError(_why(error)) from error
        if not received:
            raise LineAwayError("the other end has closed it or was pulled out")
        return received

    def write(self, content: bytes) -> int:
        """Send what the line takes now; how many bytes it took."""
        try:
            return os.write(self._file, content)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise LineAwayError(_why(error)) from error

    def close(self) -> None:
        """Give the line back."""
        with contextlib.suppress(OSError, termios.error):  # a port that is gone cannot be restored either
            self._owner.close()


def open_transport(address: Address) -> Transport:
    """Open the line at `address`; `LineAwayError` with the reason and the remedy if it cannot be opened now."""
    try:
        owner = _open_port(address) if isinstance(address, PortAddress) else _open_tcp(address)
        return Transport(owner, str(address))
    except (OSError, ValueError, termios.error) as error:  # pyserial's own error is an OSError
        raise LineAwayError(_why(error)) from error


def _open_port(address: PortAddress) -> "serial.Serial":
    import serial

    port = serial.Serial(baudrate=address.baud, timeout=0, write_timeout=0, exclusive=True)
    port.port = address.path
    port.dtr = port.rts = False  # either one resets common boards
    port.open()
    return port


def _open_tcp(address: TcpAddress) -> socket.socket:
    connection = socket.create_connection((address.host, address.port), timeout=_CONNECT_SECONDS)
    # A cable that is cut says nothing: ask, so that a line does not seem to stand for ever.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in _DEAD_PEER_OPTIONS.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


_REASONS = {
    errno.ENOENT: "it does not exist; plug the device in or correct the address",
    errno.EACCES: "this user may not open it; add the user to the group that owns it, mostly dialout",
    errno.EBUSY: "another program holds it; end that one",
    errno.EAGAIN: "another program holds it; end that one",
    errno.ENOTTY: "it is no serial port; correct the address",
    errno.EIO: "the other end has closed it or was pulled out",
    errno.ECONNREFUSED: "nothing listens there; start the emulator or serial server, or correct the address",
}


def _why(error: Exception) -> str:
    """What happened and what helps, from the error of the system or of pyserial."""
    number = getattr(error, "errno", None)
    if number is None and error.args and isinstance(error.args[0], int):
        number = error.args[0]
    if number is None:
        # pyserial forgets the number on its way and leaves it in its text
        number = next(
            (known for known in _REASONS if f"[Errno {known}]" in str(error) or f"({known}," in str(error)), None
        )
    known = None if number is None else _REASONS.get(number)
    if known is not None:
        return known
    return str(getattr(error, "strerror", None) or error) or type(error).__name__

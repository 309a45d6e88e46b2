"""A board's line as this machine opens it: a serial port, or ``tcp://host:port`` of an emulator or serial server."""

import contextlib
import errno
import os
import select
import socket
from typing import Protocol
from urllib.parse import urlsplit

from firmware.errors import LineError
from shared.errors import UsageError

BAUD = 115_200
CONNECT_SECONDS = 3.0
WRITE_SECONDS = 2.0
_READ_BYTES = 4096


class BoardLine(Protocol):
    """An open line. Both methods raise OSError when it has gone away."""

    def read(self, limit_seconds: float) -> bytes:
        """What has arrived, after at most `limit_seconds`; nothing then."""

    def write(self, content: bytes) -> None:
        """Send all of `content`, within `WRITE_SECONDS`."""

    def close(self) -> None:
        """Give it back."""


class TcpLine:
    """See `BoardLine`."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), CONNECT_SECONDS)
        self._socket.settimeout(WRITE_SECONDS)

    def read(self, limit_seconds: float) -> bytes:
        """See `BoardLine`."""
        if not select.select([self._socket], [], [], limit_seconds)[0]:
            return b""
        received = self._socket.recv(_READ_BYTES)
        if not received:
            raise ConnectionResetError("the other end closed it")
        return received

    def write(self, content: bytes) -> None:
        """See `BoardLine`."""
        self._socket.sendall(content)

    def close(self) -> None:
        """See `BoardLine`."""
        self._socket.close()


class SerialLine:
    """See `BoardLine`. DTR and RTS stay low: high, they reset common boards. Nobody else may have the port."""

    def __init__(self, port: str, baud: int) -> None:
        import serial  # only those who speak to boards need it

        self._serial = serial.Serial(baudrate=baud, write_timeout=WRITE_SECONDS, exclusive=True)
        self._serial.port = port
        self._serial.dtr = self._serial.rts = False
        self._serial.open()

    def read(self, limit_seconds: float) -> bytes:
        """See `BoardLine`."""
        self._serial.timeout = limit_seconds
        received: bytes = self._serial.read(1)
        if received and (waiting := self._serial.in_waiting):
            received += self._serial.read(min(waiting, _READ_BYTES))
        return received

    def write(self, content: bytes) -> None:
        """See `BoardLine`."""
        self._serial.write(content)

    def close(self) -> None:
        """See `BoardLine`."""
        with contextlib.suppress(OSError):
            self._serial.close()


def check_address(address: str) -> tuple[str, int] | None:
    """Host and port of ``tcp://host:port``, None for a serial port's name; UsageError for what is neither.

    >>> check_address("tcp://127.0.0.1:4000"), check_address("/dev/ttyUSB0")
    (('127.0.0.1', 4000), None)
    """
    if address and "://" not in address:
        return None
    parts = urlsplit(address)
    try:
        port = parts.port or 0
    except ValueError:
        port = 0
    if parts.scheme != "tcp" or not parts.hostname or not port:
        raise UsageError(f"--port {address!r} is no address; write a serial port's name or tcp://host:port")
    return parts.hostname, port


def open_line(address: str, baud: int = BAUD) -> BoardLine:
    """Open a line.

    Raises
    ------
    OSError
        It is not there, is somebody else's, or may not be opened.
    LineError
        pyserial is not installed.
    UsageError
        The address is none, or the speed is beyond the port.
    """
    place = check_address(address)
    if place is not None:
        return TcpLine(*place)
    try:
        return SerialLine(address, baud)
    except ImportError as error:
        raise LineError("serial ports need pyserial; install it with pip install 'tocsin[firmware]'") from error
    except ValueError as error:
        raise UsageError(f"--port {address} cannot be opened with --baud {baud} ({error})") from error


def reason_of(error: OSError) -> str:
    """The error in few words, without the numbers and names that libraries put around it.

    >>> reason_of(FileNotFoundError(2, "could not open port /dev/ttyX: [Errno 2] No such file ...: '/dev/ttyX'"))
    'No such file or directory'
    """
    if error.errno is not None and error.errno in errno.errorcode and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__


def opening_trouble(address: str, error: OSError) -> str:
    """Why `address` could not be opened and what to do about it, as the beginning of a sentence.

    >>> opening_trouble("/dev/ttyX", FileNotFoundError(2, ""))
    'there is no port /dev/ttyX; plug the device in, or name the port that it has'
    """
    if isinstance(error, socket.gaierror):
        return f"the host in {address} is not known ({reason_of(error)}); correct its name"
    if error.errno == errno.ECONNREFUSED:
        return f"nothing listens at {address}; start the emulator or serial server there, or correct the port"
    if check_address(address) is not None:
        return f"{address} cannot be reached ({reason_of(error)}); check the host, its port and the network"
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"there is no port {address}; plug the device in, or name the port that it has"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{address} may not be opened; join its group (Debian: sudo usermod -aG dialout $USER), then log in again"
        )
    if error.errno in (errno.EBUSY, errno.EAGAIN):
        return f"another program has {address}; stop the gateway or the monitor that reads it"
    return f"{address} cannot be opened ({reason_of(error)}); plug the device in again, or name the port that it has"

"""The messages of a board for people who look on: opened, read, decoded, shown; opened again when it goes away."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from firmware.errors import LineError
from firmware.message_lines import MessageLines
from shared.errors import UsageError
from shared.messages import codec
from shared.serial import framing

READ_SECONDS = 0.2
RECONNECT_MIN_SECONDS = 0.25
RECONNECT_MAX_SECONDS = 5.0

Say = Callable[[str], None]


def line_url(address: str) -> str:
    """What pyserial opens for a port's name or ``tcp://host:port``; UsageError otherwise.

    >>> line_url("tcp://127.0.0.1:4000"), line_url("/dev/ttyUSB0")
    ('socket://127.0.0.1:4000', '/dev/ttyUSB0')
    """
    if "://" not in address:
        if not address:
            raise UsageError("--port is empty; name a serial port or tcp://host:port")
        return address
    parts = urlsplit(address)
    try:
        port = parts.port or 0
    except ValueError:
        port = 0
    if parts.scheme != "tcp" or not parts.hostname or not port:
        raise UsageError(f"--port {address} is not an address; write a serial port's name or tcp://host:port")
    return f"socket://{parts.netloc}"


class Acknowledger:
    """The answers of a gateway that keeps nothing: the time after a birth, marks after data."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._place = ("", 0, 0)

    def take(self, kind: int, body: bytes) -> None:
        """Answer one frame that could be decoded."""
        if kind == framing.BIRTH:
            self._write(framing.encode(framing.TIME, time.time_ns().to_bytes(8, "little", signed=True)))
        elif kind == framing.DATA:
            data = codec.decode_data(body)
            device, boot, expected = self._place
            if (device, boot) != (data.device, data.boot):
                expected = data.oldest
            if data.oldest > expected:
                expected = data.oldest
            if data.sequence <= expected:
                expected = max(expected, data.sequence + len(data))
            self._place = (data.device, data.boot, expected)
            stored = codec.Stored(data.device, data.boot, expected)
            self._write(framing.encode(framing.STORED, codec.encode_stored(stored)))


def watch(
    address: str,
    *,
    say: Say,
    baud: int = 115_200,
    as_json: bool = False,
    acknowledge: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Show what comes over `address` until Ctrl-C or `should_stop`; one line when it goes away and when it is back.

    Raises
    ------
    UsageError
        The address cannot be one.
    LineError
        The package that opens serial ports is not installed.
    """
    url = line_url(address)
    try:
        import serial
    except ImportError as error:
        raise LineError("serial ports need pyserial; install it with pip install 'tocsin[firmware]'") from error
    lines = MessageLines(as_json=as_json)
    wait_seconds = RECONNECT_MIN_SECONDS
    told = ""
    try:
        while not should_stop():
            try:
                line = _opened(url, baud)
            except (OSError, ValueError) as error:  # SerialException is an OSError
                if told != "waiting":
                    say(lines.notice(f"{address} cannot be opened ({_reason(error)}); trying until it can"))
                told = "waiting"
                time.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, RECONNECT_MAX_SECONDS)
                continue
            told = ""
            wait_seconds = RECONNECT_MIN_SECONDS
            say(lines.notice(f"reading {address}"))
            try:
                with line:
                    _read(line, lines, say, acknowledge, should_stop)
            except (OSError, serial.SerialException) as error:
                say(lines.notice(f"{address} is gone ({_reason(error)}); trying until it is back"))
                told = "waiting"
                time.sleep(wait_seconds)
    except KeyboardInterrupt:
        pass
    say(lines.notice(lines.summary()))


def _opened(url: str, baud: int):  # type: ignore[no-untyped-def]  # pyserial's own classes of ports
    import serial

    line = serial.serial_for_url(url, do_not_open=True, baudrate=baud, timeout=READ_SECONDS, write_timeout=1.0)
    if not url.startswith("socket://"):
        line.dtr = line.rts = False  # high, they reset common boards
        line.exclusive = True
    line.open()
    return line


def _read(  # type: ignore[no-untyped-def]
    line, lines: MessageLines, say: Say, acknowledge: bool, should_stop: Callable[[], bool]
) -> None:
    decoder = framing.Decoder()
    acknowledger = Acknowledger(line.write) if acknowledge else None
    while not should_stop():
        received = line.read(max(1, min(line.in_waiting, 4096)))
        for kind, body in decoder.push(received):
            text = lines.show(kind, body)
            if text is not None:
                say(text)
            if acknowledger is not None and lines.readable:
                acknowledger.take(kind, body)
        if (garbage := lines.garbage(decoder.refused)) is not None:
            say(garbage)


def _reason(error: Exception) -> str:
    return str(error).split(": ", 1)[-1].strip() or type(error).__name__

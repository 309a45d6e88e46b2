"""The messages of a board for people who look on: opened, read, decoded, shown; opened again when it goes away."""

import time
from collections.abc import Callable

from firmware.board_line import BAUD, BoardLine, check_address, open_line, reason_of
from firmware.message_lines import MessageLines
from shared.messages import codec
from shared.serial import framing

READ_SECONDS = 0.2
RECONNECT_MIN_SECONDS = 0.25
RECONNECT_MAX_SECONDS = 5.0

Say = Callable[[str], None]


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
    baud: int = BAUD,
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
    check_address(address)
    lines = MessageLines(as_json=as_json)
    wait_seconds = RECONNECT_MIN_SECONDS
    missed = False
    try:
        while not should_stop():
            try:
                line = open_line(address, baud)
            except OSError as error:
                if not missed:
                    say(lines.notice(f"{address} cannot be opened ({reason_of(error)}); trying until it can"))
                missed = True
                time.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, RECONNECT_MAX_SECONDS)
                continue
            say(lines.notice(f"reading {address}"))
            missed = True
            try:
                _read(line, lines, say, acknowledge, should_stop)
            except OSError as error:
                say(lines.notice(f"{address} is gone ({reason_of(error)}); trying until it is back"))
                wait_seconds = RECONNECT_MIN_SECONDS
                time.sleep(wait_seconds)
            finally:
                line.close()
    except KeyboardInterrupt:
        pass
    say(lines.notice(lines.summary()))


def _read(line: BoardLine, lines: MessageLines, say: Say, acknowledge: bool, should_stop: Callable[[], bool]) -> None:
    decoder = framing.Decoder()
    acknowledger = Acknowledger(line.write) if acknowledge else None
    while not should_stop():
        for kind, body in decoder.push(line.read(READ_SECONDS)):
            text = lines.show(kind, body)
            if text is not None:
                say(text)
            if acknowledger is not None and lines.readable:
                acknowledger.take(kind, body)
        if (garbage := lines.garbage(decoder.refused)) is not None:
            say(garbage)

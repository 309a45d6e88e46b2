"""The messages of a board for people who look on: opened, read, decoded, shown; opened again when it goes away."""

import time
from collections.abc import Callable

from firmware.board_line import BAUD, BoardLine, check_address, open_line, opening_trouble, reason_of
from firmware.message_lines import MessageLines
from shared.messages import codec
from shared.serial import framing

READ_SECONDS = 0.2
RECONNECT_MIN_SECONDS = 0.25
RECONNECT_MAX_SECONDS = 5.0
_PAUSE_STEP_SECONDS = 0.1

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

    Tried again after `RECONNECT_MIN_SECONDS`, twice as long each time up to `RECONNECT_MAX_SECONDS`; bytes that came
    begin that anew. A trouble is said once, until it is another one.

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
    said, is_away = "", False

    def notice(text: str) -> None:
        nonlocal said
        if text != said:
            said = text
            say(lines.notice(text))

    try:
        while not should_stop():
            try:
                line = open_line(address, baud)
            except OSError as error:
                if not is_away:  # a board that is plugged in anew passes through several troubles
                    notice(f"{opening_trouble(address, error)}; trying until it opens")
            else:
                reader = _Reader(line, lines, say, acknowledge, f"reading {address}")
                # One that opened and closed without a byte is back when a byte comes, not when it opens.
                if said != (silent := f"{address} went away before anything came; trying until it speaks"):
                    reader.greet()
                try:
                    while not should_stop():
                        reader.read()
                except OSError as error:
                    is_away = reader.spoke
                    if reader.spoke:
                        said, wait_seconds = "", RECONNECT_MIN_SECONDS
                    gone = f"{address} is gone ({reason_of(error)}); trying until it is back"
                    notice(gone if reader.spoke else silent)
                finally:
                    line.close()
            _pause(wait_seconds, should_stop)
            wait_seconds = min(2 * wait_seconds, RECONNECT_MAX_SECONDS)
    except KeyboardInterrupt:
        pass
    say(lines.notice(lines.summary()))


def _pause(seconds: float, should_stop: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not should_stop() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _PAUSE_STEP_SECONDS))


class _Reader:
    """One opening of a line: `spoke` tells whether bytes have come; `greeting` is said once, at the latest then."""

    def __init__(self, line: BoardLine, lines: MessageLines, say: Say, acknowledge: bool, greeting: str) -> None:
        self.spoke = False
        self._line = line
        self._lines = lines
        self._say = say
        self._greeting = greeting
        self._decoder = framing.Decoder()
        self._acknowledger = Acknowledger(line.write) if acknowledge else None

    def greet(self) -> None:
        """Say that the line is read."""
        if self._greeting:
            self._say(self._lines.notice(self._greeting))
            self._greeting = ""

    def read(self) -> None:
        """Show what has come, after at most `READ_SECONDS`; OSError when the line is gone."""
        received = self._line.read(READ_SECONDS)
        if received:
            self.spoke = True
            self.greet()
        for kind, body in self._decoder.push(received):
            text = self._lines.show(kind, body)
            if text is not None:
                self._say(text)
            if self._acknowledger is not None and self._lines.readable:
                self._acknowledger.take(kind, body)
        if (garbage := self._lines.garbage(self._decoder.refused)) is not None:
            self._say(garbage)

"""The lines that a board speaks to its gateway over: its console (USB or the UART of the REPL), or a UART of its own.

Both have ``read()``, which gives what has arrived and never waits, and ``write(content)``.
"""

import select
import sys
import time

#: At most so many bytes are taken at once, so that a talkative line does not keep the loop from its work.
READ_LIMIT_BYTES = 1024
#: After this silence, what comes first begins something new: a frame, or a person who wants the prompt.
SILENCE_MS = 1000
#: A UART that takes nothing for this many milliseconds loses the frame; it is sent again.
WRITE_LIMIT_MS = 500


def _interrupt_by(byte: int) -> None:
    import micropython  # type: ignore[import-not-found]

    micropython.kbd_intr(byte)


class ConsoleLine:
    """Standard input and output, byte by byte as they are.

    Ctrl-C is data here, as any byte may be, except where no frame to a device can hold it: a carriage return and Ctrl-C
    after a zero byte (that is how `mpremote` begins; as a frame it would be a STATE, which no device is sent), or
    Ctrl-C after a second of silence. Then the program ends and the prompt is there.
    """

    def __init__(self) -> None:
        _interrupt_by(-1)
        self._input = sys.stdin.buffer
        self._output = sys.stdout.buffer
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._heard = time.ticks_ms()  # type: ignore[attr-defined]
        self._begins = True
        self._returned = False

    def read(self) -> bytes:
        """What has arrived. KeyboardInterrupt: a person or `mpremote` wants the prompt."""
        received = bytearray()
        while len(received) < READ_LIMIT_BYTES and self._poll.poll(0):
            more = self._input.read(1)
            if not more:
                break
            self._watch(more[0])
            received.extend(more)
        return bytes(received)

    def _watch(self, byte: int) -> None:
        now = time.ticks_ms()  # type: ignore[attr-defined]
        silent = time.ticks_diff(now, self._heard) > SILENCE_MS  # type: ignore[attr-defined]
        self._heard = now
        if byte == 3 and (silent or self._returned):
            _interrupt_by(3)
            raise KeyboardInterrupt
        self._returned = byte == 13 and (silent or self._begins)
        self._begins = byte == 0

    def write(self, content: bytes) -> None:
        """Send all of `content`."""
        self._output.write(content)


class UartLine:
    """A `machine.UART` with a receive buffer (`rxbuf`) of 2,048 bytes or more; the console stays a console."""

    def __init__(self, uart) -> None:  # type: ignore[no-untyped-def]
        self._uart = uart

    def read(self) -> bytes:
        """What has arrived."""
        waiting = min(self._uart.any(), READ_LIMIT_BYTES)
        return self._uart.read(waiting) or b"" if waiting else b""

    def write(self, content: bytes) -> None:
        """Send `content`; what the UART does not take in time is lost."""
        rest = memoryview(content)
        waited_ms = 0
        while rest and waited_ms < WRITE_LIMIT_MS:
            sent = self._uart.write(rest) or 0
            rest = rest[sent:]
            if not sent:
                time.sleep_ms(1)  # type: ignore[attr-defined]
                waited_ms += 1

"""What a board says when it starts: the lines of its self-test and its birth."""

import contextlib
import time

from firmware.board_line import open_line, reason_of
from firmware.errors import LineError
from firmware.flashing.tools import Say
from shared.errors import MessageError
from shared.messages import codec
from shared.serial import framing

LIMIT_SECONDS = 30.0
#: To MicroPython's prompt: the friendly one, then start again and run main.py.
_RESTART = b"\r\x02\x04"


def restart_and_listen(port: str, say: Say, limit_seconds: float = LIMIT_SECONDS) -> codec.Birth:
    """Start MicroPython anew on `port` and say what it reports, up to its birth.

    LineError: the port cannot be opened, or no birth came; what the board said instead is in the sentence.
    """
    decoder = framing.Decoder()
    garbage = b""
    try:
        with contextlib.closing(open_line(port)) as line:
            line.write(_RESTART)
            deadline = time.monotonic() + limit_seconds
            while time.monotonic() < deadline:
                received = line.read(0.1)
                garbage = (garbage + received)[-2000:]
                for kind, body in decoder.push(received):
                    if kind == framing.LOG:
                        say(body.decode("utf-8", "replace"))
                    elif kind == framing.BIRTH:
                        return codec.decode_birth(body)
    except OSError as error:
        raise LineError(
            f"{port} cannot be used ({reason_of(error)}); plug it in, or stop what else reads it"
        ) from error
    except MessageError as error:
        raise LineError(f"the board on {port} sends a birth that cannot be read ({error}); flash it again") from error
    said = garbage.decode("utf-8", "replace").split()
    raise LineError(
        f"the board on {port} did not report within {limit_seconds:g} s"
        + (f" (it said: {' '.join(said)[-200:]})" if said else "")
        + "; reset it and look with tocsin firmware monitor"
    )

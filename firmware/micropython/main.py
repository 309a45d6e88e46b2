"""Starts the device when a board with MicroPython starts: `/device` holds who it is, `/sensor.py` what it measures."""

import gc
import os
import sys
import time

from firmware.micropython.clock import Ticks
from firmware.micropython.lines import ConsoleLine
from firmware.micropython.sampling import Sampler
from firmware.micropython.serial_loop import SerialLoop
from firmware.micropython.slots import Slots
from shared.serial import framing

FOLDER = "/device"
#: How long what went wrong stays readable before the board starts again.
RESTART_MS = 5000


def _keys() -> "list[bytes]":
    """The keys whose images are accepted, 32 bytes each, one after the other in a file."""
    try:
        with open(FOLDER + "/keys", "rb") as source:
            content = source.read()
    except OSError:
        return []
    return [content[i : i + 32] for i in range(0, len(content) - 31, 32)]


def _sensor():  # type: ignore[no-untyped-def]
    """The user's module, None without one."""
    try:
        os.stat("/sensor.py")
    except OSError:
        return None
    import sensor  # type: ignore[import-not-found]

    return sensor


def _write_log(line, text: str) -> None:  # type: ignore[no-untyped-def]
    line.write(framing.encode(framing.LOG, text.encode()))


def _loop(line, sensor, ticks_ms) -> SerialLoop:  # type: ignore[no-untyped-def]
    with open(FOLDER + "/profile.cbor", "rb") as source:
        birth = source.read()
    loop = SerialLoop(line, Slots(FOLDER), birth, _keys(), ticks_ms)
    if hasattr(sensor, "samples"):
        loop.samples = lambda: sensor.samples(loop.clock)
    elif hasattr(sensor, "read"):
        period_ms = max(1, 1000000 // loop.image.sample_rate_millihertz)
        loop.samples = Sampler(sensor.read, loop.birth.resolutions, period_ms, loop.clock, ticks_ms)
    version = ".".join([str(part) for part in sys.implementation.version[:3]])
    lines = ["tocsin on " + sys.platform + ", MicroPython " + version] + loop.self_test()
    lines.append("samples from " + ("sensor.py" if loop.samples is not None else "the line only"))
    gc.collect()
    lines.append("free memory " + str(gc.mem_free()) + " bytes")  # type: ignore[attr-defined]
    loop.begin(lines)
    return loop


def run() -> None:
    """Start and go on for ever. KeyboardInterrupt: somebody wants the prompt."""
    ticks_ms = Ticks(time.ticks_ms, time.ticks_diff)  # type: ignore[attr-defined]
    line = ConsoleLine()
    try:
        sensor = _sensor()  # type: ignore[no-untyped-call]
        if hasattr(sensor, "line"):
            line = sensor.line()
        loop = _loop(line, sensor, ticks_ms)
        while True:
            if not loop.poll():
                time.sleep_ms(1)  # type: ignore[attr-defined]
    except Exception as error:  # noqa: BLE001 - said on the line; a board that stands still helps nobody
        _write_log(line, "stopped: " + type(error).__name__ + ": " + str(error))
        _restart(line)


def _restart(line) -> None:  # type: ignore[no-untyped-def]
    until = Ticks(time.ticks_ms, time.ticks_diff)  # type: ignore[attr-defined]
    while until() < RESTART_MS:
        line.read()  # Ctrl-C still gives the prompt
        time.sleep_ms(10)  # type: ignore[attr-defined]
    import machine  # type: ignore[import-not-found]

    machine.reset()


if __name__ == "__main__":
    run()

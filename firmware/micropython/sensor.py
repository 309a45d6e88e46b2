"""What this board measures: the file to write for your own sensor. This one reads the chip's temperature.

``read()`` is called at the device's rate and gives one number per channel in the channel's unit, None where there is no
answer. Instead, a fast device has ``samples(clock)``, called all the time, which gives the rows that have come since,
``[(time_ns, [count, ...]), ...]``, or None. A board that does not speak over its console has ``line()``, which gives
the line, for instance ``UartLine(machine.UART(1, 115200, tx=17, rx=16, rxbuf=4096))``.
"""


def read() -> "list[float | None]":
    """The chip's temperature, degrees Celsius."""
    import esp32  # type: ignore[import-not-found]

    if hasattr(esp32, "mcu_temperature"):
        return [esp32.mcu_temperature()]
    return [(esp32.raw_temperature() - 32) / 1.8]

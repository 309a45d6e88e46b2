"""Flux, as InfluxDB 2.7 and the Flux of 1.8.10 both understand it: text from values, safely."""

from collections.abc import Sequence

from cloud.storage.influxdb.layout import GRID_NS
from cloud.storage.influxdb.lines import tag_text

#: First and last time that InfluxDB knows, ns; a range ends before its stop.
FIRST_NS, LAST_NS = -(2**63) + 2, 2**63 - 2


def quoted(text: str) -> str:
    r"""A Flux string.

    >>> print(quoted('a"\\${x}'))
    "a\"\\\x24{x}"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\x24")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


def grid_range(first_ns: int, last_ns: int) -> tuple[int, int]:
    """Start and stop of the range that holds the points of all readings of these times, both included.

    >>> grid_range(5, 5)
    (0, 1048576)
    """
    start = max(first_ns - first_ns % GRID_NS, FIRST_NS)
    stop = min(last_ns - last_ns % GRID_NS + GRID_NS, LAST_NS + 1)
    return min(start, LAST_NS), max(stop, start + 1)


def source(
    bucket: str, measurement: str, device: str, start: int, stop: int, fields: Sequence[str] = (), condition: str = ""
) -> str:
    """Points of a device with ``start <= time < stop``: one table for each field (all by default) and asset.

    `condition` is Flux on the row ``r``. A negative number must stand in it as a variable: InfluxDB 2.7 takes a
    literal one for an expression, and no longer evaluates the condition in its storage engine.
    """
    chosen = " or ".join(f"r._field == {quoted(name)}" for name in fields)
    more = "".join(f" and ({part})" for part in (chosen, condition) if part)
    return (
        f"from(bucket: {quoted(bucket)}) |> range(start: time(v: {start}), stop: time(v: {stop}))"
        f" |> filter(fn: (r) => r._measurement == {quoted(measurement)}"
        f" and r.device == {quoted(tag_text(device))}{more})"
    )

"""InfluxQL, for the one thing that the Flux of InfluxDB 1.8 is too slow for: the numbers of many windows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.storage.influxdb.lines import tag_text
from cloud.storage.influxdb.tables import numbers, read


@dataclass(frozen=True, slots=True)
class Number:
    """A number of each window: its name, the field, what of it, and its type."""

    name: str
    field: str
    what: str
    kind: pa.DataType


def quoted(text: str) -> str:
    r"""An InfluxQL string.

    >>> print(quoted("it's a \\"))
    'it\'s a \\'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def statement(
    measurement: str,
    device: str,
    start: int,
    stop: int,
    wanted: list[Number],
    length: int,
    offset: int,
    condition: str = "",
) -> str:
    """Numbers of the windows of `length` ns between two times, of the rows that meet a condition."""
    columns = ", ".join(f'{number.what}("{number.field}") AS "{number.name}"' for number in wanted)
    more = f" AND {condition}" if condition else ""
    return (
        f'SELECT {columns} FROM "{measurement}" WHERE "device" = {quoted(tag_text(device))}'  # noqa: S608  (quoted)
        f" AND time >= {start} AND time < {stop}{more} GROUP BY time({length}ns, {offset}ns) FILL(none)"
    )


def results(content: bytes, wanted: list[Number]) -> Iterator[tuple[str, NDArray[np.int64], NDArray[Any]]]:
    """Name, starts (ns) and values of each number in an answer; windows without it are left out."""
    if not content.strip():
        return
    types = {"time": pa.int64()} | {number.name: number.kind for number in wanted}
    table = read(content.replace(b"\n", b"\r\n"), types)
    starts = numbers(table["time"])
    for number in wanted:
        column = table[number.name].combine_chunks()
        there = column.is_valid().to_numpy(zero_copy_only=False)
        yield number.name, starts[there], column.drop_null().to_numpy()

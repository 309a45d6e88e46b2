"""A device's history as buckets. No peak is averaged away, and no reading counts twice.

Few readings are fetched and put into buckets here. Of many, the server works out the numbers of each window: InfluxDB 2
by Flux, 1.8 by InfluxQL, where each reads them from its storage engine's own summing up. The windows lie on the grid
that the points' times keep to, so that a reading's own time falls into the same one. The first and the last cell of
the grid, which the wish may cut through, are fetched.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.errors import CloudError
from cloud.storage.influxdb import influxql
from cloud.storage.influxdb.buckets import Sums
from cloud.storage.influxdb.connection import Connection
from cloud.storage.influxdb.fetch import Columns, fetch_points
from cloud.storage.influxdb.flux import grid_range, quoted, source
from cloud.storage.influxdb.influxql import Number
from cloud.storage.influxdb.layout import GRID_NS, READINGS
from cloud.storage.influxdb.tables import windows
from cloud.storage.port import Bucket
from shared.identity import MISSING

#: Up to so many readings are fetched as they are.
FETCHED_READINGS = 20_000
_PREFIX = {"counts": "count", "features": "feature"}
_COUNT, _FLOAT = pa.int64(), pa.float64()
#: Name of a number, starts of windows (ns) and its values.
Result = tuple[str, NDArray[np.int64], NDArray[Any]]


def value_field(column: tuple[str, int] | None) -> str | None:
    """The field that a history's column stands for.

    >>> value_field(("counts", 2)), value_field(None)
    ('count_2', None)
    """
    if column is None:
        return None
    name, index = column
    if name not in _PREFIX:
        raise CloudError(f"A reading has no column {name!r}: ask for counts or features.")
    return f"{_PREFIX[name]}_{int(index)}"


class History:
    """Buckets of one device between two times, ns, both included."""

    def __init__(self, connection: Connection, bucket: str, device: str, value: str | None) -> None:
        self._connection = connection
        self._bucket = bucket
        self._device = device
        self._value = value
        self._fields = ["time_ns", "boot", "sequence", "score", "present", "flagged", "alarm"]
        if value is not None:
            self._fields.append(value)

    def buckets(self, from_ns: int, to_ns: int, points: int) -> tuple[Bucket, ...]:
        """At most `points` buckets, in order of time."""
        if from_ns > to_ns:
            return ()
        start, stop = grid_range(from_ns, to_ns)
        extent = self.extent(start, stop)
        if extent is None:
            return ()
        count, first, last = extent
        if count <= FETCHED_READINGS:
            return _gathered(self._fetched(first, last + 1, from_ns, to_ns), points, self._value)
        return self._of_many(count, first // GRID_NS, last // GRID_NS, from_ns, to_ns, points)

    def extent(self, start: int, stop: int) -> tuple[int, int, int] | None:
        """How many points there are, and the times of the first and last of them."""
        points = source(self._bucket, READINGS, self._device, start, stop, ["time_ns"])
        text = [
            f'{points} |> {what}() |> keep(columns: ["_time", "_value"]) |> yield(name: "{what}")'
            for what in ("first", "last")
        ]
        # A count has no time of its own: it gets the one that every point's range has.
        text.append(
            f'{points} |> count() |> duplicate(column: "_stop", as: "_time") |> keep(columns: ["_time", "_value"])'
            ' |> yield(name: "count")'
        )
        answer = self._connection.query("\n".join(text))
        count, times = 0, []
        for name, at, values in windows(answer, dict.fromkeys(("count", "first", "last"), _COUNT), "_time"):
            if name == "count":
                count += int(values.sum())
            else:
                times += at.tolist()
        return (count, min(times), max(times)) if times else None

    def _fetched(self, start: int, stop: int, from_ns: int, to_ns: int) -> Columns:
        columns = fetch_points(self._connection, self._bucket, self._device, start, stop, self._fields)
        if not len(columns):
            return columns
        times = columns.fields["time_ns"]
        return columns.chosen((times >= from_ns) & (times <= to_ns))

    def _of_many(
        self, count: int, first_cell: int, last_cell: int, from_ns: int, to_ns: int, points: int
    ) -> tuple[Bucket, ...]:
        width = -(-(last_cell - first_cell + 1) // points)
        sums = Sums(points, first_cell, width)
        inner = (first_cell + 1) * GRID_NS, last_cell * GRID_NS
        for cell in dict.fromkeys((first_cell, last_cell)):
            self._add_fetched(sums, *grid_range(cell * GRID_NS, cell * GRID_NS), from_ns, to_ns)
        if inner[0] < inner[1]:
            self._add_windows(sums, *inner)
        return sums.buckets()

    def _add_fetched(self, sums: Sums, start: int, stop: int, from_ns: int, to_ns: int) -> None:
        columns = self._fetched(start, stop, from_ns, to_ns)
        sums.add(columns, (columns.point_times // GRID_NS - sums.first_cell) // sums.width, self._value)

    def _add_windows(self, sums: Sums, start: int, stop: int) -> None:
        """Ask for every number of every window between two points' times."""
        length = sums.width * GRID_NS
        # Windows begin at multiples of their length, shifted by the offset.
        offset = (sums.first_cell * GRID_NS) % length
        by = self._by_flux if self._connection.is_2() else self._by_influxql
        for name, starts, values in by(self._wishes(), start, stop, length, offset):
            sums.put(name, (starts // GRID_NS - sums.first_cell) // sums.width, values)

    def _wishes(self) -> list[tuple[str, list[Number]]]:
        """What to ask for, by the condition on the readings in Flux; InfluxQL's follows from it."""
        found = [
            ("", [
                Number("readings", "time_ns", "count", _COUNT), Number("time", "time_ns", "min", _COUNT),
                Number("score_min", "score", "min", _FLOAT), Number("score_max", "score", "max", _FLOAT),
                Number("score_sum", "score", "sum", _FLOAT), Number("score_count", "score", "count", _COUNT),
            ]),
            ("r._value == true", [Number("flagged", "flagged", "count", _COUNT)]),
            ("r._value == true", [Number("alarm", "alarm", "count", _COUNT)]),
        ]  # fmt: skip
        if self._value is not None:
            numbers = [Number(f"value_{what}", self._value, what, _COUNT) for what in ("min", "max", "sum", "count")]
            found.append(("r._value != missing", numbers))
        return found

    def _by_flux(
        self, wishes: list[tuple[str, list[Number]]], start: int, stop: int, length: int, offset: int
    ) -> Iterator[Result]:
        text = [f"missing = {MISSING}"]
        for condition, wanted in wishes:
            for number in wanted:
                points = source(self._bucket, READINGS, self._device, start, stop, [number.field], condition)
                text.append(
                    f"{points} |> window(every: {length}ns, offset: {offset}ns) |> {number.what}()"
                    f' |> keep(columns: ["_start", "_value"]) |> yield(name: {quoted(number.name)})'
                )
        kinds = {number.name: number.kind for _, wanted in wishes for number in wanted}
        return windows(self._connection.query("\n".join(text)), kinds)

    def _by_influxql(
        self, wishes: list[tuple[str, list[Number]]], start: int, stop: int, length: int, offset: int
    ) -> Iterator[Result]:
        for condition, wanted in wishes:
            named = [replace(number, name="begin" if number.name == "time" else number.name) for number in wanted]
            where = condition.replace("r._value", f'"{wanted[0].field}"').replace("==", "=")
            text = influxql.statement(
                READINGS, self._device, start, stop, named, length, offset, where.replace("missing", str(MISSING))
            )
            for name, starts, values in influxql.results(self._connection.query_influxql(text), named):
                yield "time" if name == "begin" else name, starts, values


def _gathered(columns: Columns, points: int, value: str | None) -> tuple[Bucket, ...]:
    """Buckets of fetched readings: equally long in time, or single readings where these are few."""
    if not len(columns):
        return ()
    times = columns.fields["time_ns"]
    columns = columns.chosen(np.lexsort((columns.fields["sequence"], columns.fields["boot"], times)))
    at = np.arange(len(columns))
    if len(columns) > points:
        since = (columns.fields["time_ns"] - times.min()).view(np.uint64)  # 64 bits hold any two times' distance
        at = (since // (since.max() // np.uint64(points) + np.uint64(1))).astype(np.int64)
    sums = Sums(min(points, len(columns)))
    sums.add(columns, at, value)
    return sums.buckets()

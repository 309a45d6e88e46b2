"""Fields of a device's readings, fetched for a time range and joined into columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.storage.influxdb.connection import Connection
from cloud.storage.influxdb.flux import grid_range, source
from cloud.storage.influxdb.layout import HAS_GATEWAY, HAS_SCORE, HAS_SENSOR, READINGS
from cloud.storage.influxdb.tables import series

_BITS = {"sensor_score": HAS_SENSOR, "gateway_score": HAS_GATEWAY, "score": HAS_SCORE}


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Points in order of their time: `point_times` int64[n], and a column of n values for each field that was found.

    Scores are NaN where `present` says that there is none.
    """

    point_times: NDArray[np.int64]
    fields: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.point_times)

    def chosen(self, choice: NDArray[Any] | slice) -> "Columns":
        """The points that an index array, a mask or a slice chooses."""
        return Columns(self.point_times[choice], {name: values[choice] for name, values in self.fields.items()})


def fetch(
    connection: Connection, bucket: str, device: str, first_ns: int, last_ns: int, fields: Sequence[str] = ()
) -> Columns:
    """Fields (all of them by default) of the readings of about these times; choose by ``time_ns`` where it matters."""
    return fetch_points(connection, bucket, device, *grid_range(first_ns, last_ns), fields)


def fetch_points(
    connection: Connection, bucket: str, device: str, start: int, stop: int, fields: Sequence[str] = ()
) -> Columns:
    """Fields of the points with ``start <= point time < stop``. `fields` without ``time_ns`` get it as well."""
    if fields:
        fields = [*dict.fromkeys((*fields, "time_ns"))]
    query = source(bucket, READINGS, device, start, stop, fields)
    found = series(connection.query(query + ' |> keep(columns: ["_time", "_value", "_field"])'))
    if "time_ns" not in found:
        return Columns(np.zeros(0, np.int64), {})
    times = found["time_ns"][0]
    order = np.argsort(times, kind="stable")
    base = times[order]
    columns = {}
    for name, (at, values) in found.items():
        if len(at) == len(times) and np.array_equal(at, times):
            columns[name] = values[order]
        else:
            columns[name] = _spread(base, at, values)
    present = columns.get("present")
    if present is not None:
        for name, bit in _BITS.items():
            if name in columns:
                columns[name] = np.where(present & bit, columns[name], np.nan)
    return Columns(base, columns)


def _spread(base: NDArray[np.int64], at: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    """Values at the points that have them; NaN, or a masked place, at the others."""
    index = np.minimum(np.searchsorted(base, at), len(base) - 1)
    known = base[index] == at
    if values.dtype == np.float64:
        spread: NDArray[Any] = np.full(len(base), np.nan)
    else:
        spread = np.ma.array(np.zeros(len(base), values.dtype), mask=True)
    spread[index[known]] = values[known]
    return spread

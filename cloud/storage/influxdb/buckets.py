"""Buckets that are filled piece by piece: from readings, and from what a server worked out of many."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.storage.influxdb.fetch import Columns
from cloud.storage.port import Bucket
from shared.identity import MISSING


class Sums:
    """The numbers of `points` buckets, added up from wherever they come.

    Bucket 0 begins at the cell `first_cell` of the points' grid, and each is `width` cells long.
    """

    def __init__(self, points: int, first_cell: int = 0, width: int = 1) -> None:
        self.first_cell, self.width = first_cell, width
        self._numbers: dict[str, NDArray[Any]] = {}
        for name in ("readings", "score_count", "value_count", "value_sum", "flagged", "alarm"):
            self._numbers[name] = np.zeros(points, np.int64)
        self._numbers["score_sum"] = np.zeros(points, np.float64)
        limits = {"time": np.int64(2**63 - 1), "value_min": np.int64(2**63 - 1), "value_max": np.int64(-(2**63))}
        limits |= {"score_min": np.float64(np.inf), "score_max": np.float64(-np.inf)}  # type: ignore[dict-item]
        for name, limit in limits.items():
            self._numbers[name] = np.full(points, limit)

    def add(self, columns: Columns, at: NDArray[np.int64], value: str | None) -> None:
        """Add readings to the buckets `at`; `value` is the field of the value beside the score."""
        if not len(columns):
            return
        fields = columns.fields
        ones = np.ones(len(at), np.int64)
        self.put("readings", at, ones)
        self.put("time", at, fields["time_ns"])
        for name in ("flagged", "alarm"):
            self.put(name, at, fields[name].astype(np.int64))
        scores = fields.get("score", np.full(len(at), np.nan))
        self._add_all("score", at, scores, ~np.isnan(scores))
        if value is not None and value in fields:
            counts = np.ma.filled(fields[value], MISSING)
            self._add_all("value", at, counts, counts != MISSING)

    def _add_all(self, what: str, at: NDArray[np.int64], values: NDArray[Any], there: NDArray[np.bool_]) -> None:
        at, values = at[there], values[there]
        for name in ("min", "max", "sum"):
            self.put(f"{what}_{name}", at, values)
        self.put(f"{what}_count", at, np.ones(len(at), np.int64))

    def put(self, name: str, at: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Add one number, such as ``score_max``, of each of the buckets `at`."""
        kept = self._numbers[name]
        if name in ("time", "score_min", "value_min"):
            np.minimum.at(kept, at, values)
        elif name in ("score_max", "value_max"):
            np.maximum.at(kept, at, values)
        else:
            np.add.at(kept, at, values)

    def buckets(self) -> tuple[Bucket, ...]:
        """Those that hold a reading, in order."""
        return tuple(self._bucket(index) for index in np.flatnonzero(self._numbers["readings"]).tolist())

    def _bucket(self, index: int) -> Bucket:
        of = {name: values[index].item() for name, values in self._numbers.items()}
        scores, values = of["score_count"], of["value_count"]
        return Bucket(
            time_ns=of["time"],
            readings=of["readings"],
            score_min=of["score_min"] if scores else None,
            score_max=of["score_max"] if scores else None,
            score_mean=of["score_sum"] / scores if scores else None,
            value_min=of["value_min"] if values else None,
            value_max=of["value_max"] if values else None,
            value_mean=of["value_sum"] / values if values else None,
            flagged=of["flagged"],
            alarm=of["alarm"] > 0,
        )

"""The embedded store of readings: one DuckDB file for what is new, Parquet segments for what is old."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from cloud.errors import CloudError, StoreUnavailable
from cloud.storage.database import Database, rows
from cloud.storage.port import Batch, Block, Bucket, Mark, Position, Refusals, StoredReadings
from cloud.storage.positions import admit
from cloud.storage.schema import (
    CREATE,
    MARK_COLUMNS,
    POSITION_COLUMNS,
    SCORE_NAMES,
    reading_table,
    rescore_table,
)
from cloud.storage.segments import VIEW, Segments
from shared.identity import MISSING
from shared.messages.codec import Rescore

DATABASE_NAME = "readings.duckdb"
SEGMENT_FOLDER = "segments"


class EmbeddedStore:
    """A `ReadingStore` in a folder.

    Parameters
    ----------
    folder
        Made if it is not there.
    hot_readings
        With more readings than this in the table, its older half is sealed into a segment.

    Raises
    ------
    StoreUnavailable
        The folder or the file cannot be opened.
    """

    def __init__(
        self, folder: Path, *, threads: int = 1, memory_megabytes: int = 512, hot_readings: int = 1_000_000
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"The store {folder} cannot be made ({error.strerror}): choose another.") from error
        self._database = Database(folder / DATABASE_NAME, threads, memory_megabytes)
        self._segments = Segments(folder / SEGMENT_FOLDER)
        self._hot_readings = hot_readings
        self._positions: dict[tuple[str, int], Position] | None = None
        self._arrival = 0
        self._hot = 0
        with self._database.writing() as connection:
            for statement in CREATE:
                connection.execute(statement)
            self._segments.prepare(connection)

    def append(self, batch: Batch) -> None:
        """See `ReadingStore.append`."""
        positions = self._known_positions()
        changed: dict[tuple[str, int], Position] = {}
        kept: list[tuple[Block, int]] = []
        for block in batch.blocks:
            key = (block.data.device, block.data.boot)
            before = changed.get(key) or positions.get(key) or Position(*key)
            changed[key], first = admit(before, block, batch.received_ns)
            if first < len(block.data):
                kept.append((block, first))
        try:
            with self._database.writing() as connection:
                self._insert(connection, kept)
                _upsert(connection, "positions", POSITION_COLUMNS, 2, changed.values())
                for rescore in batch.rescores:
                    self._rescore(connection, rescore)
                    changed.update({(p.device, p.boot): p for p in _positions(connection, rescore.device)})
                _upsert(connection, "marks", MARK_COLUMNS, 2, batch.marks)
        except BaseException:
            self._positions = None  # whether the commit came through is known by reading again
            raise
        positions.update(changed)
        self._arrival += 1
        self._hot += sum(len(block.data) - first for block, first in kept)
        if self._hot > self._hot_readings:
            self._seal()

    def _known_positions(self) -> dict[tuple[str, int], Position]:
        if self._positions is None:
            with self._database.reading() as connection:
                loaded = {(position.device, position.boot): position for position in _positions(connection, None)}
                [(arrival, hot)] = rows(connection, "SELECT coalesce(max(arrival), 0), count(*) FROM readings")
            self._positions, self._arrival, self._hot = loaded, arrival + 1, hot
        return self._positions

    def _insert(self, connection: duckdb.DuckDBPyConnection, kept: Sequence[tuple[Block, int]]) -> None:
        if kept:
            connection.register("incoming", reading_table(kept, self._arrival))
            connection.execute("INSERT INTO readings BY NAME SELECT * FROM incoming")
            connection.unregister("incoming")

    def _rescore(self, connection: duckdb.DuckDBPyConnection, rescore: Rescore) -> None:
        connection.register("rescored", rescore_table(rescore))
        assignments = ", ".join(f"{name} = rescored.{name}" for name in SCORE_NAMES)
        key = [rescore.device, rescore.boot]
        connection.execute(
            f"UPDATE readings SET {assignments} FROM rescored "  # noqa: S608  (names of ours)
            "WHERE readings.device = ? AND readings.boot = ? AND readings.sequence = rescored.sequence",
            key,
        )
        self._segments.rescore(connection, rescore)
        connection.execute(
            f"UPDATE positions SET {assignments} FROM rescored "  # noqa: S608  (names of ours)
            "WHERE positions.device = ? AND positions.boot = ? AND rescored.sequence = positions.next_sequence - 1",
            key,
        )
        connection.unregister("rescored")

    def _seal(self) -> None:
        """Sealing that fails is tried again after the next batch: the readings are safe where they are."""
        try:
            with self._database.writing() as connection:
                self._segments.sweep(connection)
                self._hot -= self._segments.seal(connection)
        except (StoreUnavailable, OSError):
            self._positions = None

    def marks(self) -> tuple[Mark, ...]:
        """See `ReadingStore.marks`."""
        with self._database.reading() as connection:
            found = rows(connection, f"SELECT {', '.join(MARK_COLUMNS)} FROM marks ORDER BY gateway, epoch")  # noqa: S608
        return tuple(Mark(*row) for row in found)

    def positions(self, device: str | None = None) -> tuple[Position, ...]:
        """See `ReadingStore.positions`."""
        with self._database.reading() as connection:
            return _positions(connection, device)

    def latest(self, device: str) -> Position | None:
        """See `ReadingStore.latest`."""
        found = self.positions(device)
        return found[-1] if found else None

    def span(self, device: str) -> tuple[int, int] | None:
        """See `ReadingStore.span`."""
        with self._database.reading() as connection:
            [(first, last)] = rows(
                connection,
                f"SELECT min(time_ns), max(time_ns) FROM {VIEW} WHERE device = ?",  # noqa: S608
                [device],
            )
        return None if first is None else (first, last)

    def history(
        self, device: str, from_ns: int, to_ns: int, points: int, column: tuple[str, int] | None = None
    ) -> Sequence[Bucket]:
        """See `ReadingStore.history`; buckets are equally long in time, and single readings where these are few."""
        value = "NULL::INTEGER"
        if column is not None:
            name, index = column
            if name not in ("counts", "features"):
                raise CloudError(f"A reading has no column {name!r}: ask for counts or features.")
            value = f"nullif({name}[{int(index) + 1}]::INTEGER, {MISSING})"
        where = f"FROM {VIEW} WHERE device = ? AND time_ns BETWEEN ? AND ?"
        chosen = [device, int(from_ns), int(to_ns)]
        with self._database.reading() as connection:
            [(count, first, last)] = rows(connection, f"SELECT count(*), min(time_ns), max(time_ns) {where}", chosen)
            if not count:
                return ()
            width = (last - first) // max(points, 1) + 1
            bucket = "row_number() OVER (ORDER BY time_ns, boot, sequence)"
            if count > points:
                bucket = f"(time_ns::HUGEINT - {first}) // {width}"
            found = rows(
                connection,
                "SELECT min(time_ns), count(*), min(score), max(score), avg(score), min(value), max(value), avg(value),"  # noqa: S608
                " count(*) FILTER (flagged), bool_or(alarm)"
                f" FROM (SELECT time_ns, score, {value} AS value, flagged, alarm, {bucket} AS bucket {where})"
                " GROUP BY bucket ORDER BY bucket",
                chosen,
            )
        return tuple(Bucket(*row) for row in found)

    def readings(
        self,
        device: str,
        *,
        healthy: bool = False,
        newest: int | None = None,
        model_versions: Sequence[int] | None = None,
        without: Sequence[tuple[int, int]] = (),
    ) -> StoredReadings:
        """See `ReadingStore.readings`."""
        condition = " AND NOT alarm AND NOT flagged" if healthy else ""
        parameters: list[Any] = [device]
        if without:
            condition += (
                " AND NOT EXISTS (SELECT 1 FROM (SELECT unnest(?::BIGINT[]) AS first, unnest(?::BIGINT[]) AS last)"
                " WHERE time_ns BETWEEN first AND last)"
            )
            parameters += [[first for first, _ in without], [last for _, last in without]]
        if model_versions is not None:
            chosen = ", ".join(str(int(version)) for version in model_versions) or "NULL"
            condition += f" AND model_version IN ({chosen})"
        limit = "" if newest is None else f" LIMIT {int(newest)}"
        with self._database.reading() as connection:
            table = connection.sql(
                f"SELECT * FROM (SELECT * FROM {VIEW} WHERE device = ?{condition}"  # noqa: S608  (names of ours)
                f" ORDER BY boot DESC, sequence DESC{limit}) ORDER BY boot, sequence",
                params=parameters,
            ).to_arrow_table()
        return _arrays(table, device)

    def counts(self, device: str) -> tuple[int, int]:
        """See `ReadingStore.counts`."""
        with self._database.reading() as connection:
            [(stored, distinct)] = rows(
                connection,
                f"SELECT count(*), count(DISTINCT (boot, sequence)) FROM {VIEW} WHERE device = ?",  # noqa: S608
                [device],
            )
        return stored, distinct

    def refused(self) -> Refusals:
        """See `ReadingStore.refused`."""
        return Refusals()

    def trouble(self) -> str:
        """See `ReadingStore.trouble`."""
        return ""

    def close(self) -> None:
        """See `ReadingStore.close`."""
        self._database.close()


def _positions(connection: duckdb.DuckDBPyConnection, device: str | None) -> tuple[Position, ...]:
    condition, parameters = ("", []) if device is None else (" WHERE device = ?", [device])
    found = rows(
        connection,
        f"SELECT {', '.join(POSITION_COLUMNS)} FROM positions{condition} ORDER BY device, boot",  # noqa: S608
        parameters,
    )
    return tuple(Position(*row) for row in found)


def _upsert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], keys: int, values: Iterable[Any]
) -> None:
    """Insert or replace rows of a table whose first `keys` columns are its key, in one statement."""
    parameters = [astuple(value) for value in values]
    if parameters:
        places = ", ".join([f"({', '.join('?' * len(columns))})"] * len(parameters))
        replaced = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
        connection.execute(
            f"INSERT INTO {table} VALUES {places} ON CONFLICT DO UPDATE SET {replaced}",  # noqa: S608  (names of ours)
            [parameter for row in parameters for parameter in row],
        )


def _arrays(table: pa.Table, device: str) -> StoredReadings:
    """Columns of the view as arrays. Every reading must have as many values as the others."""

    def numbers(name: str) -> Any:
        return table[name].to_numpy()

    def scores(name: str) -> Any:
        return table[name].cast(pa.float64()).fill_null(np.nan).to_numpy()

    def matrix(name: str, kind: type[np.integer]) -> Any:
        column = table[name].combine_chunks()
        if len(column) == 0 or column.null_count == len(column):
            return None
        flat = column.flatten().to_numpy().astype(kind, copy=False)
        width, rest = divmod(len(flat), len(column))
        if rest or column.null_count or set(column.value_lengths().to_pylist()) != {width}:
            raise CloudError(
                f"The readings of device {device} differ in their number of {name}: they cannot be joined."
            )
        return flat.reshape(len(column), width)

    return StoredReadings(
        times_ns=numbers("time_ns"),
        boots=numbers("boot"),
        sequences=numbers("sequence"),
        stretches=numbers("stretch"),
        model_versions=numbers("model_version"),
        sensor_scores=scores("sensor_score"),
        gateway_scores=scores("gateway_score"),
        scores=scores("score"),
        flagged=numbers("flagged"),
        alarm=numbers("alarm"),
        counts=matrix("counts", np.int32),
        features=matrix("features", np.int16),
    )

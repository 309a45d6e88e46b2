"""Sealing: the older readings move from the table into Parquet files, and nothing is ever in both or in neither.

A segment is written beside its name, synced and renamed; its line in ``segments`` and the deletion from ``readings``
are one transaction. A crash in between leaves a file that no line names, which the next start removes.
"""

import contextlib
import os
from pathlib import Path

import duckdb

from cloud.storage.database import rows
from cloud.storage.schema import NAMES, SCORE_NAMES
from shared.messages.codec import Rescore

VIEW = "all_readings"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


class Segments:
    """The Parquet files of one folder and the view that joins them with the table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the folder and the view, and remove files that no line names. Call it inside a transaction."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.sweep(connection)
        self.join(connection)

    def names(self, connection: duckdb.DuckDBPyConnection) -> list[str]:
        """File names of the segments, oldest first."""
        return [name for (name,) in rows(connection, "SELECT name FROM segments ORDER BY name")]

    def sweep(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Remove files that belong to no segment (left by a crash, or replaced by a rescore)."""
        known = set(self.names(connection))
        for path in self._folder.iterdir():
            if path.name not in known:
                with contextlib.suppress(OSError):
                    path.unlink()

    def join(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the view anew. Paths stand in it, so this also follows a folder that was moved."""
        parts = [f"SELECT {NAMES} FROM readings"]  # noqa: S608  (names of ours)
        files = ", ".join(_quoted(self._folder / name) for name in self.names(connection))
        if files:
            parts.append(f"SELECT {NAMES} FROM read_parquet([{files}])")  # noqa: S608  (names of ours)
        connection.execute(f"CREATE OR REPLACE VIEW {VIEW} AS " + " UNION ALL ".join(parts))

    def seal(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Move the older half of the table into a new segment, and say how many readings. Inside a transaction."""
        [(cut,)] = rows(connection, "SELECT quantile_disc(arrival, 0.5) FROM readings")
        [(moved,)] = rows(connection, "SELECT count(*) FROM readings WHERE arrival <= ?", [cut])
        if moved:
            query = f"SELECT {NAMES} FROM readings WHERE arrival <= {int(cut)} ORDER BY device, boot, sequence"  # noqa: S608
            self._write(connection, query, self._next_name(connection), moved)
            connection.execute("DELETE FROM readings WHERE arrival <= ?", [cut])
            self.join(connection)
        return int(moved)

    def rescore(self, connection: duckdb.DuckDBPyConnection, rescore: Rescore) -> None:
        """Write the segments anew that hold readings of a rescore; ``rescored`` is its registered table."""
        files = ", ".join(_quoted(self._folder / name) for name in self.names(connection))
        if not files:
            return
        chosen = rows(
            connection,
            f"SELECT DISTINCT parse_filename(filename) FROM read_parquet([{files}], filename = true) "  # noqa: S608
            "WHERE device = ? AND boot = ? AND sequence BETWEEN ? AND ?",
            [rescore.device, rescore.boot, rescore.sequence, rescore.sequence + len(rescore.flags) - 1],
        )
        replaced = ", ".join(
            f"CASE WHEN new.sequence IS NULL THEN old.{name} ELSE new.{name} END AS {name}" for name in SCORE_NAMES
        )
        for (name,) in chosen:
            source = _quoted(self._folder / name)
            query = (
                f"SELECT old.* REPLACE ({replaced}) FROM read_parquet({source}) old "  # noqa: S608  (names of ours)
                "LEFT JOIN rescored new ON old.sequence = new.sequence "
                f"AND old.device = '{rescore.device}' AND old.boot = {rescore.boot} "
                "ORDER BY old.device, old.boot, old.sequence"
            )
            [(count,)] = rows(connection, "SELECT rows FROM segments WHERE name = ?", [name])
            self._write(connection, query, self._next_name(connection), count)
            connection.execute("DELETE FROM segments WHERE name = ?", [name])
        if chosen:
            self.join(connection)

    def _next_name(self, connection: duckdb.DuckDBPyConnection) -> str:
        taken = [*self.names(connection), *(path.name for path in self._folder.glob("readings-*.parquet"))]
        return f"readings-{max((int(name[9:-8]) for name in taken), default=0) + 1:08d}.parquet"

    def _write(self, connection: duckdb.DuckDBPyConnection, query: str, name: str, count: int) -> None:
        path = self._folder / name
        unfinished = path.with_suffix(".unfinished")
        connection.execute(f"COPY ({query}) TO {_quoted(unfinished)} (FORMAT parquet, COMPRESSION zstd)")
        _sync(unfinished)
        unfinished.rename(path)
        _sync(self._folder)
        connection.execute("INSERT INTO segments VALUES (?, ?)", [name, count])


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

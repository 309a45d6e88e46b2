"""The DuckDB file: one writer, many readers, and what its errors mean."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from cloud.errors import CloudError, StoreBroken, StoreUnavailable

#: What passes by itself: a full disk, a lock, too little memory, a database that such an error has closed.
_PASSING = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
    duckdb.ConnectionException,
)


def told(error: duckdb.Error, path: Path) -> CloudError:
    """The error of ours for one of DuckDB's, in one sentence."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, _PASSING):
        return StoreUnavailable(f"The store {path} cannot be used now ({reason}): see to disk space and permissions.")
    return StoreBroken(f"The store {path} refused a statement ({reason}): restore the folder from a copy.")


class Database:
    """One DuckDB file. DuckDB closes a database after a failed write to disk: it is opened again by the next use."""

    def __init__(self, path: Path, threads: int, memory_megabytes: int) -> None:
        self.path = path
        self._config: dict[str, Any] = {
            "threads": threads,
            "memory_limit": f"{memory_megabytes}MB",
            # Nothing is ever fetched from the network.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._idle = threading.Condition()
        self._readers = 0
        self._failed = False
        self._root: duckdb.DuckDBPyConnection | None = None
        self._connection()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """The connection of this database, opened when there is none; call it while holding `_idle` (or alone)."""
        if self._root is None:
            try:
                self._root = duckdb.connect(str(self.path), config=self._config)
            except duckdb.Error as error:
                raise told(error, self.path) from error
        return self._root

    @contextlib.contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for queries that sees the last commit."""
        with self._idle:
            cursor = self._connection().cursor()
            self._readers += 1
        try:
            yield cursor
        except duckdb.Error as error:
            raise told(error, self.path) from error
        finally:
            cursor.close()
            with self._idle:
                self._readers -= 1
                self._idle.notify_all()

    @contextlib.contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction: committed at the end, rolled back by any error."""
        with self._idle:
            if self._failed:
                self._reopen()
            connection = self._connection()
        try:
            connection.begin()
            yield connection
            connection.commit()
        except BaseException as error:
            with contextlib.suppress(duckdb.Error):
                connection.rollback()
            if isinstance(error, duckdb.Error):
                self._failed = True
                raise told(error, self.path) from error
            raise

    def _reopen(self) -> None:
        self._idle.wait_for(lambda: self._readers == 0)
        if self._root is not None:
            with contextlib.suppress(duckdb.Error):
                self._root.close()
            self._root = None
        self._connection()
        self._failed = False

    def close(self) -> None:
        """Close the file when the readers are done."""
        with self._idle:
            self._idle.wait_for(lambda: self._readers == 0, timeout=10.0)
            if self._root is not None:
                self._root.close()
                self._root = None


def rows(connection: duckdb.DuckDBPyConnection, statement: str, parameters: Sequence[object] = ()) -> list[Any]:
    """All rows of a query, as tuples."""
    return list(connection.execute(statement, list(parameters)).fetchall())

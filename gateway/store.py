"""Everything a gateway must not forget, in one SQLite file, changed by one transaction per batch.

    account    accounts of each boot of each device (`gateway.inbox.Cursor`), and what the full outbox dropped of it
    device     birth and state as received, and the last checkpoint of the device's judgement
    journal    data messages taken since that checkpoint: checkpoint + journal = the judgement as it stood; before them,
               the last ones that it covers: what an operator's word is learned from
    asset      open alarms of an asset
    word       the last word of an operator on an asset, and how far it is carried out
    outbox     uploads that the cloud has not confirmed, in order
    release    the image meant for a device

Write-ahead log with ``synchronous=FULL``: when `commit` returns, a power cut loses nothing of it. One connection, one
thread; `gateway status` reads beside it.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.changes import Account, Changes, NewUpload, Pending, Release, StoredDevice
from gateway.errors import StoreError, StoreFullError
from gateway.inbox import Cursor

FILE_NAME = "gateway.sqlite3"
FORMAT = 2
#: Messages of a device that are kept behind its checkpoint.
RECENT_MESSAGES = 256
#: Epochs fit the integers of every JSON and CBOR reader.
_EPOCH_BITS = 53
_RETRY_LATER = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE account (
    device TEXT NOT NULL, boot INTEGER NOT NULL, next_sequence INTEGER NOT NULL, produced INTEGER NOT NULL,
    stored INTEGER NOT NULL, lost INTEGER NOT NULL, duplicates INTEGER NOT NULL, late INTEGER NOT NULL,
    newest_ns INTEGER, dropped INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (device, boot)
) WITHOUT ROWID;
CREATE TABLE device (
    device TEXT PRIMARY KEY, birth BLOB, state BLOB, checkpoint BLOB, covered INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE journal (position INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX journal_device ON journal (device);
CREATE TABLE asset (asset TEXT PRIMARY KEY, alarms BLOB NOT NULL);
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT, device TEXT, boot INTEGER,
    readings INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX outbox_key ON outbox (key) WHERE key IS NOT NULL;
CREATE TABLE release (
    device TEXT PRIMARY KEY, digest BLOB NOT NULL, version INTEGER NOT NULL, image BLOB,
    accepted INTEGER NOT NULL, published INTEGER NOT NULL
);
CREATE TABLE word (asset TEXT PRIMARY KEY, content BLOB NOT NULL);
"""
#: What a store of format 1 lacks.
_FROM_1 = (
    "ALTER TABLE device ADD COLUMN covered INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE word (asset TEXT PRIMARY KEY, content BLOB NOT NULL)",
)


class Store:
    """The gateway's store in `folder`.

    Parameters
    ----------
    folder
        Data folder; must exist.
    outbox_limit_bytes
        When the bodies in the outbox exceed this, the oldest uploads are dropped and their readings counted as lost.
    read_only
        Only look (for `gateway status`); nothing is created or changed.

    Raises
    ------
    StoreError
        The file is not a store of this version, or there is none to look at.
    """

    def __init__(self, folder: Path, *, outbox_limit_bytes: int = 1 << 30, read_only: bool = False) -> None:
        self._path = folder / FILE_NAME
        self._limit = outbox_limit_bytes
        if read_only:
            if not self._path.is_file():
                raise StoreError(f"There is no gateway store {self._path}: name the data folder of a gateway that ran.")
            self._connection = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0
            )
        else:
            self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
        try:
            with self._telling():
                self._open(read_only)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, read_only: bool) -> None:
        try:
            if not read_only:
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=FULL")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if _code(error) == sqlite3.SQLITE_NOTADB:
                raise StoreError(
                    f"The file {self._path} is not a gateway store: move it away and start again."
                ) from error
            raise
        if version == 0 and not read_only:
            self._create()
        elif version == 1 and not read_only:
            self._migrate()
        elif version == 1:
            pass  # what `gateway status` asks is there
        elif version != FORMAT:
            raise StoreError(
                f"The gateway store {self._path} has format {version}, this version knows {FORMAT}: "
                "start the version of Tocsin that wrote it."
            )
        self.epoch = int(self._meta("epoch"))
        self.next_upload = int(self._meta("next_upload"))
        self.refused = int(self._meta("refused"))
        self.outbox_bytes = int(self._value("SELECT COALESCE(SUM(LENGTH(body)), 0) FROM outbox"))

    def _create(self) -> None:
        with self._transaction():
            for statement in _SCHEMA.strip().split(";\n"):
                self._connection.execute(statement)
            self._set_meta("epoch", secrets.randbits(_EPOCH_BITS))
            self._set_meta("next_upload", 0)
            self._set_meta("refused", 0)
            self._connection.execute(f"PRAGMA user_version={FORMAT}")

    def _migrate(self) -> None:
        with self._transaction():
            for statement in _FROM_1:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version={FORMAT}")

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        self._connection.close()

    def devices(self) -> Iterator[StoredDevice]:
        """Every device known, by name."""
        newest = {cursor.device: cursor for cursor in (account.cursor for account in self.accounts())}
        rows = self._connection.execute(
            "SELECT device, birth, state, checkpoint FROM device ORDER BY device"
        ).fetchall()
        for device, birth, state, checkpoint in rows:
            yield StoredDevice(device, birth, state, checkpoint, newest.get(device, Cursor(device)))

    def accounts(self) -> list[Account]:
        """The accounts of every boot of every device, by name and boot."""
        rows = self._connection.execute(
            "SELECT device, boot, next_sequence, produced, stored, lost, duplicates, late, newest_ns, dropped"
            " FROM account ORDER BY device, boot"
        )
        return [Account(Cursor(*row[:9]), row[9]) for row in rows]

    def journal(self, device: str) -> list[bytes]:
        """Data messages of the device since its checkpoint, in order."""
        rows = self._connection.execute(
            "SELECT data FROM journal WHERE device = ? AND position >"
            " COALESCE((SELECT covered FROM device WHERE device = ?), 0) ORDER BY position",
            (device, device),
        )
        return [row[0] for row in rows]

    def recent(self, device: str) -> list[bytes]:
        """The last messages of the device in order, those that its checkpoint covers too."""
        rows = self._connection.execute(
            "SELECT data FROM journal WHERE device = ? ORDER BY position DESC LIMIT ?", (device, RECENT_MESSAGES)
        )
        return [row[0] for row in rows][::-1]

    def words(self) -> dict[str, bytes]:
        """The last word of an operator on each asset."""
        return dict(self._connection.execute("SELECT asset, content FROM word"))

    def assets(self) -> dict[str, bytes]:
        """Alarm state of every asset."""
        return dict(self._connection.execute("SELECT asset, alarms FROM asset"))

    def releases(self) -> dict[str, Release]:
        """The last release of every device. The digest in a row is that of a refused image unless `accepted` is set."""
        rows = self._connection.execute("SELECT device, version, image, digest, accepted, published FROM release")
        return {row[0]: Release(row[0], row[1], row[2], b"" if row[4] else row[3], bool(row[5])) for row in rows}

    def oldest_upload(self) -> int:
        """Sequence of the first upload that is still held; the next one's if none is."""
        return int(self._value("SELECT COALESCE(MIN(sequence), ?) FROM outbox", self.next_upload))

    def uploads(self, sequence: int, limit: int) -> list[Pending]:
        """At most `limit` uploads from `sequence` on, in order."""
        rows = self._connection.execute(
            "SELECT sequence, kind, body FROM outbox WHERE sequence >= ? ORDER BY sequence LIMIT ?", (sequence, limit)
        )
        return [Pending(*row) for row in rows]

    def outbox_readings(self) -> int:
        """Readings that wait in the outbox."""
        return int(self._value("SELECT COALESCE(SUM(readings), 0) FROM outbox"))

    def commit(self, changes: Changes) -> int:
        """Write a batch; return how many uploads a full outbox had to drop for it.

        Raises
        ------
        StoreFullError
            The disk has no room; nothing was written and the same `changes` can be tried again.
        """
        with self._telling(), self._transaction():
            self._write_devices(changes)
            self._connection.executemany("INSERT INTO journal (device, data) VALUES (?, ?)", changes.journal)
            self._connection.executemany("INSERT OR REPLACE INTO asset VALUES (?, ?)", changes.assets.items())
            self._connection.executemany("INSERT OR REPLACE INTO word VALUES (?, ?)", changes.words.items())
            self._connection.executemany(
                "INSERT OR REPLACE INTO release VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (r.device, r.refused, r.version, r.image, int(not r.refused), int(r.published))
                    for r in changes.releases.values()
                ],
            )
            next_upload, size = self._append(changes.uploads, self.next_upload, self.outbox_bytes)
            dropped = 0
            if size > self._limit:
                next_upload, size, dropped = self._shed(next_upload, size)
            if changes.refused:
                self._set_meta("refused", self.refused + changes.refused)
            if next_upload != self.next_upload:
                self._set_meta("next_upload", next_upload)
        self.next_upload, self.outbox_bytes = next_upload, size
        self.refused += changes.refused
        return dropped

    def confirm(self, next_sequence: int) -> int:
        """The cloud has stored every upload below `next_sequence`: forget those; return how many there were."""
        with self._telling(), self._transaction():
            freed = int(
                self._value("SELECT COALESCE(SUM(LENGTH(body)), 0) FROM outbox WHERE sequence < ?", next_sequence)
            )
            count = self._connection.execute("DELETE FROM outbox WHERE sequence < ?", (next_sequence,)).rowcount
        self.outbox_bytes -= freed
        return count

    def begin_epoch(self) -> None:
        """Draw a new epoch and number the outbox from 0: the cloud knows more of the old epoch than this store."""
        epoch = secrets.randbits(_EPOCH_BITS)
        with self._telling(), self._transaction():
            oldest = self.oldest_upload()
            # In two steps, since a row must not meet the old number of another on its way.
            self._connection.execute("UPDATE outbox SET sequence = -1 - (sequence - ?)", (oldest,))
            self._connection.execute("UPDATE outbox SET sequence = -1 - sequence")
            self._set_meta("epoch", epoch)
            self._set_meta("next_upload", self.next_upload - oldest)
        self.epoch, self.next_upload = epoch, self.next_upload - oldest

    def _write_devices(self, changes: Changes) -> None:
        run = self._connection.executemany
        known = {*changes.births, *changes.states, *changes.checkpoints, *(device for device, _ in changes.cursors)}
        run("INSERT OR IGNORE INTO device (device) VALUES (?)", [(device,) for device in known])
        run("UPDATE device SET birth = ? WHERE device = ?", _swapped(changes.births.items()))
        run("UPDATE device SET state = ? WHERE device = ?", _swapped(changes.states.items()))
        run("UPDATE device SET checkpoint = ? WHERE device = ?", _swapped(changes.checkpoints.items()))
        run("DELETE FROM journal WHERE device = ?", [(d,) for d, state in changes.checkpoints.items() if state is None])
        run("INSERT INTO journal (device, data) VALUES (?, ?)", changes.past)
        for device in changes.checkpoints:
            run(
                "UPDATE device SET covered = COALESCE((SELECT MAX(position) FROM journal), 0) WHERE device = ?",
                [(device,)],
            )
            run(
                "DELETE FROM journal WHERE device = ?1 AND position <= (SELECT position FROM journal WHERE device = ?1"
                " ORDER BY position DESC LIMIT 1 OFFSET ?2)",
                [(device, RECENT_MESSAGES)],
            )
        run(
            "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (device, boot) DO UPDATE SET"
            " next_sequence = excluded.next_sequence, produced = excluded.produced, stored = excluded.stored,"
            " lost = excluded.lost, duplicates = excluded.duplicates, late = excluded.late,"
            " newest_ns = excluded.newest_ns",
            [
                (c.device, c.boot, c.next_sequence, c.produced, c.stored, c.lost, c.duplicates, c.late, c.newest_ns)
                for c in changes.cursors.values()
            ],
        )

    def _append(self, uploads: Iterable[NewUpload], sequence: int, size: int) -> tuple[int, int]:
        rows = [
            (sequence + index, u.kind, u.key, u.device, u.boot, u.readings, u.body) for index, u in enumerate(uploads)
        ]
        self._connection.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return sequence + len(rows), size + sum(len(row[6]) for row in rows)

    def _shed(self, next_upload: int, size: int) -> tuple[int, int, int]:
        """Drop the oldest uploads until 1/16 of the limit is free. The newest of each key moves to the end instead.

        Moving takes a new number: a number that was ever on the wire never gets another content.
        """
        target = self._limit - self._limit // 16
        moved: list[NewUpload] = []
        end, dropped = self.oldest_upload(), 0
        rows = self._connection.execute(
            "SELECT sequence, kind, key, device, boot, readings, body, key IS NULL OR EXISTS"
            " (SELECT 1 FROM outbox AS later WHERE later.key = outbox.key AND later.sequence > outbox.sequence)"
            " FROM outbox WHERE sequence < ? ORDER BY sequence",
            (next_upload,),
        )
        for sequence, kind, key, device, boot, readings, body, superseded in rows:
            if size <= target:
                break
            end = sequence + 1
            if superseded:
                size, dropped = size - len(body), dropped + 1
                if readings and kind == "readings":
                    self._connection.execute(
                        "UPDATE account SET dropped = dropped + ? WHERE device = ? AND boot = ?",
                        (readings, device, boot),
                    )
            else:
                moved.append(NewUpload(kind, body, key, device, boot, readings))
        rows.close()
        self._connection.execute("DELETE FROM outbox WHERE sequence < ?", (end,))
        next_upload, _ = self._append(moved, next_upload, 0)
        return next_upload, size, dropped

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if _code(error) in _RETRY_LATER:
                raise StoreFullError(
                    f"The gateway store {self._path} cannot be written ({error}): make room on its disk."
                ) from error
            raise

    def _meta(self, key: str) -> int | str | bytes:
        value: int | str | bytes = self._value("SELECT value FROM meta WHERE key = ?", key)
        return value

    def _set_meta(self, key: str, value: int) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _value(self, query: str, *parameters: int | str) -> int:
        value: int = self._connection.execute(query, parameters).fetchone()[0]
        return value


def _swapped(items: Iterable[tuple[str, bytes | None]]) -> list[tuple[bytes | None, str]]:
    return [(value, device) for device, value in items]


def _code(error: sqlite3.Error) -> int:
    """The primary result code of SQLite."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF

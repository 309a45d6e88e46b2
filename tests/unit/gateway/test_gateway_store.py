"""The store: a batch as a whole or not at all, a bounded outbox, and what survives."""

import sqlite3

import pytest

from gateway.changes import Changes, NewUpload, Release
from gateway.errors import StoreError, StoreFullError
from gateway.inbox import Cursor
from gateway.store import FILE_NAME, Store


def readings(device: str = "a", count: int = 16, size: int = 1000, boot: int = 0) -> NewUpload:
    return NewUpload("readings", bytes(size), device=device, boot=boot, readings=count)


def test_everything_of_a_batch_is_there_after_reopening(tmp_path):
    cursor = Cursor("a", 2, 48, 64, 40, 8, 3, 1, 123_456_789)
    release = Release("a", 4, b"image", b"digest of another", False)
    store = Store(tmp_path)
    store.commit(
        Changes(
            births={"a": b"birth"},
            states={"a": b"state"},
            cursors={("a", 2): cursor},
            checkpoints={"a": b"checkpoint"},
            journal=[("a", b"one"), ("a", b"two")],
            assets={"site/pump": b"alarms"},
            uploads=[readings(), NewUpload("alarm", b"alarm", key="alarm:1")],
            releases={"a": release},
            refused=3,
        )
    )
    epoch = store.epoch
    store.close()
    store = Store(tmp_path)
    [device] = store.devices()
    assert (device.birth, device.state, device.checkpoint, device.cursor) == (b"birth", b"state", b"checkpoint", cursor)
    assert store.journal("a") == [b"one", b"two"]
    assert store.assets() == {"site/pump": b"alarms"}
    assert store.releases() == {"a": release}
    assert [(u.sequence, u.kind, u.body) for u in store.uploads(0, 9)] == [
        (0, "readings", bytes(1000)),
        (1, "alarm", b"alarm"),
    ]
    assert (store.epoch, store.next_upload, store.outbox_bytes, store.refused) == (epoch, 2, 1005, 3)
    store.close()


def test_releases_of_earlier_versions_of_this_program_are_read(tmp_path):
    """They kept one digest: of the accepted image, or of the refused one that came after it."""
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("INSERT INTO release VALUES ('a', x'0a', 4, x'04', 1, 1)")
        connection.execute("INSERT INTO release VALUES ('b', x'0b', 4, x'04', 0, 1)")
        connection.execute("INSERT INTO release VALUES ('c', x'0c', 0, NULL, 0, 1)")
    connection.close()
    store = Store(tmp_path)
    assert store.releases() == {
        "a": Release("a", 4, b"\x04", b"", True),
        "b": Release("b", 4, b"\x04", b"\x0b", True),
        "c": Release("c", 0, None, b"\x0c", True),
    }
    store.close()


def test_a_checkpoint_empties_the_journal_up_to_itself(tmp_path):
    store = Store(tmp_path)
    store.commit(Changes(journal=[("a", b"1"), ("b", b"2")]))
    changes = Changes(journal=[("a", b"3")])
    changes.set_checkpoint("a", b"state after 3")
    changes.journal.append(("a", b"4"))
    store.commit(changes)
    assert store.journal("a") == [b"4"]
    assert store.journal("b") == [b"2"]
    store.close()


def test_sequences_are_never_used_twice(tmp_path):
    store = Store(tmp_path)
    store.commit(Changes(uploads=[readings(), readings()]))
    assert store.confirm(2) == 2
    store.close()
    store = Store(tmp_path)
    assert store.oldest_upload() == store.next_upload == 2
    store.commit(Changes(uploads=[readings()]))
    assert [u.sequence for u in store.uploads(0, 9)] == [2]
    store.close()


def test_a_full_outbox_drops_the_oldest_readings_and_counts_them(tmp_path):
    store = Store(tmp_path, outbox_limit_bytes=20_000)
    cursor = Cursor("a", 0, 16 * 35, 16 * 35, 16 * 35)
    store.commit(Changes(cursors={("a", 0): cursor}, uploads=[readings() for _ in range(15)]))
    birth = NewUpload("birth", b"birth", key="birth:a")
    old, new = (NewUpload("alarm", text, key="alarm:1") for text in (b"begin", b"end"))
    assert store.commit(Changes(uploads=[birth, old, *(readings() for _ in range(20)), new])) > 0
    held = store.uploads(0, 100)
    assert store.outbox_bytes == sum(len(u.body) for u in held) <= 20_000
    assert [u.sequence for u in held] == list(range(held[0].sequence, store.next_upload))
    # nothing that can only be said once is lost: the birth and the newest word on the alarm
    assert sorted(u.body for u in held if u.kind != "readings") == [b"birth", b"end"]
    [account] = store.accounts()
    kept = sum(16 for u in held if u.kind == "readings")
    assert account.dropped == 16 * 35 - kept > 0
    assert store.outbox_readings() == kept
    store.close()


def test_a_new_epoch_numbers_the_outbox_from_zero(tmp_path):
    store = Store(tmp_path)
    store.commit(Changes(uploads=[NewUpload("alarm", str(i).encode(), key=f"alarm:{i}") for i in range(9)]))
    store.confirm(4)
    epoch = store.epoch
    store.begin_epoch()
    assert store.epoch != epoch
    assert [(u.sequence, u.body) for u in store.uploads(0, 9)] == [(i, str(i + 4).encode()) for i in range(5)]
    assert store.next_upload == 5
    store.close()


def test_a_full_disk_changes_nothing_and_the_same_batch_fits_later(tmp_path):
    store = Store(tmp_path)
    store.commit(Changes(uploads=[readings()]))
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages + 1}")
    changes = Changes(cursors={("a", 0): Cursor("a", 0, 16, 16, 16)}, uploads=[readings(size=100_000)])
    with pytest.raises(StoreFullError, match="make room"):
        store.commit(changes)
    assert (store.next_upload, store.outbox_bytes, store.accounts()) == (1, 1000, [])
    store._connection.execute("PRAGMA max_page_count=100000")
    store.commit(changes)
    assert [u.sequence for u in store.uploads(0, 9)] == [0, 1]
    assert store.accounts()[0].cursor.stored == 16
    store.close()


def test_a_file_that_is_no_store_is_refused_in_one_sentence(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreError, match="not a gateway store"):
        Store(tmp_path)


def test_a_store_of_another_format_is_refused(tmp_path):
    Store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        Store(tmp_path)


def test_looking_at_a_store_that_is_not_there_makes_none(tmp_path):
    with pytest.raises(StoreError, match="no gateway store"):
        Store(tmp_path, read_only=True)
    assert not (tmp_path / FILE_NAME).exists()

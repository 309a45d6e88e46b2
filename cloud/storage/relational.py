"""The relational part: SQLAlchemy tables for facts that are few and change, on SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, BigInteger, Engine, LargeBinary, MetaData, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from cloud.errors import StoreUnavailable

DATABASE_NAME = "facts.sqlite"


class Base(DeclarativeBase):
    """All tables of the relational part."""

    type_annotation_map = {int: BigInteger, dict[str, Any]: JSON, list[Any]: JSON, bytes: LargeBinary}  # noqa: RUF012


class Reported:
    """What a gateway last said of something, and by which upload: an older upload never overwrites a newer one."""

    gateway: Mapped[str]
    epoch: Mapped[int]
    upload: Mapped[int]


class DeviceRow(Reported, Base):
    """Who a device is, by its last birth; `kind` is empty while only readings came."""

    __tablename__ = "devices"
    device: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str]
    kind: Mapped[str]
    sample_rate_hz: Mapped[float]
    channels: Mapped[list[Any]]
    feature_names: Mapped[list[Any]]
    window: Mapped[int]
    hop: Mapped[int]
    boot: Mapped[int]
    model_version: Mapped[int]


class AlarmRow(Reported, Base):
    """An alarm of an asset; `end_ns` is null while it lasts. Times in ns UTC, `received_ns` by this machine's clock."""

    __tablename__ = "alarms"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(index=True)
    device: Mapped[str]
    begin_ns: Mapped[int]
    end_ns: Mapped[int | None]
    peak_score: Mapped[float]
    provisional: Mapped[bool]
    reasons: Mapped[list[Any]]
    received_ns: Mapped[int]
    #: What else explains it; None for an alarm that was stored before there was such a table.
    details: Mapped["AlarmDetailsRow | None"] = relationship(
        primaryjoin="AlarmRow.identifier == foreign(AlarmDetailsRow.identifier)",
        uselist=False,
        lazy="joined",
        viewonly=True,
    )


class AlarmDetailsRow(Reported, Base):
    """Since when an alarm's change lasts (ns UTC), what spoke up, lines of bearings and shafts (name, Hz, channel,
    feature, sentence), and the earlier alarm that it is like (id, begin, likeness; empty: none).

    A table of its own, so that a store of an earlier version is read and grows it.
    """

    __tablename__ = "alarm_details"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    since_ns: Mapped[int | None]
    detectors: Mapped[list[Any]]
    lines: Mapped[list[Any]]
    like: Mapped[list[Any]]


class StateRow(Reported, Base):
    """The model that a device runs and what became of the image it judged last."""

    __tablename__ = "states"
    device: Mapped[str] = mapped_column(primary_key=True)
    boot: Mapped[int]
    model_version: Mapped[int]
    result: Mapped[str]
    judged_version: Mapped[int]
    reason: Mapped[str]


class CountersRow(Reported, Base):
    """Loss accounting at the gateway, in readings of one boot: ``produced == stored + lost``."""

    __tablename__ = "counters"
    device: Mapped[str] = mapped_column(primary_key=True)
    boot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    produced: Mapped[int]
    stored: Mapped[int]
    lost: Mapped[int]
    duplicates: Mapped[int]
    late: Mapped[int]


class ModelRow(Base):
    """One version of a device's model; see `cloud.registry.models` for its states."""

    __tablename__ = "models"
    device: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str]
    reason: Mapped[str]
    metrics: Mapped[dict[str, Any]]
    digest: Mapped[str | None]
    created_ns: Mapped[int]
    released_ns: Mapped[int | None]
    running_ns: Mapped[int | None]


class JobRow(Base):
    """One training: what was asked, how far it came, how it ended."""

    __tablename__ = "jobs"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str]
    version: Mapped[int]
    state: Mapped[str]
    stage: Mapped[str]
    done: Mapped[int]
    total: Mapped[int]
    reason: Mapped[str]
    created_ns: Mapped[int]
    ended_ns: Mapped[int | None]


class Relations:
    """The SQLite file and its transactions."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / DATABASE_NAME
        self.engine: Engine = create_engine(f"sqlite:///{self.path}", connect_args={"timeout": 10.0})
        event.listen(self.engine, "connect", _durable)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"The store {self.path} cannot be opened ({_reason(error)}).") from error
        self.create_tables(Base.metadata)

    def create_tables(self, tables: MetaData) -> None:
        """Make those of `tables` that are not there yet.

        Raises
        ------
        StoreUnavailable
            The file cannot be written.
        """
        try:
            tables.create_all(self.engine)
        except OperationalError as error:
            raise StoreUnavailable(f"The store {self.path} cannot be opened ({_reason(error)}).") from error

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back by any error.

        Raises
        ------
        StoreUnavailable
            The disk is full or the file is locked.
        """
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except OperationalError as error:
            raise StoreUnavailable(
                f"The store {self.path} cannot be used now ({_reason(error)}): see to disk space and permissions."
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self.engine.dispose()


def _reason(error: OperationalError | OSError) -> str:
    return str(error.orig if isinstance(error, OperationalError) else error.strerror)


def _durable(connection: Any, _record: object) -> None:
    """A commit survives a power cut, and readers do not wait for it."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")

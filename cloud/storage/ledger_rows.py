"""The tables of the ledger, beside the facts in the same file."""

from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cloud.storage.relational import Base


class LedgerBase(DeclarativeBase):
    """The tables of the ledger, apart from the facts: a data folder without a ledger has none of them."""

    type_annotation_map = Base.type_annotation_map


class HomeRow(LedgerBase):
    """The one place that the readings of this ledger are in."""

    __tablename__ = "ledger_home"
    identifier: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    organisation: Mapped[str]
    bucket: Mapped[str]
    __table_args__ = (CheckConstraint("identifier = 1"),)


class MarkRow(LedgerBase):
    """See `cloud.storage.port.Mark`."""

    __tablename__ = "ledger_marks"
    gateway: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    next_sequence: Mapped[int]
    taken: Mapped[int]
    duplicates: Mapped[int]
    lost: Mapped[int]
    early: Mapped[int]
    undecodable: Mapped[int]
    received_bytes: Mapped[int]


class PositionRow(LedgerBase):
    """See `cloud.storage.port.Position`."""

    __tablename__ = "ledger_positions"
    device: Mapped[str] = mapped_column(primary_key=True)
    boot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    next_sequence: Mapped[int]
    stored: Mapped[int]
    lost: Mapped[int]
    duplicates: Mapped[int]
    time_ns: Mapped[int | None]
    received_ns: Mapped[int]
    model_version: Mapped[int]
    sensor_score: Mapped[float | None]
    gateway_score: Mapped[float | None]
    score: Mapped[float | None]
    flagged: Mapped[bool]
    alarm: Mapped[bool]
    top_channel: Mapped[int | None]


class PageRow(LedgerBase):
    """See `cloud.storage.pages.Page`."""

    __tablename__ = "ledger_pages"
    device: Mapped[str] = mapped_column(primary_key=True)
    boot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    next_sequence: Mapped[int]
    first_ns: Mapped[int]
    last_ns: Mapped[int]


class PlaceRow(LedgerBase):
    """What the lines of a boot carry, fixed before its first reading is written; `content` is the store's own."""

    __tablename__ = "ledger_places"
    device: Mapped[str] = mapped_column(primary_key=True)
    boot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[list[Any]]


class RefusedRow(LedgerBase):
    """A point that the store's server refused; device, boot and sequence are those of its reading, if it has one."""

    __tablename__ = "ledger_refused"
    identifier: Mapped[int] = mapped_column(Integer, primary_key=True)
    line: Mapped[str]
    reason: Mapped[str]
    device: Mapped[str | None]
    boot: Mapped[int | None]
    sequence: Mapped[int | None]
    __table_args__ = (Index("ledger_refused_reading", "device", "boot", "sequence"), {"sqlite_autoincrement": True})

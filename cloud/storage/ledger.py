"""The ledger: positions, marks, pages and refused points in SQLite, for a store that has no transactions.

The store writes the readings first; then `commit` makes everything else durable in one transaction. So what the ledger
knows is stored, and what is stored beyond it will be written again, the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from cloud.errors import CloudError
from cloud.storage.ledger_rows import HomeRow, LedgerBase, MarkRow, PageRow, PlaceRow, PositionRow, RefusedRow
from cloud.storage.pages import Page
from cloud.storage.port import Mark, Position
from cloud.storage.relational import Relations

Entry = TypeVar("Entry", Mark, Position, Page)


@dataclass(frozen=True, slots=True)
class RefusedPoint:
    """A line that was refused, why, and the reading it belongs to (None for what belongs to none)."""

    line: str
    reason: str
    device: str | None = None
    boot: int | None = None
    sequence: int | None = None
    identifier: int | None = None


class Ledger:
    """The ledger in the relational part of a data folder.

    Raises
    ------
    StoreUnavailable
        The file cannot be used, from any method.
    """

    def __init__(self, relations: Relations) -> None:
        self._relations = relations
        relations.create_tables(LedgerBase.metadata)

    def settle(self, organisation: str, bucket: str) -> None:
        """Name the place of the readings, at the first call; later calls must name the same one.

        Raises
        ------
        CloudError
            The ledger belongs to another organisation or bucket.
        """
        with self._relations.transaction() as session:
            home = session.get(HomeRow, 1)
            if home is None:
                session.add(HomeRow(identifier=1, organisation=organisation, bucket=bucket))
            elif (home.organisation, home.bucket) != (organisation, bucket):
                raise CloudError(
                    f"The data folder of {self._relations.path} belongs to bucket {home.bucket!r} of organisation "
                    f"{home.organisation!r}, not to {bucket!r} of {organisation!r}: set TOCSIN_INFLUXDB_BUCKET and "
                    "TOCSIN_INFLUXDB_ORGANISATION back, or give another data folder."
                )

    def marks(self) -> tuple[Mark, ...]:
        """Every mark, by gateway and epoch."""
        with self._relations.transaction() as session:
            rows = session.scalars(select(MarkRow).order_by(MarkRow.gateway, MarkRow.epoch))
            return tuple(_entry(Mark, row) for row in rows)

    def positions(self, device: str | None = None) -> tuple[Position, ...]:
        """Every position (of a device), by device and boot."""
        query = select(PositionRow).order_by(PositionRow.device, PositionRow.boot)
        if device is not None:
            query = query.where(PositionRow.device == device)
        with self._relations.transaction() as session:
            return tuple(_entry(Position, row) for row in session.scalars(query))

    def pages(self, device: str, boot: int | None = None) -> tuple[Page, ...]:
        """Every page of a device (or of one boot), in order of boot and sequence."""
        query = select(PageRow).where(PageRow.device == device).order_by(PageRow.boot, PageRow.first_sequence)
        if boot is not None:
            query = query.where(PageRow.boot == boot)
        with self._relations.transaction() as session:
            return tuple(_entry(Page, row) for row in session.scalars(query))

    def last_pages(self) -> tuple[Page, ...]:
        """The last page of each boot of each device."""
        newest = (
            select(PageRow.device, PageRow.boot, func.max(PageRow.first_sequence).label("first_sequence"))
            .group_by(PageRow.device, PageRow.boot)
            .subquery()
        )
        query = select(PageRow).join(
            newest,
            (PageRow.device == newest.c.device)
            & (PageRow.boot == newest.c.boot)
            & (PageRow.first_sequence == newest.c.first_sequence),
        )
        with self._relations.transaction() as session:
            return tuple(_entry(Page, row) for row in session.scalars(query))

    def places(self) -> dict[tuple[str, int], list[Any]]:
        """What `fix_places` wrote, by device and boot."""
        with self._relations.transaction() as session:
            return {(row.device, row.boot): row.content for row in session.scalars(select(PlaceRow))}

    def fix_places(self, places: dict[tuple[str, int], list[Any]]) -> None:
        """Write the places of new boots."""
        with self._relations.transaction() as session:
            rows = [{"device": device, "boot": boot, "content": content} for (device, boot), content in places.items()]
            session.execute(insert(PlaceRow).on_conflict_do_nothing(), rows)

    def commit(
        self,
        positions: Iterable[Position],
        marks: Iterable[Mark],
        pages: Iterable[Page],
        refused: Iterable[RefusedPoint] = (),
        waiting: Iterable[RefusedPoint] = (),
    ) -> None:
        """Make all of it durable, or nothing. `refused` are new, `waiting` have changed lines."""
        with self._relations.transaction() as session:
            _upsert(session, PositionRow, positions)
            _upsert(session, MarkRow, marks)
            _upsert(session, PageRow, pages)
            session.add_all(RefusedRow(**asdict(point)) for point in refused)
            for point in waiting:
                session.execute(
                    update(RefusedRow).where(RefusedRow.identifier == point.identifier).values(line=point.line)
                )

    def refused_count(self) -> int:
        """How many points wait here because they were refused."""
        with self._relations.transaction() as session:
            return session.scalar(select(func.count()).select_from(RefusedRow)) or 0

    def refused_reason(self) -> str:
        """Why the last of them was refused; empty if none waits."""
        query = select(RefusedRow.reason).order_by(RefusedRow.identifier.desc()).limit(1)
        with self._relations.transaction() as session:
            return session.scalar(query) or ""

    def refused(self, after: int, limit: int) -> tuple[RefusedPoint, ...]:
        """At most `limit` of the refused points, the oldest first, behind the one with the identifier `after`."""
        query = select(RefusedRow).where(RefusedRow.identifier > after).order_by(RefusedRow.identifier).limit(limit)
        with self._relations.transaction() as session:
            return tuple(_entry(RefusedPoint, row) for row in session.scalars(query))

    def refused_readings(self, device: str, boot: int, first: int, after: int) -> tuple[RefusedPoint, ...]:
        """The refused points of readings ``first <= sequence < after`` of a boot."""
        query = select(RefusedRow).where(
            RefusedRow.device == device,
            RefusedRow.boot == boot,
            RefusedRow.sequence >= first,
            RefusedRow.sequence < after,
        )
        with self._relations.transaction() as session:
            return tuple(_entry(RefusedPoint, row) for row in session.scalars(query.order_by(RefusedRow.identifier)))

    def forget_refused(self, identifiers: Sequence[int]) -> None:
        """Remove points that were accepted after all."""
        with self._relations.transaction() as session:
            for begin in range(0, len(identifiers), 500):
                part = identifiers[begin : begin + 500]
                session.execute(delete(RefusedRow).where(RefusedRow.identifier.in_(part)))


def _entry(kind: type[Any], row: LedgerBase) -> Any:
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})


def _upsert(session: Session, table: type[LedgerBase], entries: Iterable[Entry]) -> None:
    """Insert or replace rows by their primary key."""
    values = [asdict(entry) for entry in entries]
    if not values:
        return
    definition = table.__table__
    assert isinstance(definition, Table)
    keys = [column.name for column in definition.primary_key]
    statement = insert(definition)
    replaced = {name: statement.excluded[name] for name in values[0] if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced), values)

"""Several tables of one shape put behind each other, each the start of a clip."""

from collections.abc import Sequence

import numpy as np

from shared.recordings.columns import Column, Table
from shared.recordings.stamps import NO_STAMP


def joined(tables: Sequence[Table]) -> Table:
    """One table from many: columns are those of the first, found by name; what a later one lacks is missing there."""
    first = tables[0]
    if len(tables) == 1:
        return first
    offsets = np.cumsum([0, *(table.rows for table in tables)])
    notes = list(first.notes)
    by_name = [{column.name: column for column in table.columns} for table in tables]
    known = set(by_name[0])
    missing = sorted({name for columns in by_name for name in known - set(columns)})
    extra = sorted({name for columns in by_name for name in set(columns) - known})
    if missing:
        notes.append(f"Some clips lack {', '.join(missing)}; missing there.")
    if extra:
        notes.append(f"Left out, because the first clip has no such column: {', '.join(extra)}.")
    columns = [_column(column, by_name, tables, offsets.tolist()) for column in first.columns]
    starts = [int(o) + start for table, o in zip(tables, offsets, strict=False) for start in table.clip_starts]
    return Table(columns, int(offsets[-1]), starts, notes, first.sample_rate_hz, first.start_ns)


def _column(
    column: Column, by_name: Sequence[dict[str, Column]], tables: Sequence[Table], offsets: Sequence[int]
) -> Column:
    parts = [columns.get(column.name) for columns in by_name]
    sizes = [table.rows for table in tables]
    whole = Column(
        column.name,
        column.unit,
        np.concatenate([np.full(n, np.nan) if p is None else p.numbers for p, n in zip(parts, sizes, strict=True)]),
        np.concatenate([p.refused + o for p, o in zip(parts, offsets, strict=False) if p is not None]),
        np.concatenate([p.infinite + o for p, o in zip(parts, offsets, strict=False) if p is not None]),
    )
    if column.stamps is not None:
        whole.stamp_format = column.stamp_format
        whole.stamps = np.concatenate(
            [
                np.full(n, NO_STAMP) if p is None or p.stamps is None else p.stamps
                for p, n in zip(parts, sizes, strict=True)
            ]
        )
    if column.texts is not None:
        whole.texts = [
            text
            for part, size in zip(parts, sizes, strict=True)
            for text in ([""] * size if part is None else part.numbers if part.texts is None else part.texts)
        ]
    return whole

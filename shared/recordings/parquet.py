"""Parquet files, read by pyarrow where it is installed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import UsageError
from shared.recordings.cells import numbers as read_cells
from shared.recordings.columns import Column, Table, without_infinity
from shared.recordings.stamps import NO_STAMP, StampFormat, calendar_format, number_format
from shared.recordings.timing import looks_like_time

_EXAMPLE_ROWS = 2_000


def read_parquet(path: Path, healthy_rows: int | None, ignore: Sequence[str], time_column: str | None) -> Table:
    """The columns of one Parquet file. Nested columns are left out, with a note."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as reader
    except ImportError as error:
        raise UsageError(f"{path} needs pyarrow, which is not installed; install the extra 'recordings'") from error
    try:
        # One file, not a data set: a folder name such as 'speed=3' must not become a column.
        table = reader.ParquetFile(path).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: it is damaged or no Parquet file; write it again") from error
    if not table.num_rows:
        raise UsageError(f"{path} holds no rows; give a recording with at least one row of numbers")
    notes = ["Parquet file."]
    columns: list[Column] = []
    for position, name in enumerate(table.column_names):
        cells = table.column(position).combine_chunks()
        column = _column(pa, str(name), cells, healthy_rows, position, name in ignore, time_column)
        if column is None:
            notes.append(f"Column {name!r} of type {cells.type} was left out: it holds no single values.")
            continue
        columns.append(column)
    return Table(columns, table.num_rows, [0], notes)


def _column(
    pa: Any, name: str, cells: Any, healthy_rows: int | None, position: int, label: bool, time_column: str | None
) -> Column | None:
    types = pa.types
    if types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    kind = cells.type
    rows = len(cells)
    example_rows = min(_EXAMPLE_ROWS, healthy_rows or _EXAMPLE_ROWS, rows)
    if types.is_timestamp(kind) or types.is_date(kind):
        stamps = cells.cast(pa.timestamp("ns"), safe=False) if types.is_date(kind) else cells
        factor = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[stamps.type.unit]
        whole = stamps.cast(pa.int64())
        valid = whole.is_valid().to_numpy(zero_copy_only=False)
        integers = whole.fill_null(0).to_numpy(zero_copy_only=False)
        read = StampFormat("epoch", factor).read_numbers(integers) if factor > 1 else integers.copy()
        read[~valid] = NO_STAMP
        return Column(name, "", np.full(rows, np.nan), stamps=read, stamp_format=StampFormat("epoch", factor))
    if types.is_string(kind) or types.is_large_string(kind):
        texts = ["" if text is None else text for text in cells.to_pylist()]
        floats, refused = read_cells(texts, decimal_comma=False)
        floats, infinite = without_infinity(floats)
        column = Column(name, "", floats, np.array(refused, np.int64), infinite, texts=texts if label else None)
        form = calendar_format(texts[:example_rows])
        if form is not None:
            column.stamps, column.stamp_format = form.read(texts), form
        return column
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)):
        return None
    floats = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    finite, infinite = without_infinity(np.array(floats, dtype=np.float64))
    column = Column(name, "", finite, infinite=infinite)
    examples = floats[:example_rows]
    if name == time_column or (time_column is None and looks_like_time(name, examples, position)):
        form = number_format(examples, name)
        column.stamps = form.read_numbers(floats)
        if types.is_integer(kind):  # exact, where a float64 would round nanoseconds
            column.stamps = form.read_numbers(cells.fill_null(0).to_numpy(zero_copy_only=False))
            column.stamps[~cells.is_valid().to_numpy(zero_copy_only=False)] = NO_STAMP
        column.stamp_format = form
    return column

"""Text tables (CSV and its relatives), one file or many clips of one layout."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recordings.cells import is_missing, number, numbers
from shared.recordings.columns import Column, Table, without_infinity
from shared.recordings.layout import Layout, infer_layout
from shared.recordings.stamps import StampFormat, calendar_format, number_format
from shared.recordings.timing import looks_like_time

#: Rows of the healthy part that decide on layout and types; beyond that nothing new is learned about a format.
_EXAMPLE_ROWS = 2_000
_CHUNK_ROWS = 32_768
_LONGEST_LINE = 4_000_000


def read_text(
    paths: Sequence[Path], healthy_rows: int | None, ignore: Sequence[str], time_column: str | None, transpose: bool
) -> Table:
    """The columns of the files, clip after clip; layout and types come from the healthy part of the first file."""
    encoding = _encoding(paths[0], healthy_rows)
    # With a header the sample reaches one row into the healthy part only; without one it must not reach beyond it.
    example_lines = _EXAMPLE_ROWS if healthy_rows is None else min(_EXAMPLE_ROWS, max(healthy_rows, 2))
    sample = list(islice(_lines(paths[0], encoding, transpose), example_lines))
    if not sample:
        raise UsageError(f"{paths[0]} is empty; give a recording with at least one row of numbers")
    layout = infer_layout(sample)
    notes = [f"Text table, {layout.describe()}."]
    example_rows = _EXAMPLE_ROWS if healthy_rows is None else min(_EXAMPLE_ROWS, healthy_rows)
    examples = list(islice(_rows(paths, layout, encoding, transpose), example_rows))
    if not examples:
        raise UsageError(f"{paths[0]} has a header and no rows; give a recording with at least one row of numbers")
    plan = _Plan(layout, [row for _, row in examples], set(ignore), time_column)
    collected = _Collected(plan)
    starts: list[int] = []
    chunk: list[list[str]] = []
    for begins_clip, row in _rows(paths, layout, encoding, transpose):
        if begins_clip:
            starts.append(collected.rows + len(chunk))
        chunk.append(row)
        if len(chunk) >= _CHUNK_ROWS:
            collected.add(chunk)
            chunk = []
    collected.add(chunk)
    if collected.ragged:
        notes.append(f"{collected.ragged} rows had another number of cells than the {len(layout.names)} expected.")
    return Table(collected.columns(), collected.rows, starts, notes)


class _Plan:
    """What to do with each column, decided on the examples."""

    def __init__(
        self, layout: Layout, examples: Sequence[Sequence[str]], ignore: set[str], time_column: str | None
    ) -> None:
        self.layout = layout
        width = len(layout.names)
        cells = [[row[index] if index < len(row) else "" for row in examples] for index in range(width)]
        self.stamps: list[StampFormat | None] = [None] * width
        self.joined: list[bool] = [False] * width  # the next column holds the time of day of this date
        self.texts = [name in ignore for name in layout.names]
        self.hopeless = [False] * width
        for index, name in enumerate(layout.names):
            filled = [cell for cell in cells[index] if not is_missing(cell)]
            values = [number(cell, layout.decimal_comma) for cell in filled]
            readable = [value for value in values if value is not None]
            self.hopeless[index] = bool(filled) and not readable
            if len(readable) > len(filled) / 2:
                array = np.array(readable, dtype=np.float64)
                if name == time_column or (time_column is None and looks_like_time(name, array, index)):
                    self.stamps[index] = number_format(array, name)
            elif filled:
                self.stamps[index] = calendar_format(filled)
        for index in range(width - 1):
            first, second = self.stamps[index], self.stamps[index + 1]
            if first and second and second.order == "clock" and first.order != "clock" and not first.is_number:
                self.joined[index] = all(":" not in cell for cell in cells[index])


class _Collected:
    """Columns growing chunk by chunk."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        self.rows = 0
        self.ragged = 0
        width = len(plan.layout.names)
        self._numbers: list[list[NDArray[np.float64]]] = [[] for _ in range(width)]
        self._stamps: list[list[NDArray[np.int64]]] = [[] for _ in range(width)]
        self._refused: list[list[int]] = [[] for _ in range(width)]
        self._texts: list[list[str]] = [[] for _ in range(width)]

    def add(self, chunk: list[list[str]]) -> None:
        if not chunk:
            return
        plan, layout = self.plan, self.plan.layout
        width = len(layout.names)
        if set(map(len, chunk)) != {width}:
            self.ragged += sum(len(row) != width for row in chunk)
            chunk = [(row + [""] * (width - len(row)))[:width] for row in chunk]
        cells = list(zip(*chunk, strict=True))
        for index in range(width):
            form = plan.stamps[index]
            if form is not None:
                own: Sequence[str] = cells[index]
                if plan.joined[index]:
                    own = [f"{day.strip()} {clock.strip()}" for day, clock in zip(own, cells[index + 1], strict=True)]
                self._stamps[index].append(form.read(own, layout.decimal_comma))
            if plan.texts[index]:
                self._texts[index].extend(cells[index])
            elif plan.hopeless[index] or (form is not None and not form.is_number):
                self._numbers[index].append(np.full(len(chunk), np.nan))
                continue
            values, refused = numbers(cells[index], layout.decimal_comma)
            self._numbers[index].append(values)
            self._refused[index].extend(row + self.rows for row in refused)
        self.rows += len(chunk)

    def columns(self) -> list[Column]:
        columns = []
        for index, name in enumerate(self.plan.layout.names):
            values, infinite = without_infinity(np.concatenate(self._numbers[index]))
            stamps = np.concatenate(self._stamps[index]) if self._stamps[index] else None
            refused = np.array(self._refused[index], np.int64)
            column = Column(name, self.plan.layout.units[index], values, refused, infinite)
            column.stamps, column.stamp_format = stamps, self.plan.stamps[index]
            column.texts = self._texts[index] if self.plan.texts[index] else None
            columns.append(column)
            self._numbers[index] = []
        return columns


def _rows(paths: Sequence[Path], layout: Layout, encoding: str, transpose: bool) -> Iterator[tuple[bool, list[str]]]:
    """Every row's cells in the order of the layout's columns, and whether a clip begins with it."""
    for path in paths:
        begins = True
        order: list[int] | None = None
        cut, width = layout.cut, len(layout.names)
        for index, line in enumerate(_lines(path, encoding, transpose)):
            if index < layout.first_row:
                if index == layout.header_line and path != paths[0]:
                    order = _order(cut(line), layout)
                continue
            row = cut(line)
            if order is not None:
                row = [row[place] if 0 <= place < len(row) else "" for place in order]
            elif layout.separator is not None and len(row) == width + 1 and not row[-1].strip():
                row.pop()  # a separator after the last cell
            yield begins, row
            begins = False


def _order(header: Sequence[str], layout: Layout) -> list[int] | None:
    """Where each column of the layout stands in a file with this header; None when it is the same order."""
    own = [name.strip().strip('"').strip() for name in header]
    if own == list(layout.names) or len(set(own) & set(layout.names)) == 0:
        return None
    return [own.index(name) if name in own else -1 for name in layout.names]


def _lines(path: Path, encoding: str, transpose: bool) -> Iterator[str]:
    """The lines of a file, blank ones left out."""
    if transpose:
        yield from _turned(path, encoding)
        return
    try:
        with path.open(encoding=encoding, errors="replace") as file:
            for line in file:
                if not line.isspace():
                    yield line.rstrip("\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error


def _turned(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a file whose rows are the channels, turned so that its columns are."""
    lines = list(_lines(path, encoding, transpose=False))
    if not lines:
        return
    layout = infer_layout(lines)
    rows = [layout.cut(line) for line in lines]
    width = max(map(len, rows))
    for column in zip(*((row + [""] * (width - len(row))) for row in rows), strict=True):
        yield "\t".join(cell.strip().replace(",", ".") if layout.decimal_comma else cell.strip() for cell in column)


def _encoding(path: Path, healthy_rows: int | None) -> str:
    """UTF-8, UTF-16 or Latin-1, whichever the first lines are; binary data are refused."""
    limit = min(_EXAMPLE_ROWS, healthy_rows or _EXAMPLE_ROWS)
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
                return "utf-16"
            file.seek(0)
            head = b"".join(file.readline(_LONGEST_LINE) for _ in range(limit))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error
    if b"\0" in head or head[:2] == b"\x1f\x8b":
        raise UsageError(f"{path} is not a text table; give CSV, Parquet (.parquet) or NumPy (.npz, .npy)")
    if start[:3] == b"\xef\xbb\xbf":
        return "utf-8-sig"
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"

"""How a text table is written (separator, decimal sign, header), inferred from its first lines."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.recordings.cells import is_missing, number
from shared.recordings.stamps import calendar_format

#: Separators tried, in the order of preference; None is white space.
_SEPARATORS: tuple[str | None, ...] = (";", "\t", "|", ",", None)
#: A separator that no line contains: the table has one column.
ONE_COLUMN = "\n"
_UNIT = re.compile(r"(?P<name>.*?\S)\s*[\[(](?P<unit>[^\[\]()]{1,16})[\])]\s*")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the lines of a text table are cut into named cells.

    `first_row` counts the lines before the first row of data (blank lines are never counted); `header_line` is the
    line with the names, or None.
    """

    separator: str | None
    decimal_comma: bool
    first_row: int
    header_line: int | None
    names: tuple[str, ...]
    units: tuple[str, ...]

    def cut(self, line: str) -> list[str]:
        """The cells of one line."""
        return cut(line, self.separator)

    def describe(self) -> str:
        """A few words for the notes."""
        words = {None: "white space", "\t": "tab", ONE_COLUMN: "nothing (one column)"}
        sign = words.get(self.separator, self.separator)
        comma = ", decimal comma" if self.decimal_comma else ""
        return f"separated by {sign}{comma}, {'names from the header' if self.header_line is not None else 'no header'}"


def cut(line: str, separator: str | None) -> list[str]:
    """The cells of one line; a quoted cell may hold the separator.

    >>> cut('1;"2;3";4', ";"), cut(" 1   2 ", None)
    (['1', '2;3', '4'], ['1', '2'])
    """
    if separator is None:
        return line.split() if '"' not in line else [cell.strip('"') for cell in line.split()]
    if '"' in line and separator != ONE_COLUMN:
        try:
            return next(csv.reader([line], delimiter=separator, skipinitialspace=True))
        except (csv.Error, StopIteration):
            pass
    return line.split(separator)


def infer_layout(lines: Sequence[str]) -> Layout:
    """The layout that fits the given lines: the first ones of the file, blank lines left out, at least one.

    >>> layout = infer_layout(["time;x [g]", "2020-01-01 00:00:00;1,5", "2020-01-01 00:00:01;1,25"])
    >>> layout.separator, layout.decimal_comma, layout.names, layout.units
    (';', True, ('time', 'x [g]'), ('', 'g'))
    """
    skipped = _preamble(lines)
    body = lines[skipped:] or lines
    separator, decimal_comma = _separator(body)
    rows = [cut(line, separator) for line in body]
    widths = Counter(map(len, rows[1:] or rows))
    width = max(widths, key=lambda n: (widths[n], n))
    start = 0
    if width > 1:
        start = next(index for index, row in enumerate(rows) if len(row) >= width or len(row) == width - 1 > 1)
        if len(rows[start]) < width and not (_is_header(rows[start], rows[start + 1 :]) and start + 1 < len(rows)):
            start = next(index for index, row in enumerate(rows) if len(row) >= width)
    header = rows[start]
    if start + 1 >= len(rows) or not _is_header(header, rows[start + 1 :]):
        if start + 1 >= len(rows) and all(_kind(cell, decimal_comma) == "text" for cell in header if cell.strip()):
            names = _names(header, width)
            return Layout(separator, decimal_comma, skipped + start + 1, skipped + start, names, ("",) * len(names))
        return Layout(separator, decimal_comma, skipped + start, None, _names([], width), ("",) * width)
    following = rows[start + 1 :]
    if len(header) == width - 1 and any(row[-1].strip() for row in following if len(row) == width):
        header = ["", *header]  # the first column holds the rows' names and has none itself
    names = _names(header, width)
    units = [_unit(name) for name in names]
    first_row = start + 1
    if len(following) > 1 and _is_units(following[0], following[1:], decimal_comma):
        units = [cell.strip(" []()") for cell in following[0]] + [""] * (len(names) - len(following[0]))
        first_row += 1
    return Layout(separator, decimal_comma, skipped + first_row, skipped + start, names, tuple(units[: len(names)]))


def _preamble(lines: Sequence[str]) -> int:
    """How many leading lines are remarks ('# ...', '% ...') or a spreadsheet's 'sep=;'."""
    count = 0
    for line in lines:
        if not line.lstrip().startswith(("#", "%")) and not re.fullmatch(r'"?sep=.?"?', line.strip(), re.IGNORECASE):
            break
        count += 1
    if 0 < count < len(lines):  # '# time x y' right above the rows is their header, if it has as many words
        remark = lines[count - 1].lstrip("#% ")
        separator, _ = _separator(lines[count:])
        names, rows = cut(remark, separator), [cut(line, separator) for line in lines[count:]]
        if len(names) == len(rows[0]) > 1 and _is_header(names, rows):
            return count - 1
    return count


def _separator(lines: Sequence[str]) -> tuple[str | None, bool]:
    """The separator and whether decimals have a comma: what makes most cells numbers or dates, in rows of one width."""
    best: tuple[float, str | None, bool] = (0.0, ONE_COLUMN, False)
    for separator in _SEPARATORS:
        rows = [cut(line, separator) for line in lines]
        widths = Counter(len(row) for row in rows[1:] or rows)
        width = max(widths, key=lambda n: (widths[n], n))
        if width < 2:
            continue
        named_once = len(rows[0]) == 1 and len(rows) > 1 and _kind(rows[0][0], False) == "text"
        if separator == "," and width == 2 and named_once:
            continue  # one name above two cells: a column of decimal commas
        # The first line may be a header; it must not speak against the separator that cuts it like the others.
        share, comma = _readable([row for row in rows[1:] or rows if len(row) == width])
        share *= widths[width] / len(rows[1:] or rows)
        if share > best[0] + 1e-9:
            best = (share, separator, comma)
    if best[1] == ONE_COLUMN:
        return ONE_COLUMN, _readable([[line] for line in lines])[1]
    return best[1], best[2]


def _readable(rows: Sequence[Sequence[str]]) -> tuple[float, bool]:
    """Share of the cells that are numbers, dates or missing, and whether a decimal comma reads more of them."""
    dates = [calendar_format([row[column] for row in rows[:50]]) is not None for column in range(len(rows[0]))]
    shares = {}
    for comma in (False, True):
        good = sum(date or _kind(cell, comma) != "text" for row in rows for date, cell in zip(dates, row, strict=True))
        shares[comma] = good / max(1, sum(map(len, rows)))
    return max(shares.values()), shares[True] > shares[False]


def _kind(cell: str, decimal_comma: bool) -> str:
    """'number', 'missing' or 'text'; a comma counts as a decimal sign only between digits."""
    if is_missing(cell):
        return "missing"
    if decimal_comma and not re.fullmatch(r"\s*[+-]?\d*(,\d+)?([eE][+-]?\d+)?\s*", cell) and "," in cell:
        return "text"
    return "text" if number(cell, decimal_comma) is None else "number"


def _either(cell: str) -> bool:
    return _kind(cell, False) == "number" or _kind(cell, True) == "number" or calendar_format([cell]) is not None


def _is_header(row: Sequence[str], following: Sequence[Sequence[str]]) -> bool:
    """Whether some cell of the row is text above a column of numbers or dates."""

    def above(test: Callable[[str], bool], index: int) -> bool:
        cells = [other[index] for other in following[:50] if index < len(other) and not is_missing(other[index])]
        return len(cells) > 0 and sum(map(test, cells)) > 0.5 * len(cells)

    return any(not is_missing(cell) and not _either(cell) and above(_either, index) for index, cell in enumerate(row))


def _is_units(row: Sequence[str], following: Sequence[Sequence[str]], decimal_comma: bool) -> bool:
    """Whether the row below the names holds units: no number at all where the rows below it have numbers."""
    if any(_either(cell) for cell in row) or all(is_missing(cell) for cell in row):
        return False
    return _is_header(row, following)


def _names(header: Sequence[str], width: int) -> tuple[str, ...]:
    """One name per column, unique: empty ones are called by their position, repeated ones are numbered.

    >>> _names(["a", "", "a"], 4)
    ('a', 'column_2', 'a_2', 'column_4')
    """
    names: list[str] = []
    for index in range(max(width, len(header))):
        name = header[index].strip().strip('"').strip() if index < len(header) else ""
        name = name or f"column_{index + 1}"
        repeat = 2
        unique = name
        while unique in names:
            unique = f"{name}_{repeat}"
            repeat += 1
        names.append(unique)
    return tuple(names)


def _unit(name: str) -> str:
    match = _UNIT.fullmatch(name)
    return match["unit"].strip() if match else ""

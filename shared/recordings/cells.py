"""Cells of a text table read as numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: What people write where there is no value (compared in lower case, without surrounding space).
MISSING_WORDS = frozenset(
    ["", "nan", "+nan", "-nan", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "nat", "missing"]
) | {"-", "--", "?", "."}
_TRUTH = {"true": 1.0, "false": 0.0}


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value.

    >>> is_missing(" N/A "), is_missing("0")
    (True, False)
    """
    return cell.strip().lower() in MISSING_WORDS


def number(cell: str, decimal_comma: bool) -> float | None:
    """The number in a cell: NaN when it is missing, None when it is some other text.

    >>> number("1,5", decimal_comma=True), number("1.5e3", decimal_comma=False), number("open", decimal_comma=False)
    (1.5, 1500.0, None)
    """
    cell = cell.strip()
    if decimal_comma:
        if cell.count(",") > 1:
            return None
        cell = cell.replace(",", ".")
    if "_" not in cell:  # Python reads 1_000 as a number, no measuring instrument writes it
        try:
            return float(cell)
        except ValueError:
            pass
    word = cell.lower()
    if word in MISSING_WORDS:
        return float("nan")
    return _TRUTH.get(word)


def numbers(cells: Sequence[str], decimal_comma: bool) -> tuple[NDArray[np.float64], list[int]]:
    """A column of cells as float64 of shape (rows,), and the rows whose text is not a number (NaN there).

    >>> numbers(["1", "", "off"], decimal_comma=False)
    (array([ 1., nan, nan]), [2])
    """
    try:
        return np.array(list(map(float, _plain(cells, decimal_comma))), dtype=np.float64), []
    except ValueError:
        pass
    values = np.empty(len(cells), dtype=np.float64)
    refused: list[int] = []
    for row, cell in enumerate(cells):
        value = number(cell, decimal_comma)
        if value is None:
            refused.append(row)
            value = float("nan")
        values[row] = value
    return values, refused


def _plain(cells: Sequence[str], decimal_comma: bool) -> Sequence[str]:
    """The cells as float() wants them; ValueError when one of them must be looked at singly."""
    together = "\n".join(cells)
    if "_" in together:
        raise ValueError
    if decimal_comma and "," in together:
        return together.replace(",", ".").split("\n")
    return cells

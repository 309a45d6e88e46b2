"""Columns of a table as they come from a file of any kind, before anyone decides which are channels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.recordings.stamps import StampFormat


@dataclass(eq=False)
class Column:
    """One column of all clips together.

    Attributes
    ----------
    numbers
        float64, shape (rows,): NaN where missing, infinite or not a number.
    refused
        int64: rows whose text is not a number; infinities are in `infinite`.
    stamps
        int64, shape (rows,): UTC nanoseconds when the column may be the time, else None.
    texts
        The cells as written, kept for labels only.
    """

    name: str
    unit: str
    numbers: NDArray[np.float64]
    refused: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    infinite: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    stamps: NDArray[np.int64] | None = None
    stamp_format: StampFormat | None = None
    texts: Sequence[Any] | None = None

    def is_numeric(self, healthy_rows: int) -> bool:
        """Whether the healthy part holds numbers, and no more other text than numbers."""
        good = int(np.isfinite(self.numbers[:healthy_rows]).sum())
        return good > 0 and int((self.refused < healthy_rows).sum()) <= good

    def label(self) -> NDArray[Any]:
        """The column for a summary: numbers if every cell is one, else text."""
        if len(self.refused) == 0 or self.texts is None:
            return self.numbers
        return np.array([str(text).strip() for text in self.texts])


@dataclass(eq=False)
class Table:
    """All columns of a recording, with the rows at which a clip begins and what was noticed on the way."""

    columns: list[Column]
    rows: int
    clip_starts: list[int]
    notes: list[str]
    sample_rate_hz: float | None = None
    start_ns: int | None = None


def without_infinity(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The values with NaN for each infinity, and the rows where one was."""
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        values = values.copy()
        values[infinite] = np.nan
    return values, infinite

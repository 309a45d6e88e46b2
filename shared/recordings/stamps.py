"""Time stamps as people write them: the format inferred from examples, then read to UTC nanoseconds.

A stamp without a zone counts as UTC. What cannot be read is `NO_STAMP`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.recordings.cells import is_missing
from shared.recordings.recording import UNKNOWN_START_NS
from shared.recordings.uniform import read_uniform

NO_STAMP = -(2**63)
_LIMIT_NS = 2**63 - 1
_SECOND_NS = 1_000_000_000
_DAY_S = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
#: Share of the example cells that must follow a format.
_AGREE = 0.9

_DATES = {
    "ymd": r"(?P<a>\d{4})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<c>\d{1,2})",
    "ymd compact": r"(?P<a>\d{4})(?P<b>\d{2})(?P<c>\d{2})",
    "dmy": r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<c>\d{4}|\d{2})",
    "mdy": r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<c>\d{4}|\d{2})",
    "d name y": r"(?P<a>\d{1,2})[-/. ](?P<b>[A-Za-z]{3,9})\.?[-/, ]+(?P<c>\d{4})",
    "name d y": r"(?P<a>[A-Za-z]{3,9})\.? (?P<b>\d{1,2}),? (?P<c>\d{4})",
    "clock": r"",
}
_CLOCK = (
    r"(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<sec>\d{2})(?:[.,](?P<f>\d{1,9})\d*)?)?\s*(?P<half>[AaPp][Mm])?"
    r"\s*(?P<zone>Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
)
_PATTERNS = {
    order: re.compile(_CLOCK if order == "clock" else rf"{text}(?:(?:[T ]|,? +){_CLOCK})?")
    for order, text in _DATES.items()
}
_PATTERNS["ymd compact"] = re.compile(
    _DATES["ymd compact"] + r"[T ]?(?P<h>\d{2}):?(?P<m>\d{2})(?::?(?P<sec>\d{2})(?:[.,](?P<f>\d{1,9})\d*)?)?"
    r"(?P<half>[AaPp][Mm])?(?P<zone>Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
)
_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6}
_MONTHS |= {"jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}
_UNITS = (
    (("ms", "msec", "millis", "milliseconds"), 1_000_000),
    (("us", "µs", "μs", "micros", "microseconds"), 1_000),
    (("ns", "nanoseconds"), 1),
    (("min", "minutes"), 60 * _SECOND_NS),
    (("h", "hours"), 3600 * _SECOND_NS),
)


@dataclass(frozen=True, slots=True)
class StampFormat:
    """How the stamps of a column are written.

    `order` is one of the calendar orders above, or 'epoch' (a number of `unit_ns` since 1970) or 'elapsed' (a number
    of `unit_ns` since an unknown start, taken as 2000-01-01T00:00:00Z).
    """

    order: str
    unit_ns: int = 1

    @property
    def is_number(self) -> bool:
        """Whether the cells are plain numbers."""
        return self.order in ("epoch", "elapsed")

    def describe(self) -> str:
        """A few words for the notes."""
        unit = {1: "ns", 1_000: "us", 1_000_000: "ms", _SECOND_NS: "s"}.get(self.unit_ns, "")
        return {
            "ymd": "dates written year first",
            "ymd compact": "dates written year first",
            "dmy": "dates written day first",
            "mdy": "dates written month first",
            "d name y": "dates with the month's name",
            "name d y": "dates with the month's name",
            "clock": "times of day, taken as of 2000-01-01",
            "epoch": f"{unit} since 1970",
            "elapsed": f"elapsed {unit}, taken from 2000-01-01T00:00:00Z",
        }[self.order]

    def read(self, cells: Sequence[str], decimal_comma: bool = False) -> NDArray[np.int64]:
        """UTC nanoseconds of shape (rows,); `NO_STAMP` where a cell does not follow the format.

        >>> StampFormat("dmy").read(["09.03.2020 10:14:33,5", "?"]).tolist() == [1583748873500000000, NO_STAMP]
        True
        """
        if self.is_number:
            base = 0 if self.order == "epoch" else UNKNOWN_START_NS
            counted = (_counted(cell, self.unit_ns, base, decimal_comma) for cell in cells)
            return np.fromiter(counted, np.int64, len(cells))
        pattern = _PATTERNS[self.order]
        match = pattern.fullmatch(cells[0]) if cells else None
        if match is not None and (first_ns := _calendar(cells[0], pattern, self.order)) != NO_STAMP:
            together = read_uniform(cells, match, self.order, first_ns)
            if together is not None:
                return together
        return np.fromiter((_calendar(cell, pattern, self.order) for cell in cells), np.int64, len(cells))

    def read_numbers(self, numbers: NDArray[np.generic]) -> NDArray[np.int64]:
        """Like `read`, from an array of numbers; integers stay exact."""
        base = 0 if self.order == "epoch" else UNKNOWN_START_NS
        if numbers.dtype.kind in "iu":
            return np.fromiter((_bounded(int(n) * self.unit_ns + base) for n in numbers), np.int64, len(numbers))
        scaled = np.rint(numbers.astype(np.float64) * self.unit_ns)
        good = np.isfinite(scaled) & (np.abs(scaled) < 2.0**62)
        stamps = np.full(len(numbers), NO_STAMP, dtype=np.int64)
        stamps[good] = scaled[good].astype(np.int64) + base
        return stamps


def calendar_format(examples: Sequence[str]) -> StampFormat | None:
    """The calendar or clock format that the examples follow; None when they follow none.

    Day first or month first: whatever the examples leave possible; when both are, the reading with the steadier steps,
    and of two equals day first.

    >>> calendar_format(["2020-03-09 10:14:33", "2020-03-09 10:14:34"]).order
    'ymd'
    >>> calendar_format(["03/13/2020 10:14", "03/14/2020 10:14"]).order
    'mdy'
    """
    cells = [cell for cell in examples if not is_missing(cell)]
    if not cells:
        return None
    fitting: list[tuple[float, StampFormat]] = []
    for order in _DATES:
        form = StampFormat(order)
        if order == "ymd compact" and all(cell.strip().isdigit() for cell in cells):
            continue  # a plain number, until someone names it as the time
        stamps = form.read(cells)
        good = stamps[stamps != NO_STAMP]
        if len(good) >= _AGREE * len(cells):
            steps = np.diff(good).astype(np.float64)
            fitting.append((float(np.median(np.abs(steps - np.median(steps)))) if len(steps) else 0.0, form))
            if len(steps) and np.mean(steps < 0) > 0.5:
                fitting[-1] = (float("inf"), form)
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None


def number_format(examples: NDArray[np.generic], hint: str) -> StampFormat:
    """How numbers tell the time: since 1970 when their size says so, else elapsed, in the unit of `hint` or seconds.

    >>> number_format(np.array([1583748873000]), "time")
    StampFormat(order='epoch', unit_ns=1000000)
    >>> number_format(np.array([0.0, 0.005]), "time_ms")
    StampFormat(order='elapsed', unit_ns=1000000)
    """
    finite = np.abs(examples.astype(np.float64))
    finite = finite[np.isfinite(finite)]
    size = float(np.median(finite)) if len(finite) else 0.0
    for limit, unit_ns in ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000), (1e8, _SECOND_NS)):
        if size >= limit:
            return StampFormat("epoch", unit_ns)
    words = re.findall(r"[a-zµμ]+", hint.lower())
    for spellings, unit_ns in _UNITS:
        if any(word in spellings for word in words):
            return StampFormat("elapsed", unit_ns)
    return StampFormat("elapsed", _SECOND_NS)


def _bounded(stamp: int) -> int:
    return stamp if -_LIMIT_NS <= stamp <= _LIMIT_NS else NO_STAMP


def _counted(cell: str, unit_ns: int, base: int, decimal_comma: bool) -> int:
    cell = cell.strip()
    if cell.isdecimal():
        return _bounded(int(cell) * unit_ns + base)
    try:
        value = Decimal(cell.replace(",", ".") if decimal_comma else cell)
    except InvalidOperation:
        return NO_STAMP
    if not value.is_finite() or value.adjusted() > 30:
        return NO_STAMP
    return _bounded(int((value * unit_ns).to_integral_value()) + base)


@lru_cache(maxsize=4096)
def _days(first: str, second: str, third: str, order: str) -> int | None:
    """Days since 1970 of a date's three parts; None when there is no such day."""
    if order in ("dmy", "d name y"):
        day, month, year = first, second, third
    elif order in ("mdy", "name d y"):
        month, day, year = first, second, third
    else:
        year, month, day = first, second, third
    month_number = int(month) if month.isdecimal() else _MONTHS.get(month[:3].lower(), 0)
    try:
        return date(int(year) + (2000 if len(year) == 2 else 0), month_number, int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


def _calendar(cell: str, pattern: re.Pattern[str], order: str) -> int:
    match = pattern.fullmatch(cell.strip())
    if match is None:
        return NO_STAMP
    if order == "clock":
        days: int | None = UNKNOWN_START_NS // _SECOND_NS // _DAY_S
    else:
        days = _days(match["a"], match["b"], match["c"], order)
    if days is None:
        return NO_STAMP
    hour_text, minute, second, fraction, half, zone = match.group("h", "m", "sec", "f", "half", "zone")
    if hour_text is None:
        return days * _DAY_S * _SECOND_NS
    hour = int(hour_text)
    if half is not None:
        if not 1 <= hour <= 12:
            return NO_STAMP
        hour = hour % 12 + (12 if half in ("PM", "pm", "Pm", "pM") else 0)
    seconds = hour * 3600 + int(minute) * 60 + (int(second) if second else 0)
    if hour > 24 or int(minute) > 59 or (second and int(second) > 60) or seconds > _DAY_S:
        return NO_STAMP
    if zone and zone[0] in "+-":
        shift = int(zone[1:3]) * 3600 + (int(zone[-2:]) * 60 if len(zone) > 3 else 0)
        seconds -= shift if zone[0] == "+" else -shift
    nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
    return _bounded((days * _DAY_S + seconds) * _SECOND_NS + nanoseconds)

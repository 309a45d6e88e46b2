"""Time stamps that all have the shape of the first one, read together: the same result as one by one, much sooner."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Years within which nanoseconds fit in 64 bits with room to spare for any zone.
_YEARS = (1700, 2250)


def read_uniform(cells: Sequence[str], match: re.Match[str], order: str, first_ns: int) -> NDArray[np.int64] | None:
    """UTC nanoseconds of cells that differ from the first one only in their digits; None when some cell does not.

    `match` is the first cell's match with groups a, b, c (the date's parts in `order`), h, m, sec, f (fraction) and
    half; `first_ns` is what the first cell means, from which the zone is taken.
    """
    length = len(cells[0])
    if order not in ("ymd", "ymd compact", "dmy", "mdy") or match["half"] or match.end() != length:
        return None
    text = "".join(cells)
    if not text.isascii() or any(len(cell) != length for cell in cells):
        return None
    characters = np.frombuffer(text.encode("ascii"), dtype=np.uint8).reshape(-1, length)
    spans = {group: match.span(group) for group in ("a", "b", "c", "h", "m", "sec", "f") if match[group]}
    digit = np.zeros(length, dtype=bool)
    for begin, end in spans.values():
        digit[begin:end] = True
    if (characters[:, ~digit] != characters[0, ~digit]).any():
        return None
    digits = characters[:, digit].astype(np.int64) - ord("0")
    if ((digits < 0) | (digits > 9)).any():
        return None
    place = np.cumsum(digit) - 1

    def number(group: str) -> NDArray[np.int64]:
        value = np.zeros(len(cells), dtype=np.int64)
        begin, end = spans.get(group, (0, 0))
        for position in range(begin, end):
            value = value * 10 + digits[:, place[position]]
        return value

    names = {"dmy": "cba", "mdy": "cab"}.get(order, "abc")
    year, month, day = (number(name) for name in names)
    if spans[names[0]][1] - spans[names[0]][0] == 2:
        year = year + 2000
    hour, minute, second = number("h"), number("m"), number("sec")
    # Whatever is unusual (a leap second, the hour 24, no such day) is left to the reading one by one.
    if (year < _YEARS[0]).any() or (year > _YEARS[1]).any() or (month < 1).any() or (month > 12).any():
        return None
    if (hour > 23).any() or (minute > 59).any() or (second > 59).any() or (day < 1).any():
        return None
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if (days.astype("datetime64[M]") != months).any():
        return None
    fraction = number("f") * 10 ** (9 - (spans["f"][1] - spans["f"][0])) if "f" in spans else 0
    seconds = days.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second
    stamps: NDArray[np.int64] = seconds * 1_000_000_000 + fraction
    stamps += first_ns - int(stamps[0])
    return stamps

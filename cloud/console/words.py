"""Numbers and times as people read them."""

from datetime import UTC, datetime

_UNITS = ("B", "kB", "MB", "GB", "TB")


def duration(seconds: float) -> str:
    """A length of time in its largest unit.

    >>> duration(0.4), duration(59), duration(150), duration(7200), duration(200_000)
    ('0 s', '59 s', '2 min', '2 h', '2 days')
    """
    for limit, divisor, unit in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{int(max(seconds, 0.0)) // divisor} {unit}"
    return f"{int(seconds) // 86_400} days"


def moment(time_ns: int) -> str:
    """A time, UTC, to the second.

    >>> moment(1_700_000_000_000_000_000)
    '2023-11-14 22:13:20'
    """
    try:
        return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"


def score(value: float | None) -> str:
    """A score with two decimals, a dash for none.

    >>> score(0.994), score(None), score(123.4)
    ('0.99', '\N{EN DASH}', '123')
    """
    if value is None:
        return "\N{EN DASH}"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def count(value: int) -> str:
    """A number with its thousands apart.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def size(value: int) -> str:
    """Bytes in a readable unit.

    >>> size(999), size(92_186), size(5_000_000)
    ('999 B', '92.2 kB', '5.0 MB')
    """
    number, unit = float(value), _UNITS[0]
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            break
        number /= 1000
    return f"{value} B" if unit == "B" else f"{number:.1f} {unit}"

"""Reasons in sentences that an operator can check against the machine."""

import math
from datetime import UTC, datetime

from shared.identity import Channel
from shared.messages.codec import Reason


def slow_mean(channel: Channel, distance: float, observed: float, expected: float) -> Reason:
    """A channel far from its healthy mean.

    >>> slow_mean(Channel("flow", "l/s", 0.0, 1.0), -4.2, 12.34567, 20.0).sentence
    'flow is 4.2 deviations below normal: 12.35 l/s, expected 20 l/s'
    """
    sentence = f"{channel.name} is {times(distance)}: {_value(channel, observed)}, expected {_value(channel, expected)}"
    return Reason(channel.name, "mean", distance, sentence)


def slow_relation(channel: Channel, distance: float, observed: float, expected: float) -> Reason:
    """A channel near its healthy mean, but far from what the others let expect."""
    sentence = (
        f"{channel.name} does not fit the other channels by {abs(distance):.1f} deviations: "
        f"{_value(channel, observed)}, expected {_value(channel, expected)}"
    )
    return Reason(channel.name, "mean", distance, sentence)


def slow_deviation(channel: Channel, distance: float, spread: float) -> Reason:
    """A channel that varies more, or less, than while it was healthy; `spread` in natural logarithms."""
    ratio = math.exp(min(abs(distance * spread), 20.0))
    change = "more" if distance > 0 else "less"
    return Reason(channel.name, "deviation", distance, f"{channel.name} varies {ratio:.1f} times {change} than normal")


def fast_feature(channel: Channel, name: str, hertz: tuple[float, float] | None, distance: float) -> Reason:
    """A feature of a fast channel, and the part of the spectrum that it holds.

    >>> fast_feature(Channel("axial", "g", 0.0, 1.0), "band-3", (300.0, 400.0), 6.0).sentence
    'band-3 (300 to 400 Hz) of axial is 6.0 deviations above normal'
    """
    return Reason(channel.name, name, distance, f"{name}{part_of(hertz)} of {channel.name} is {times(distance)}")


def part_of(hertz: tuple[float, float] | None) -> str:
    """A part of a spectrum in brackets; nothing for none."""
    return "" if hertz is None else f" ({hertz[0]:.4g} to {hertz[1]:.4g} Hz)"


def lost(channel: Channel, since_ns: int) -> Reason:
    """A channel without values."""
    return Reason(channel.name, "missing", 0.0, f"{channel.name} is missing: no value since {moment(since_ns)} UTC")


def moment(time_ns: int) -> str:
    """A time to the second, UTC.

    >>> moment(1_700_000_000_000_000_000)
    '2023-11-14 22:13:20'
    """
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def times(distance: float) -> str:
    """A distance in words."""
    return f"{abs(distance):.1f} deviations {'above' if distance >= 0 else 'below'} normal"


def _value(channel: Channel, value: float) -> str:
    return f"{value:.4g} {channel.unit}" if channel.unit else f"{value:.4g}"

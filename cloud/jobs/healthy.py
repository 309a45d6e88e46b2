"""Which times of an asset are not healthy, by its alarms: no reading of any of its devices then is trained on.

An alarm begins once its evidence is complete, and the fault before that. So each span begins a margin earlier: 300 s
or 50 readings of the slowest device of the asset, whichever is longer. The evidence of a gateway gathers over 5 to 30
readings. A fault that grows for longer than the margin is only found by its flagged readings, which are left out too.
"""

from collections.abc import Iterable

from cloud.storage.relational import AlarmRow, DeviceRow

MARGIN_SECONDS = 300.0
MARGIN_READINGS = 50
_LEAST_NS, _GREATEST_NS = -(2**63), 2**63 - 1


def margin_ns(devices: Iterable[DeviceRow]) -> int:
    """How long before an alarm the readings of an asset with these devices count as faulty, ns."""
    intervals = [row.hop / row.sample_rate_hz for row in devices if row.sample_rate_hz > 0.0]
    return round(max(MARGIN_SECONDS, MARGIN_READINGS * max(intervals, default=0.0)) * 1e9)


def unhealthy_spans(alarms: Iterable[AlarmRow], margin: int) -> list[tuple[int, int]]:
    """First and last time (ns, both belong to it) of each span that alarms make unhealthy, in order and apart.

    An alarm that lasts takes everything since. Parameters: alarms of one asset, `margin` before each in ns.
    """
    spans: list[tuple[int, int]] = []
    for begin, end in sorted(
        (
            max(alarm.begin_ns - margin, _LEAST_NS),
            _GREATEST_NS if alarm.end_ns is None else min(alarm.end_ns, _GREATEST_NS),
        )
        for alarm in alarms
    ):
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((begin, end))
    return spans

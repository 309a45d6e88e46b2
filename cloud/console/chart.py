"""The score trend as options of ECharts: the line, the threshold, the spans of the alarms."""

from typing import Any

from cloud.api.alarms import Alarm
from cloud.api.devices import History

LINE, THRESHOLD, SPAN, INK, GRID = "#1f5fa8", "#b3261e", "rgba(179, 38, 30, 0.14)", "#4a5560", "#e3e7eb"


def _milliseconds(time_ns: int) -> int:
    return time_ns // 1_000_000


def empty_chart() -> dict[str, Any]:
    """Axes, the threshold at 1, and no data yet."""
    return {
        "animation": False,
        "useUTC": True,
        "grid": {"left": 44, "right": 18, "top": 16, "bottom": 30},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {
            "type": "time",
            "axisLabel": {"color": INK, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": GRID}},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "max": 1.5,
            "axisLabel": {"color": INK},
            "splitLine": {"lineStyle": {"color": GRID}},
        },
        "series": [
            {
                "name": "score",
                "type": "line",
                "showSymbol": False,
                "data": [],
                "lineStyle": {"width": 1.6, "color": LINE},
                "itemStyle": {"color": LINE},
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "lineStyle": {"color": THRESHOLD, "type": "dashed", "width": 1.2},
                    "label": {"formatter": "threshold", "position": "insideStartTop", "color": THRESHOLD},
                    "data": [{"yAxis": 1}],
                },
                "markArea": {"silent": True, "itemStyle": {"color": SPAN}, "data": []},
            }
        ],
    }


def draw(options: dict[str, Any], history: History, alarms: list[Alarm]) -> None:
    """Put a device's history and the alarms it began into the options of `empty_chart`.

    A bucket is drawn by its highest score, so that no peak is hidden; the axis leaves room above it.
    """
    series = options["series"][0]
    series["data"] = [[_milliseconds(point.time_ns), _rounded(point.score_max)] for point in history.points]
    peak = max((point.score_max for point in history.points if point.score_max is not None), default=0.0)
    options["yAxis"]["max"] = axis_top(peak)
    first = history.points[0].time_ns if history.points else history.from_ns
    last = history.points[-1].time_ns if history.points else history.to_ns
    spans = []
    for alarm in alarms:
        end = last if alarm.end_ns is None else alarm.end_ns
        if alarm.device == history.device and alarm.begin_ns <= last and end >= first:
            spans.append(
                [{"xAxis": _milliseconds(max(alarm.begin_ns, first))}, {"xAxis": _milliseconds(min(end, last))}]
            )
    series["markArea"]["data"] = spans


def axis_top(peak: float) -> float:
    """A round number above `peak` that keeps the threshold in sight.

    >>> axis_top(0.4), axis_top(1.7), axis_top(9.9), axis_top(123.0)
    (1.5, 2.0, 12.0, 150.0)
    """
    wanted = max(peak * 1.1, 1.5)
    magnitude = 1.0
    while wanted > 10.0 * magnitude:
        magnitude *= 10.0
    return next(
        step * magnitude
        for step in (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
        if step * magnitude >= wanted
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

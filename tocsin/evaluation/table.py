"""A result as a table: for a terminal, and as Markdown for a page."""

from typing import Any

#: Columns by exam; those of other exams get the usual ones.
_USUAL = ("roc_auc", "average_precision", "vus_pr", "f1", "false_alarm_rate", "missed_alarm_rate", "delay_seconds")
COLUMNS = {
    "NAB": ("nab_standard", "nab_reward_low_FP", "nab_reward_low_FN", "nab_standard_fitted", "roc_auc"),
    "TEP": ("detection_rate_at_1_percent", *_USUAL),
    "FEMTO": ("first_alarm_share_of_life", "realised_false_alarms", "delay_seconds"),
}
TITLES = {
    "roc_auc": "AUC",
    "average_precision": "AP",
    "vus_pr": "VUS-PR",
    "f1": "F1",
    "false_alarm_rate": "false alarms",
    "missed_alarm_rate": "missed",
    "delay_seconds": "delay, s",
    "nab_standard": "standard",
    "nab_reward_low_FP": "low FP",
    "nab_reward_low_FN": "low FN",
    "nab_standard_fitted": "standard, fitted",
    "detection_rate_at_1_percent": "found at 1 %, fitted",
    "first_alarm_share_of_life": "first alarm, share of life",
    "realised_false_alarms": "false alarms a day",
}
_PERCENT = {"false_alarm_rate", "missed_alarm_rate"}
_PLAIN = {"delay_seconds", "nab_standard", "nab_reward_low_FP", "nab_reward_low_FN", "nab_standard_fitted"}


def columns_of(exam: str) -> tuple[str, ...]:
    """The figures that a table of an exam shows."""
    return COLUMNS.get(exam, _USUAL)


def shown(name: str, row: dict[str, Any], *, interval: bool = True) -> str:
    """One figure for people, with its interval; empty where there is none.

    >>> shown("roc_auc", {"roc_auc": 0.91234, "roc_auc_interval": [0.85, 0.951]})
    '.912 (.850-.951)'
    """
    value = row.get(name)
    if value is None:
        return ""
    bounds = row.get(f"{name}_interval")
    text = _number(name, value)
    if interval and bounds:
        text += f" ({_number(name, bounds[0])}-{_number(name, bounds[1])})"
    return text


def _number(name: str, value: float) -> str:
    if name in _PERCENT:
        return f"{100 * value:.1f} %"
    if name in _PLAIN:
        return f"{value:.1f}"
    return f"{value:.3f}".removeprefix("0") if 0.0 <= value < 1.0 else f"{value:.3f}"


def label_of(row: dict[str, Any]) -> str:
    """Who made a row: what a plant runs by default, a baseline, or others."""
    if row["published"]:
        return f"{row['detector']} (published{', ' + row['remark'] if row.get('remark') else ''})"
    if row["tier"] == "baseline":
        return f"baseline: {row['detector']}"
    return f"{row['detector']}, {row['tier']}"


def markdown(result: dict[str, Any], exam: str) -> list[str]:
    """Lines of a Markdown table of an exam; what a plant runs by default is bold."""
    names = columns_of(exam)
    lines = [
        "| " + " | ".join(["detector", *(TITLES[name] for name in names)]) + " |",
        "|" + "---|" * (len(names) + 1),
    ]
    for row in (row for row in result["rows"] if row["exam"] == exam):
        label = f"**{label_of(row)}**" if row["deployed"] else label_of(row)
        lines.append("| " + " | ".join([label, *(shown(name, row) for name in names)]) + " |")
    return lines


def terminal(result: dict[str, Any], exam: str) -> list[str]:
    """Lines of a plain table of an exam, with aligned columns."""
    names = columns_of(exam)
    table = [["detector", *(TITLES[name] for name in names)]]
    table += [
        [label_of(row), *(shown(name, row, interval=False) for name in names)]
        for row in result["rows"]
        if row["exam"] == exam
    ]
    widths = [max(len(line[place]) for line in table) for place in range(len(names) + 1)]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]

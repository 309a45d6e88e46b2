"""A result as a table: for a terminal, and as Markdown for a page."""

from typing import Any

from tocsin.evaluation.budget import LINES
from tocsin.evaluation.exams.budget import SIZES

#: Columns by exam; those of other exams get the usual ones.
_EVENTS = ("delay_seconds", "events_at_one_false_alarm_a_day", "realised_false_alarms")
_USUAL = ("roc_auc", "average_precision", "vus_pr", "f1", "false_alarm_rate", "missed_alarm_rate", *_EVENTS)
COLUMNS = {
    "NAB": (
        "nab_standard",
        "nab_reward_low_FP",
        "nab_reward_low_FN",
        "nab_standard_fitted",
        "nab_reward_low_FP_fitted",
        "nab_reward_low_FN_fitted",
        "roc_auc",
    ),
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
    "nab_reward_low_FP_fitted": "low FP, fitted",
    "nab_reward_low_FN_fitted": "low FN, fitted",
    "detection_rate_at_1_percent": "found at 1 %, fitted",
    "first_alarm_share_of_life": "first alarm, share of life",
    "realised_false_alarms": "false alarms a day, realised",
    "events_at_one_false_alarm_a_day": "events at one false alarm a day, fitted",
}
_PERCENT = {"false_alarm_rate", "missed_alarm_rate"}
_PLAIN = {
    "delay_seconds",
    "nab_standard",
    "nab_reward_low_FP",
    "nab_reward_low_FN",
    *(f"nab_{profile}_fitted" for profile in ("standard", "reward_low_FP", "reward_low_FN")),
}


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
    if name == "events_at_one_false_alarm_a_day":
        return f"{value} of {row['events']}"
    bounds = row.get(f"{name}_interval")
    text = number(name, value)
    if interval and bounds:
        text += f" ({number(name, bounds[0])}-{number(name, bounds[1])})"
    return text


def number(name: str, value: float) -> str:
    """A figure of this name for people."""
    if name in _PERCENT or name.startswith(("flagged_after", "provisional_after", "kept_after")):
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


def grid(result: dict[str, Any], exam: str, *, interval: bool, bold: str = "") -> list[list[str]]:
    """A table of an exam, its head first; the label of what a plant runs by default stands between `bold`."""
    rows = [row for row in result["rows"] if row["exam"] == exam]
    labels = [f"{bold}{label_of(row)}{bold}" if row["deployed"] else label_of(row) for row in rows]
    if exam == "BUDGET":
        return _by_size(rows, labels, interval=interval)
    names = columns_of(exam)
    head = ["detector", *(TITLES[name] for name in names)]
    return [head] + [
        [label, *(shown(name, row, interval=interval) for name in names)]
        for label, row in zip(labels, rows, strict=True)
    ]


def _by_size(rows: list[dict[str, Any]], labels: list[str], *, interval: bool) -> list[list[str]]:
    """Figures by the number of healthy rows, one kind of them under another; the recipe has all kinds."""
    table = [["healthy rows", *(f"{size:,}" for size in SIZES)]]
    for kind, title in LINES:
        for row, label in zip(rows, labels, strict=True):
            if row["tier"] != "baseline" or kind == "flagged":
                names = [f"{kind}_after_{size}_rows" for size in SIZES]
                table.append([f"{label}: {title}", *(shown(name, row, interval=interval) for name in names)])
    return table


def markdown(result: dict[str, Any], exam: str) -> list[str]:
    """Lines of a Markdown table of an exam; what a plant runs by default is bold."""
    head, *lines = grid(result, exam, interval=True, bold="**")
    return [_line(head), "|" + "---|" * len(head), *map(_line, lines)]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def terminal(result: dict[str, Any], exam: str) -> list[str]:
    """Lines of a plain table of an exam, with aligned columns."""
    table = grid(result, exam, interval=False)
    widths = [max(len(line[place]) for line in table) for place in range(len(table[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]

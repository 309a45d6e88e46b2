"""A short table of a result: what is to be reached, what is, what those who know nothing reach, what others did."""

from dataclasses import dataclass
from typing import Any

from tocsin.evaluation.table import number


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure of an exam that is to be reached. `trial`: of this recording alone. `baselines`: whether a baseline's
    figure says anything: who never flags has no false alarms. `published`: whose figure stands beside ours, the best if
    none is named, no one's if None."""

    exam: str
    what: str
    figure: str
    reach: str
    trial: str = ""
    lower: bool = False
    baselines: bool = True
    published: str | None = ""


GOALS = (
    Goal("SKAB", "F1", "f1", "at least .85"),
    Goal("SKAB", "false alarms", "false_alarm_rate", "at most 10 %", lower=True, baselines=False, published="Conv-AE"),
    Goal("SKAB", "mean AUC", "roc_auc", "at least .92"),
    Goal(
        "NAB", "standard score, threshold fitted on labels as the protocol does", "nab_standard_fitted", "at least 76"
    ),
    Goal("NAB", "standard score of our own alarms, nothing fitted", "nab_standard", "", published=None),
    Goal("SMD", "AUC", "roc_auc", "at least .90"),
    Goal("SMD", "average precision", "average_precision", "at least .50"),
    Goal("FAN", "AUC, all speeds pooled", "roc_auc", "at least .95", "all speeds"),
    Goal(
        "FAN-SESSIONS",
        "AUC, fault (before the move, by the calibration of then) against the moved fan",
        "roc_auc",
        "",
        "moved, weight before",
    ),
    Goal(
        "FAN-SESSIONS",
        "the same, the fault of the old place judged by the new calibration",
        "roc_auc",
        "at least .70",
        "moved, weight behind",
    ),
    Goal(
        "FAN-SESSIONS",
        "false alarms of the moved fan",
        "false_alarm_rate",
        "at most 3 %",
        "moved, weight before",
        lower=True,
        baselines=False,
    ),
    Goal("CWRU", "AUC", "roc_auc", "at least .995"),
    Goal("TEP", "found at 1 % false alarms, fitted", "detection_rate_at_1_percent", "at least .985"),
    Goal(
        "FEMTO",
        "first alarm of Bearing1_2, share of life",
        "first_alarm_share_of_life",
        "below .954",
        "Bearing1_2",
        lower=True,
        baselines=False,
    ),
)
HEAD = ("exam", "figure", "reach", "sensor and gateway", "gateway alone", "sensor alone", "best baseline", "published")


def lines(result: dict[str, Any]) -> list[str]:
    """Lines of the table in Markdown; goals whose exam is not in the result are left out."""
    found = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for goal in GOALS:
        rows = [row for row in result["rows"] if row["exam"] == goal.exam]
        if rows:
            cells = [
                goal.exam,
                goal.what,
                goal.reach,
                *(_ours(goal, rows, tier) for tier in ("both", "gateway", "sensor")),
            ]
            found.append(
                "| " + " | ".join([*cells, _best(goal, rows, "baseline"), _best(goal, rows, "published")]) + " |"
            )
    return found


def _ours(goal: Goal, rows: list[dict[str, Any]], tier: str) -> str:
    row = next((row for row in rows if (row["detector"], row["tier"]) == ("recipe", tier)), None)
    value = None if row is None else _value(goal, row)
    return "" if value is None else number(goal.figure, value)


def _best(goal: Goal, rows: list[dict[str, Any]], tier: str) -> str:
    if goal.published is None if tier == "published" else not goal.baselines:
        return ""
    if tier == "published" and goal.published:
        rows = [row for row in rows if row["detector"] == goal.published]
    known = [(value, row) for row in rows if row["tier"] == tier and (value := _value(goal, row)) is not None]
    if not known:
        return ""
    value, row = (min if goal.lower else max)(known, key=lambda pair: pair[0])
    return f"{number(goal.figure, value)} ({row['detector']})"


def _value(goal: Goal, row: dict[str, Any]) -> float | None:
    if goal.trial and not row["published"]:
        found: list[float | None] = [part[goal.figure] for part in row["by_trial"] if part["trial"] == goal.trial]
        return found[0] if found else None
    # The protocol of a published NAB score fits its threshold.
    figure = goal.figure.removesuffix("_fitted") if row["published"] else goal.figure
    return row.get(figure)

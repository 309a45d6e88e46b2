"""The figures of the false-alarm budget, by the number of healthy rows that were learned."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway.detectors.calibration import FLAGGED_ONE_IN
from tocsin.evaluation.exams.budget import SIZES
from tocsin.evaluation.metrics.intervals import mean

if TYPE_CHECKING:
    from tocsin.evaluation.figures import TrialFigures

#: A budget is kept up to so many times of what was asked.
TOLERANCE = 2.0


def flagged(size: int, parts: "list[TrialFigures]") -> float:
    """Mean share of the healthy readings that are flagged after `size` healthy rows."""
    return mean([part.counts.false_alarm_rate for part in parts if part.healthy_rows == size])


def provisional(size: int, parts: "list[TrialFigures]") -> float:
    """Share of the trials that say they are provisional."""
    return mean([float(part.provisional) for part in parts if part.healthy_rows == size])


def kept(size: int, parts: "list[TrialFigures]") -> float:
    """Share of the trials that flag at most `TOLERANCE` times as many as asked, or say they are provisional."""
    limit = TOLERANCE / FLAGGED_ONE_IN
    return mean(
        [
            float(part.provisional or part.counts.false_alarm_rate <= limit)
            for part in parts
            if part.healthy_rows == size
        ]
    )


def alarms(size: int, parts: "list[TrialFigures]") -> float:
    """Alarms that begin a day of healthy readings."""
    chosen = [part for part in parts if part.healthy_rows == size]
    days = sum(part.healthy_days for part in chosen)
    return sum(part.false_alarms for part in chosen) / days if days else float("nan")


_KINDS: dict[str, tuple[str, "Callable[[int, list[TrialFigures]], float]"]] = {
    "flagged": ("flagged", flagged),
    "provisional": ("trials that say provisional", provisional),
    "kept": ("trials within twice the budget, or provisional", kept),
    "alarms_a_day": ("alarms a day", alarms),
}
#: Figures of the exam by their names in the result.
STATISTICS: "dict[str, Callable[[list[TrialFigures]], float]]" = {
    f"{kind}_after_{size}_rows": partial(statistic, size) for kind, (_, statistic) in _KINDS.items() for size in SIZES
}
#: Lines of the table: kind of figure, and what it is called.
LINES = tuple((kind, title) for kind, (title, _) in _KINDS.items())

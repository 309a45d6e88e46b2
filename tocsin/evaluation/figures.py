"""From what a candidate says of a trial to figures, and from trials to the figures of an exam."""

import hashlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tocsin.evaluation import budget
from tocsin.evaluation.metrics import nab
from tocsin.evaluation.metrics.counts import NOTHING, Counts
from tocsin.evaluation.metrics.events import begins, events, false_alarms, healthy_days, threshold_for_false_alarms
from tocsin.evaluation.metrics.intervals import bootstrap, mean
from tocsin.evaluation.metrics.ranking import average_precision, roc_auc, shown
from tocsin.evaluation.metrics.vus import usual_window, vus_pr
from tocsin.evaluation.trial import Scores, Trial

#: Rows of a fast recording are looked at so often a second: scores change with windows, not with samples.
LOOKS_PER_SECOND = 50.0
#: Share of normal rows that pass the fitted threshold of a detection rate.
FITTED_FALSE_SHARE = 0.01


#: Points of a drawn line.
POINTS = 400


@dataclass(frozen=True, eq=False)
class Outline:
    """A trial as it is drawn, in `POINTS` even parts at most: highest score (NaN = none), whether a row was in alarm,
    anomalous, or counted, and the mean of the channels in healthy deviations."""

    scores: NDArray[np.float64]
    alarm: NDArray[np.bool_]
    labels: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    level: NDArray[np.float64]


def outline_of(trial: Trial, said: Scores) -> Outline:
    """What a chart shows of a trial."""
    edges = np.unique(np.linspace(0, trial.recording.rows, POINTS + 1).astype(np.int64))[:-1]
    values = trial.recording.values
    healthy = values[: trial.healthy_rows]
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel without any value has no mean
        centre, spread = np.nanmean(healthy, axis=0), np.nanstd(healthy, axis=0)
    distance = np.nan_to_num(np.abs(values - centre) / np.where(spread > 0.0, spread, 1.0)).mean(axis=1)
    scores = np.maximum.reduceat(np.where(np.isnan(said.scores), -np.inf, said.scores), edges)
    return Outline(
        np.where(np.isfinite(scores), scores, np.nan),
        np.logical_or.reduceat(said.alarm, edges),
        np.logical_or.reduceat(trial.labels, edges),
        np.logical_or.reduceat(trial.counted, edges),
        np.maximum.reduceat(distance, edges),
    )


@dataclass(frozen=True, eq=False)
class TrialFigures:
    """Figures of one trial by one candidate; NaN where a figure has no meaning.

    `outline` is for charts; `scores` and `labels` of the counted rows, `score_stream` of all rows looked at (novelty
    where there is one: NAB asks for events) and
    `nab_raw`, what the alarms earn in each of NAB's profiles, are for figures that pool.
    """

    name: str
    group: str
    counts: Counts
    roc_auc: float
    average_precision: float
    vus_pr: float
    delays_seconds: tuple[float, ...]
    events: int
    events_at_one_false_alarm_a_day: int
    false_alarms: int
    healthy_days: float
    first_alarm_share: float
    provisional: bool
    healthy_rows: int
    scores: NDArray[np.float64]
    labels: NDArray[np.bool_]
    outline: "Outline"
    score_stream: nab.Stream
    nab_raw: tuple[tuple[float, int], ...]


def look(trial: Trial) -> NDArray[np.int64]:
    """Rows that are looked at: all of a slow recording, some of a fast one."""
    step = max(1, int(trial.recording.sample_rate_hz / LOOKS_PER_SECOND))
    return np.arange(step - 1, trial.recording.rows, step)


def figures_of(trial: Trial, said: Scores) -> TrialFigures:
    """Figures of what a candidate said of every row of a trial."""
    rows = look(trial)
    counted = trial.counted[rows]
    times = trial.recording.times_ns[rows][counted]
    labels = trial.labels[rows][counted]
    scores = said.scores[rows][counted]
    alarm = said.alarm[rows][counted]
    before = bool(said.alarm[rows][~counted][-1:].any())
    began = begins(alarm)
    if before and len(began):
        began[0] = False
    found = events(times, labels, alarm)
    days = healthy_days(times, ~labels)
    level = threshold_for_false_alarms(shown(scores), ~labels, days, 1.0)
    windows = _places(trial, rows)
    first = np.flatnonzero(said.alarm)
    alarms = begins(said.alarm[rows]).astype(np.float64)
    return TrialFigures(
        trial.name,
        trial.group or trial.name,
        Counts.of(labels, said.flagged[rows][counted]),
        roc_auc(labels, scores),
        average_precision(labels, scores),
        vus_pr(labels, scores, usual_window(labels)),
        found.delays_seconds,
        found.count,
        events(times, labels, shown(scores) >= level).caught if math.isfinite(level) else 0,
        false_alarms(alarm, labels, np.ones(len(alarm), bool)) - int(before and alarm[:1].any() and not labels[0]),
        days,
        _share_of_life(trial.recording.times_ns, int(first[0])) if len(first) else float("nan"),
        said.provisional,
        trial.healthy_rows,
        scores,
        labels,
        outline_of(trial, said),
        nab.Stream((said.scores if said.novelty is None else said.novelty)[rows], windows),
        tuple(nab.raw(nab.Stream(alarms, windows), 0.5, profile) for profile in nab.PROFILES),
    )


def _share_of_life(times_ns: NDArray[np.int64], row: int) -> float:
    """When a row stands, as a share of the time of its recording: of a life of which parts are left out, too."""
    return float(times_ns[row] - times_ns[0]) / max(float(times_ns[-1] - times_ns[0]), 1.0)


def _places(trial: Trial, rows: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (int(np.searchsorted(rows, first)), int(np.searchsorted(rows, last, side="right")) - 1)
        for first, last in trial.windows
    )


def digest_of(trial: Trial) -> str:
    """SHA-256 of what a trial holds: times, values, labels, healthy rows."""
    digest = hashlib.sha256()
    for part in (trial.recording.times_ns, trial.recording.values, trial.labels, np.array([trial.healthy_rows])):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def pooled(parts: list[TrialFigures]) -> Counts:
    """The counts of all trials together."""
    return sum((part.counts for part in parts), NOTHING)


def _delay(parts: list[TrialFigures]) -> float:
    delays = [delay for part in parts for delay in part.delays_seconds]
    return float(np.median(delays)) if delays else float("nan")


def _realised(parts: list[TrialFigures]) -> float:
    days = sum(part.healthy_days for part in parts)
    return sum(part.false_alarms for part in parts) / days if days else float("nan")


def _nab(profile: int, parts: list[TrialFigures]) -> float:
    """NAB's score of the alarms in one of its profiles; a stream without a true window can only lose."""
    return nab.joined([part.nab_raw[profile] for part in parts], nab.PROFILES[profile])


def detection_rate(parts: list[TrialFigures]) -> float:
    """Mean over trials with a fault of the anomalous rows above the level that 1 % of all normal rows pass: fitted."""
    normal = np.concatenate([shown(part.scores)[~part.labels] for part in parts])
    if not len(normal):
        return float("nan")
    level = float(np.quantile(normal, 1.0 - FITTED_FALSE_SHARE, method="higher"))
    return mean([float((shown(p.scores)[p.labels] > level).mean()) for p in parts if p.labels.any()])


#: Figures of an exam by their names in the result, each a function of trials drawn with replacement or not.
STATISTICS: dict[str, Callable[[list[TrialFigures]], float]] = {
    "f1": lambda parts: pooled(parts).f1,
    "false_alarm_rate": lambda parts: pooled(parts).false_alarm_rate,
    "missed_alarm_rate": lambda parts: pooled(parts).missed_alarm_rate,
    "roc_auc": lambda parts: mean([part.roc_auc for part in parts]),
    "average_precision": lambda parts: mean([part.average_precision for part in parts]),
    "vus_pr": lambda parts: mean([part.vus_pr for part in parts]),
    "delay_seconds": _delay,
    "realised_false_alarms": _realised,
}
#: Those of single exams.
OWN_STATISTICS: dict[str, dict[str, Callable[[list[TrialFigures]], float]]] = {
    "NAB": {f"nab_{profile.name}": partial(_nab, place) for place, profile in enumerate(nab.PROFILES)},
    "BUDGET": budget.STATISTICS,
    "TEP": {"detection_rate_at_1_percent": detection_rate},
    "FEMTO": {"first_alarm_share_of_life": lambda parts: mean([part.first_alarm_share for part in parts])},
}


def exam_figures(exam: str, parts: list[TrialFigures], seed: int) -> dict[str, float | int | list[float] | None]:
    """All figures of an exam by one candidate, each with its interval; None where one has no meaning."""
    row: dict[str, float | int | list[float] | None] = {"trials": len(parts)}
    groups: dict[str, list[TrialFigures]] = {}
    for part in parts:
        groups.setdefault(part.group, []).append(part)
    units = list(groups.values())
    for name, statistic in (STATISTICS | OWN_STATISTICS.get(exam, {})).items():
        row[name] = _known(statistic(parts))
        low, high = bootstrap(units, partial(_of_units, statistic), seed=seed)
        row[f"{name}_interval"] = None if math.isnan(low) else [low, high]
    row["events"] = sum(part.events for part in parts)
    row["events_caught"] = sum(len(part.delays_seconds) for part in parts)
    # A rate of one a day says nothing where no recording has a day of healthy rows.
    measurable = any(part.healthy_days >= 1.0 for part in parts)
    found = sum(part.events_at_one_false_alarm_a_day for part in parts)
    row["events_at_one_false_alarm_a_day"] = found if measurable else None
    row["provisional_trials"] = sum(part.provisional for part in parts)
    if exam == "NAB":
        for profile in nab.PROFILES:
            row[f"nab_{profile.name}_fitted"] = _known(
                nab.best_threshold([part.score_stream for part in parts], profile)[1]
            )
    return row


def _of_units(statistic: Callable[[list[TrialFigures]], float], units: list[list[TrialFigures]]) -> float:
    return statistic([part for unit in units for part in unit])


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""The result of an evaluation as one JSON object: what was judged, how, with what, and every figure."""

import json
import math
import platform
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from tocsin.evaluation.figures import OWN_STATISTICS, STATISTICS, TrialFigures, exam_figures
from tocsin.evaluation.registry import candidate_named
from tocsin.evaluation.run import EXAMS
from tocsin.evaluation.trial import Exam

_PACKAGES = ("tocsin", "numpy", "river", "tensorflow-cpu", "tensorflow", "keras", "ai-edge-litert")


def versions() -> dict[str, str]:
    """Interpreter and packages that figures can hang on; those that are not installed are left out."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def empty(seed: int) -> dict[str, Any]:
    """A result without any exam yet."""
    return {"seed": seed, "versions": versions(), "recordings": {}, "protocol": {}, "rows": []}


def add(
    result: dict[str, Any],
    exam: str,
    names: Iterable[str],
    digests: list[str],
    found: list[dict[str, TrialFigures | str]],
) -> None:
    """Put the trials of an exam into a result."""
    known = EXAMS[exam]
    result["recordings"][exam] = dict(zip(names, digests, strict=True))
    result["protocol"][exam] = f"{known.protocol} {known.coverage}".strip()
    for key in found[0]:
        candidate = candidate_named(key)
        parts = [figures for trial in found if isinstance(figures := trial[key], TrialFigures)]
        refused = [sentence for trial in found if isinstance(sentence := trial[key], str)]
        row: dict[str, Any] = {
            "exam": exam,
            "detector": candidate.name,
            "tier": candidate.tier,
            "deployed": candidate.deployed,
            "published": False,
            **nothing(exam),
            **asked(known),
        }
        if parts:
            row |= exam_figures(exam, parts, result["seed"])
        row["not_judged"] = refused
        row["by_trial"] = [_trial_row(part) for part in parts]
        result["rows"].append(row)
    for published in known.published:
        result["rows"].append(
            {
                "exam": exam,
                "detector": published.detector,
                "tier": "published",
                "deployed": False,
                "published": True,
                "source": published.source,
                "remark": published.remark,
                **nothing(exam),
                **published.figures,
            }
        )


def asked(exam: Exam) -> dict[str, Any]:
    """What every candidate is asked for: false alarms a day. It has no spread."""
    return {"asked_false_alarms": exam.asked_false_alarms, "asked_false_alarms_interval": [exam.asked_false_alarms] * 2}


def nothing(exam: str) -> dict[str, Any]:
    """Every figure of an exam and its interval, unknown: a row has them all, whoever made it."""
    names = ("asked_false_alarms", *STATISTICS, *OWN_STATISTICS.get(exam, {}))
    return {name: None for figure in names for name in (figure, f"{figure}_interval")}


def _trial_row(part: TrialFigures) -> dict[str, Any]:
    row = {
        "trial": part.name,
        "f1": part.counts.f1,
        "false_alarm_rate": part.counts.false_alarm_rate,
        "missed_alarm_rate": part.counts.missed_alarm_rate,
        "roc_auc": part.roc_auc,
        "average_precision": part.average_precision,
        "vus_pr": part.vus_pr,
        "delay_seconds": part.delays_seconds[0] if part.delays_seconds else None,
        "events": part.events,
        "events_caught": len(part.delays_seconds),
        "false_alarms": part.false_alarms,
        "healthy_days": part.healthy_days,
        "first_alarm_share_of_life": part.first_alarm_share,
        "provisional": part.provisional,
    }
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def encoded(result: dict[str, Any]) -> str:
    """The result as text: the same result, the same bytes."""
    return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

"""The object that an evaluation gives: every row has every figure, whoever made it."""

from pathlib import Path

import numpy as np
import pytest

from shared.recordings import Recording
from tocsin.evaluation import results, run
from tocsin.evaluation.candidates.deployed import Deployed
from tocsin.evaluation.exams.made import after, recording_of
from tocsin.evaluation.figures import figures_of
from tocsin.evaluation.registry import candidate_named
from tocsin.evaluation.table import markdown, terminal
from tocsin.evaluation.trial import Exam, Trial

FIGURES = (
    "f1",
    "false_alarm_rate",
    "missed_alarm_rate",
    "roc_auc",
    "average_precision",
    "vus_pr",
    "delay_seconds",
    "asked_false_alarms",
    "realised_false_alarms",
)
HEALTHY, ROWS, MOVED, TOLD = 400, 1400, 700, 100


def moved_machine() -> Recording:
    """Four channels around zero; from `MOVED` on they stand elsewhere, and at the end one of them leaves."""
    values = np.random.default_rng(1).normal(size=(ROWS, 4)) @ np.random.default_rng(2).normal(size=(4, 4))
    values[MOVED:] += [8.0, -5.0, 3.0, 20.0]
    values[1200:, 1] += 9.0
    return recording_of(values, 1.0, HEALTHY)


RECORDING = moved_machine()
TOLD_ROWS = (MOVED, MOVED + TOLD)


def trial(name: str) -> Trial:
    labels = np.arange(ROWS) >= 1200
    return Trial(name, RECORDING, HEALTHY, labels, after(ROWS, HEALTHY), recalibration=TOLD_ROWS, group=name)


@pytest.mark.parametrize("exam", ["SKAB", "BUDGET", "FEMTO"])
def test_every_row_has_every_figure_and_its_interval(exam: str) -> None:
    keys = ["recipe/gateway", "always/baseline", "last value/baseline"]
    found = []
    for part in (trial("first"), trial("second")):
        judged = {key: candidate_named(key).judge(part.recording, part.healthy_rows, None, 0) for key in keys}
        found.append({key: figures_of(part, said) for key, said in judged.items()})
    result = results.empty(0)
    results.add(result, exam, ["first", "second"], ["a", "b"], found)
    assert {"recordings", "protocol", "versions", "rows"} <= set(result)
    for row in result["rows"]:
        for name in ("exam", "detector", "tier", "deployed"):
            assert name in row
        for name in FIGURES:
            assert name in row
            assert f"{name}_interval" in row
    assert result["rows"][0]["asked_false_alarms"] == pytest.approx(1.0 / 7.0)
    assert results.encoded(result) == results.encoded(result)
    widths = {line.count("|") for line in markdown(result, exam)}
    assert len(widths) == 1
    assert len(terminal(result, exam)) == len(markdown(result, exam))


def test_a_plant_runs_sensor_and_gateway_together() -> None:
    deployed = [Deployed(tier).deployed for tier in ("sensor", "gateway", "both")]
    assert deployed == [False, False, True]


def test_a_session_that_is_told_to_be_normal_is_judged_by_its_own_calibration() -> None:
    candidate = Deployed("gateway")
    told = candidate.judge(RECORDING, HEALTHY, TOLD_ROWS, 0)
    untold = candidate.judge(RECORDING, HEALTHY, None, 0)
    assert np.array_equal(told.scores[: MOVED + TOLD], untold.scores[: MOVED + TOLD], equal_nan=True)
    assert untold.flagged[MOVED + TOLD : 1200].all()
    assert told.flagged[MOVED + TOLD : 1200].mean() < 0.02
    assert told.flagged[1210:].mean() > 0.9
    assert told.alarm[-1]


def test_missing_recordings_name_the_command_that_brings_them(tmp_path: Path) -> None:
    (tmp_path / "skab" / "data").mkdir(parents=True)
    with pytest.raises(run.UsageError, match="tocsin datasets fetch SKAB"):
        run.trials_of("SKAB", tmp_path)
    (tmp_path / "nab").mkdir()
    with pytest.raises(run.UsageError, match=r"fetch"):
        run.trials_of("NAB", tmp_path)


def test_a_family_of_exams_is_told_by_its_name() -> None:
    assert isinstance(run.EXAMS["FAN-SESSIONS"], Exam)
    assert run.fetching("FAN-SESSIONS").startswith("tocsin datasets fetch FAN ")

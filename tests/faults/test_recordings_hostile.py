"""Recordings as the field gives them: each gets a verdict or one clear sentence, never an exception or a silent zero.

Every recording here ends with a strong fault of one channel. A verdict must flag it, which tells it from
silence. The gateway judges alone; what the files themselves can have wrong is told in `test_bad_input.py`.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_recordings import SECOND_NS, coupled, recording
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recordings import Recording, read_recording
from tocsin.evaluation.candidates.deployed import Deployed
from tocsin.evaluation.metrics.ranking import roc_auc
from tocsin.evaluation.trial import Scores

Rows = NDArray[np.float64]
HEALTHY, ROWS, FAULTY = 300, 420, 380
#: In deviations of the channel.
FAULT = 12.0
CONTAMINATED = 0.1


def judged(whole: Recording, healthy_rows: int) -> Scores:
    return Deployed("gateway").judge(whole, healthy_rows, None, 0)


def rig(channels: int = 3, rows: int = ROWS, faulty: int = FAULTY) -> Rows:
    """A machine whose first channel steps away at the end."""
    values = coupled(rows, channels, 11)
    values[faulty:, 0] += FAULT * values[:faulty, 0].std()
    return values


def changed(columns: slice | int, rows: slice, value: float | Callable[[Rows], Rows], channels: int = 3) -> Recording:
    values = rig(channels)
    values[rows, columns] = value(values[rows, columns]) if callable(value) else value
    return recording(values)


def timed(steps_seconds: Callable[[NDArray[np.int64]], Rows]) -> Recording:
    """The machine with other steps in time before its rows 1, 2, ..."""
    whole = recording(rig())
    steps = (steps_seconds(np.arange(1, ROWS)) * SECOND_NS).astype(np.int64)
    return replace(whole, times_ns=whole.times_ns[0] + np.concatenate(([0], np.cumsum(steps))))


def shaken(row: NDArray[np.int64]) -> Rows:
    """Steps of one second; some stamps come twice, some go back."""
    return np.where(row % 37 == 5, 0.0, np.where(row % 101 == 7, -3.0, 1.0))


def counter(bits: int) -> Recording:
    """The second channel counts, wraps, and is set to zero once."""
    count = np.arange(ROWS) * 23
    count[200:] -= count[200]
    values = rig()
    values[:, 1] = count % 2**bits
    return recording(values)


def wide() -> Recording:
    values = np.random.default_rng(2).normal(size=(220, 500))
    values[190:, :25] += FAULT
    return recording(values)


#: What is judged, and healthy rows if not `HEALTHY`. All get a verdict.
VERDICTS: dict[str, tuple[Callable[[], Recording], int]] = {
    "nothing odd": (lambda: recording(rig()), HEALTHY),
    "all channels but one constant": (lambda: changed(slice(1, 3), slice(None), 7.0), HEALTHY),
    "a channel at zero": (lambda: changed(1, slice(None), 0.0), HEALTHY),
    "a constant channel that comes to life": (lambda: changed(1, slice(300), 5.0), HEALTHY),
    "a channel that dies": (lambda: changed(1, slice(320, None), np.nan), HEALTHY),
    "a channel with one healthy value": (lambda: changed(1, slice(1, None), np.nan), HEALTHY),
    "half of all values missing": (
        lambda: changed(
            slice(3), slice(None), lambda v: np.where(np.random.default_rng(1).random(v.shape) < 0.5, np.nan, v)
        ),
        HEALTHY,
    ),
    "rows without any value": (lambda: changed(slice(3), slice(100, 140), np.nan), HEALTHY),
    "stamps twice and reversed": (lambda: timed(shaken), HEALTHY),
    "one stamp for all": (lambda: timed(lambda row: np.zeros(len(row))), HEALTHY),
    "50 healthy rows": (lambda: recording(rig()), 50),
    "small steps far from zero": (lambda: changed(slice(3), slice(None), lambda v: 1e6 + 1e-4 * v), HEALTHY),
    "gaps of days": (lambda: timed(lambda row: np.where(row % 90 == 50, 3 * 86400.0, 1.0)), HEALTHY),
    "years ahead and back": (
        lambda: timed(lambda row: np.where(row == 330, 3e8, np.where(row == 350, -3e8, 1.0))),
        HEALTHY,
    ),
    "a rate that changes": (lambda: timed(lambda row: np.where(row < 320, 1.0, 0.1)), HEALTHY),
    "a rate that changes while healthy": (lambda: timed(lambda row: np.where(row < 150, 1.0, 7.0)), HEALTHY),
    "one channel": (lambda: recording(rig(1)), HEALTHY),
    "500 channels": (wide, 160),
    "two equal channels": (lambda: recording(rig()[:, [0, 0, 1]]), HEALTHY),
    "integers": (lambda: recording(np.round(rig())), HEALTHY),
    "two values": (
        lambda: recording(np.where(rig()[:, :1] > rig()[:FAULTY, 0].max(), [9.0, 1.0], [0.0, 1.0])),
        HEALTHY,
    ),
    "a counter that wraps": (lambda: counter(10), HEALTHY),
    "a counter that wraps once": (lambda: counter(13), HEALTHY),
    "saturated sensors": (
        lambda: changed(slice(1, 3), slice(None), lambda v: np.minimum(v, np.quantile(v, 0.6))),
        HEALTHY,
    ),
    "a sensor at its end": (lambda: changed(slice(3), slice(None), lambda v: np.clip(v, 19.0, 21.0)), HEALTHY),
    "beyond any scale": (lambda: changed(2, slice(340, 345), 1e300), HEALTHY),
    "small around much": (lambda: recording(rig() * 1e-3 + 1e5), HEALTHY),
    "60 healthy rows": (lambda: recording(rig()), 60),
}
#: What is refused, and words of the sentence.
REFUSED: dict[str, tuple[Callable[[], Recording], int, str]] = {
    "a channel without any value": (lambda: changed(1, slice(None), np.nan), HEALTHY, "'channel 1' has no value"),
    "no value at all": (lambda: changed(slice(3), slice(None), np.nan), HEALTHY, "has no value in the healthy part"),
    "20 healthy rows": (lambda: recording(rig()), 20, "declare a longer healthy part"),
    "time that runs backwards": (lambda: timed(lambda row: -np.ones(len(row))), HEALTHY, "sort the rows"),
}


@pytest.mark.parametrize("name", list(VERDICTS))
def test_odd_recordings_get_a_verdict_that_is_not_silence(name: str) -> None:
    make, healthy = VERDICTS[name]
    whole = make()
    found = judged(whole, healthy)
    assert len(found.scores) == whole.rows
    first = int(np.isfinite(found.scores).argmax())
    assert first <= 60
    assert np.isfinite(found.scores[first:]).all()
    assert (found.scores[first:] > 0.0).all()
    assert len(np.unique(found.scores[healthy:])) > 10, "not one value for all"
    assert np.median(found.scores[-20:]) > 1.0, "the fault is flagged"
    assert np.median(found.scores[-20:]) > 1.5 * np.median(found.scores[first:healthy])


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_judged_is_refused_in_one_sentence(name: str) -> None:
    make, healthy, words = REFUSED[name]
    with pytest.raises(UsageError) as refused:
        judged(make(), healthy)
    sentence = str(refused.value)
    assert words in sentence
    assert "\n" not in sentence
    assert len(sentence) < 320


def contaminated(values: Rows, healthy_rows: int, anomalous: NDArray[np.int64]) -> Rows:
    """A tenth of the healthy rows, in four runs, is made of rows that are anomalous."""
    found = values.copy()
    runs = np.array_split(np.arange(round(CONTAMINATED * healthy_rows)), 4)
    for number, run in enumerate(runs):
        begin = (2 * number + 1) * healthy_rows // 8
        found[begin : begin + len(run)] = values[anomalous[run % len(anomalous)]]
    return found


def areas(whole: Recording, healthy: int, anomalous: NDArray[np.bool_]) -> tuple[float, float]:
    """ROC AUC of the rows behind the healthy part, that being healthy, and a tenth of it not."""
    areas = []
    for values in (whole.values, contaminated(whole.values, healthy, np.flatnonzero(anomalous))):
        scores = judged(replace(whole, values=values), healthy).scores
        areas.append(roc_auc(anomalous[healthy:], scores[healthy:]))
    return areas[0], areas[1]


def test_a_healthy_part_with_a_tenth_of_faults_is_survived() -> None:
    whole = recording(rig(4, 900, 700))
    clean, dirty = areas(whole, 400, np.arange(900) >= 700)
    assert clean > 0.99
    assert dirty > 0.9


@pytest.mark.parametrize(("number", "least"), [(0, 0.65), (3, 0.8), (8, 0.7)])
def test_a_tenth_of_faults_in_real_healthy_parts_is_survived(number: int, least: float) -> None:
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("TOCSIN_DATASETS is not set: point it to the folder of the real recordings")
    whole = read_recording(
        Path(folder) / f"skab/data/valve1/{number}.csv", healthy_rows=400, ignore=("anomaly", "changepoint")
    )
    clean, dirty = areas(whole, 400, whole.labels["anomaly"] > 0.5)
    assert clean > 0.8
    assert dirty > least

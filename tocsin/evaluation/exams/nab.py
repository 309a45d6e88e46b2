"""NAB: streams of one value each, from servers, roads and machines (Lavin and Ahmad, 2015)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recordings import read_recording
from tocsin.evaluation.exams.made import after
from tocsin.evaluation.metrics.nab import probation_rows
from tocsin.evaluation.trial import Exam, Published, Trial

_SOURCE = "numenta/NAB, scoreboard over 58 streams"


def trials(folder: Path) -> Iterator[Trial]:
    """One per stream; the rows that the protocol does not score are the healthy part."""
    home = folder / "nab"
    truth = home / "labels" / "combined_windows.json"
    try:
        windows = json.loads(truth.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{truth}: the true windows of NAB cannot be read ({error}); fetch the recordings anew"
        ) from error
    for path in sorted((home / "data").glob("*/*.csv")):
        name = f"{path.parent.name}/{path.stem}"
        healthy_rows = probation_rows(_rows(path))
        recording = read_recording(path, healthy_rows=healthy_rows)
        spans = tuple(_span(recording.times_ns, window, path) for window in windows[f"{path.parent.name}/{path.name}"])
        labels = np.zeros(recording.rows, bool)
        for first, last in spans:
            labels[first : last + 1] = True
        counted = after(recording.rows, healthy_rows)
        yield Trial(name, recording, healthy_rows, labels, counted, spans, group=name)


def _rows(path: Path) -> int:
    with path.open("rb") as content:
        return sum(1 for line in content if line.strip()) - 1


def _span(times_ns: NDArray[np.int64], window: list[str], path: Path) -> tuple[int, int]:
    """First and last row of a window that is told by two stamps in UTC."""
    first, last = (int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()) * 10**9 for stamp in window)
    inside = np.flatnonzero((times_ns >= first) & (times_ns <= last))
    if not len(inside):
        raise UsageError(f"{path}: the true window {window[0]} to {window[1]} holds no row; fetch the recordings anew")
    return int(inside[0]), int(inside[-1])


EXAM = Exam(
    "NAB",
    "streams of one value",
    "The first min(15 %, 750) rows are healthy and not scored; the earliest detection in a true window counts by a "
    "scaled sigmoid, detections outside cost. The protocol fits one threshold to all streams on their labels: those "
    "figures are marked as fitted, beside those of the detector's own alarms.",
    trials,
    (
        Published("ARTime", _SOURCE, {"nab_standard": 74.9, "nab_reward_low_FP": 65.1, "nab_reward_low_FN": 80.4}),
        Published("Numenta HTM", _SOURCE, {"nab_standard": 70.5, "nab_reward_low_FP": 62.6, "nab_reward_low_FN": 75.2}),
        Published("CAD OSE", _SOURCE, {"nab_standard": 69.9, "nab_reward_low_FP": 67.0, "nab_reward_low_FN": 73.2}),
        Published("KNN-CAD", _SOURCE, {"nab_standard": 58.0, "nab_reward_low_FP": 43.4, "nab_reward_low_FN": 64.8}),
        Published(
            "relative entropy", _SOURCE, {"nab_standard": 54.6, "nab_reward_low_FP": 47.6, "nab_reward_low_FN": 58.8}
        ),
        Published(
            "random cut forest", _SOURCE, {"nab_standard": 51.7, "nab_reward_low_FP": 38.4, "nab_reward_low_FN": 59.7}
        ),
        Published(
            "windowed Gaussian", _SOURCE, {"nab_standard": 39.6, "nab_reward_low_FP": 20.9, "nab_reward_low_FN": 47.4}
        ),
        Published("random", _SOURCE, {"nab_standard": 11.0, "nab_reward_low_FP": 1.2, "nab_reward_low_FN": 19.5}),
    ),
    "Of the 58 streams of the benchmark those in the folder are judged.",
)

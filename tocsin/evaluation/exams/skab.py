"""SKAB: a water rig whose valves are closed, 1 Hz, 8 channels (Katser and Kozitsin, 2020)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shared.recordings import read_recording
from tocsin.evaluation.exams.made import after
from tocsin.evaluation.trial import Exam, Published, Trial

HEALTHY_ROWS = 400
_SOURCE = "waico/SKAB, leaderboard of the outlier detection problem, 34 files"


def trials(folder: Path) -> Iterator[Trial]:
    """One per file; what follows the fault in a file counts as normal, as the labels say."""
    for path in sorted((folder / "skab" / "data").glob("*/*.csv"), key=_natural):
        if path.parent.name == "anomaly-free":
            continue
        recording = read_recording(path, healthy_rows=HEALTHY_ROWS, ignore=("anomaly", "changepoint"))
        labels = np.asarray(recording.labels["anomaly"], np.float64) > 0
        name = f"{path.parent.name}/{path.stem}"
        yield Trial(name, recording, HEALTHY_ROWS, labels, after(len(labels), HEALTHY_ROWS), group=name)


def _natural(path: Path) -> tuple[str, int]:
    return path.parent.name, int(path.stem) if path.stem.isdigit() else -1


EXAM = Exam(
    "SKAB",
    "water circulation rig with closing valves",
    "The first 400 rows of each file are healthy, the rest is judged; counts are pooled over the files, areas are "
    "means over the files; no point adjustment.",
    trials,
    (
        Published(
            "Conv-AE",
            _SOURCE,
            {"f1": 0.78, "false_alarm_rate": 0.1355, "missed_alarm_rate": 0.2802},
            "looks up to 58 s ahead: not causal",
        ),
        Published("MSET", _SOURCE, {"f1": 0.78, "false_alarm_rate": 0.3973, "missed_alarm_rate": 0.1413}),
        Published("T2+Q", _SOURCE, {"f1": 0.76, "false_alarm_rate": 0.2662, "missed_alarm_rate": 0.2492}),
        Published("LSTM-AE", _SOURCE, {"f1": 0.74, "false_alarm_rate": 0.2996, "missed_alarm_rate": 0.2592}),
        Published("T2", _SOURCE, {"f1": 0.66, "false_alarm_rate": 0.1921, "missed_alarm_rate": 0.4260}),
        Published("Vanilla AE", _SOURCE, {"f1": 0.39, "false_alarm_rate": 0.0259, "missed_alarm_rate": 0.7515}),
        Published("isolation forest", _SOURCE, {"f1": 0.29, "false_alarm_rate": 0.0256, "missed_alarm_rate": 0.8289}),
    ),
    "Of the 34 files of the protocol those in the folder are judged.",
)

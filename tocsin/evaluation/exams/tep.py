"""Tennessee Eastman: a simulated chemical plant, 52 channels, a row every three minutes (Downs and Vogel, 1993)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shared.recordings import read_recording
from tocsin.evaluation.exams.made import after, recording_of
from tocsin.evaluation.trial import Exam, Published, Trial

STEP_SECONDS = 180.0
#: First anomalous row of a test run.
FAULT_ROW = 160
_SOURCE = "PCA of 17 components, T2 or Q at 1 % false alarms, computed for the faults of these files"
_CHANNELS = 52


def trials(folder: Path) -> Iterator[Trial]:
    """The normal run for training, then each test run, as one recording."""
    home = folder / "tep"
    healthy = read_recording(home / "d00.dat", transpose=True).values
    for path in sorted(home.glob("d*_te.dat")):
        number = int(path.stem[1:3])
        run = read_recording(path).values
        values = np.concatenate((healthy, run))
        labels = np.zeros(len(values), bool)
        if number:
            labels[len(healthy) + FAULT_ROW :] = True
        recording = recording_of(values, STEP_SECONDS, len(healthy), np.array([0, len(healthy)]))
        counted = after(len(values), len(healthy))
        yield Trial(
            f"fault {number}" if number else "normal run", recording, len(healthy), labels, counted, group=path.stem
        )


EXAM = Exam(
    "TEP",
    "simulated chemical plant",
    "500 rows of the normal run are healthy; each test run follows as a new stretch, with its fault from row 160 on. "
    "The detection rate is that of a threshold which 1 % of the normal rows of all runs pass: fitted on the labels, as "
    "in the published figures.",
    trials,
    (
        Published("PCA T2", _SOURCE, {"detection_rate_at_1_percent": 0.796}),
        Published("raw T2", _SOURCE, {"detection_rate_at_1_percent": 0.912}),
    ),
    "Of the 21 faults those in the folder are judged.",
)

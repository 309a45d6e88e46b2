"""How often healthy readings are flagged and alarmed, by how many healthy readings were there to learn from.

Nothing in these recordings is anomalous: SKAB's run without a fault, the training parts of the servers, and the normal
runs of the chemical plant.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.recordings import read_recording
from tocsin.evaluation.exams import smd, tep
from tocsin.evaluation.exams.made import after, recording_of
from tocsin.evaluation.trial import Exam, Trial

#: Rows that are told to be healthy.
SIZES = (50, 100, 200, 400, 800, 2000, 4000)
#: Rows behind them that are judged.
JUDGED_ROWS = 1500


def trials(folder: Path) -> Iterator[Trial]:
    """Every size from the beginning of each recording that is long enough, and from its middle."""
    for name, values, step_seconds in _healthy(folder):
        for start, where in ((0, "beginning"), (len(values) // 2, "middle")):
            for size in SIZES:
                if start + size + JUDGED_ROWS > len(values):
                    break
                part = values[start : start + size + JUDGED_ROWS]
                recording = replace(recording_of(part, step_seconds, size), healthy_rows=size)
                none = np.zeros(len(part), np.bool_)
                yield Trial(f"{name}, {where}, {size} rows", recording, size, none, after(len(part), size), group=name)


def _healthy(folder: Path) -> Iterator[tuple[str, NDArray[np.float64], float]]:
    """Name, values and step in seconds of each healthy recording."""
    for path in sorted((folder / "skab" / "data" / "anomaly-free").glob("*.csv")):
        yield "SKAB", read_recording(path).values, 1.0
    for path in sorted((folder / "smd").glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            yield path.stem, arrays["train"].astype(np.float64), smd.step_of(path)
    home = folder / "tep"
    if home.is_dir():
        learned, judged = (
            read_recording(home / "d00.dat", transpose=True).values,
            read_recording(home / "d00_te.dat").values,
        )
        yield "TEP", np.concatenate((learned, judged)), tep.STEP_SECONDS


EXAM = Exam(
    "BUDGET",
    "healthy recordings, the false-alarm budget asked and realised",
    "So many healthy rows are learned, from the beginning and from the middle of each recording; the next 1,500, "
    "healthy too, are judged. Asked are one reading in a thousand flagged, and one alarm a week. Kept: at most twice "
    "as many readings are flagged as asked for, or the result says that it is provisional.",
    trials,
    tiers=("gateway",),
)

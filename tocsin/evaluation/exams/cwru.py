"""CWRU bearings at 1797 rpm, drive end (Case Western Reserve University): one common rate, faults by bearing.

The normal file is recorded at 48 kHz like the faults here; windows of faults and of the normal file therefore tell
faults, not sampling rates. The normal file is split by time.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tocsin.evaluation.exams.made import after, recording_of, settled
from tocsin.evaluation.trial import Exam, Trial

SAMPLE_RATE_HZ = 48_000.0
#: The first 60 % of the normal file are healthy, the rest is judged.
HEALTHY_SHARE = 0.6
#: What a stretch begins with is not counted: no window has closed by then.
SETTLE_ROWS = 12_000


def trials(folder: Path) -> Iterator[Trial]:
    """One per damaged bearing: healthy part, the rest of the normal file, then the damaged bearing as a new stretch."""
    home = folder / "cwru48k"
    normal = _drive_end(home / "1797_Normal.npz")
    healthy_rows = int(len(normal) * HEALTHY_SHARE)
    for path in sorted(home.glob("1797_*_DE48.npz")):
        damaged = _drive_end(path)
        values = np.concatenate((normal, damaged))
        labels = np.arange(len(values)) >= len(normal)
        starts = np.array([0, healthy_rows, len(normal)])
        recording = recording_of(values, 1.0 / SAMPLE_RATE_HZ, healthy_rows, starts)
        name = path.stem.removeprefix("1797_").removesuffix("_DE48")
        counted = after(len(values), healthy_rows) & settled(len(values), starts, SETTLE_ROWS)
        yield Trial(name, recording, healthy_rows, labels, counted, group=name)


def _drive_end(path: Path) -> NDArray[np.float64]:
    with np.load(path, allow_pickle=False) as arrays:
        return np.asarray(arrays["DE"], np.float64).reshape(-1, 1)


EXAM = Exam(
    "CWRU",
    "damaged bearings",
    "60 % of the normal file are healthy; the rest of it and one damaged bearing are judged, by windows; the area "
    "is the mean over bearings.",
    trials,
    (),
    "1797 rpm, drive end, 48 kHz: those bearings that are in the folder.",
)

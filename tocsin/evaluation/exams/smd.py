"""Servers (SMD, 38 channels, a row a minute; Su et al., 2019) and application servers (ASD, 19; Li et al., 2021)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tocsin.evaluation.exams.made import after, recording_of
from tocsin.evaluation.trial import Exam, Published, Trial

STEP_SECONDS = 60.0
ASD_STEP_SECONDS = 300.0
_SOURCE = "computed on these recordings, without point adjustment"


def trials(folder: Path) -> Iterator[Trial]:
    """One per machine: its training part is healthy, its test part is judged."""
    for path in sorted((folder / "smd").glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            healthy, run = arrays["train"].astype(np.float64), arrays["test"].astype(np.float64)
            truth = arrays["test_label"].ravel() > 0
        values = np.concatenate((healthy, run))
        labels = np.concatenate((np.zeros(len(healthy), bool), truth))
        recording = recording_of(values, step_of(path), len(healthy))
        yield Trial(path.stem, recording, len(healthy), labels, after(len(labels), len(healthy)), group=path.stem)


def step_of(path: Path) -> float:
    """Seconds between the rows of a file: it says whose machine it is, not when its rows were taken."""
    return STEP_SECONDS if path.stem.startswith("machine") else ASD_STEP_SECONDS


EXAM = Exam(
    "SMD",
    "servers",
    "The training part of each machine is healthy, the test part is judged, without point adjustment (with it a random "
    "score reaches an F1 of 0.90).",
    trials,
    (
        Published("PCA Q", _SOURCE, {"roc_auc": 0.667, "average_precision": 0.252}),
        Published("isolation forest", _SOURCE, {"roc_auc": 0.606, "average_precision": 0.185}),
        Published("raw T2", _SOURCE, {"roc_auc": 0.721, "average_precision": 0.321}),
    ),
    "Of the 28 machines of SMD and the 12 of ASD those in the folder are judged.",
)

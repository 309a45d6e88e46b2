"""The recordings of a set, by name, with what is known of them: healthy rows, true anomalies."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recordings import Recording, read_recording
from tocsin.datasets.catalogue import Entry
from tocsin.evaluation.exams import cwru, fan, femto, nab, skab, smd, tep
from tocsin.evaluation.exams.made import recording_of

_TRIALS = {module.EXAM.name: module.trials for module in (skab, nab, smd, tep, cwru, fan, femto)}
#: Columns that hold the truth in a recording of the user's, if it has them.
_TRUTH = ("anomaly", "label")
_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Known:
    """A recording and its truth: `labels` bool (rows,), or None where nobody wrote any down. `rate` says how often a
    row comes where that is no matter of time."""

    name: str
    recording: Recording
    healthy_rows: int
    labels: NDArray[np.bool_] | None
    rate: str = ""


def recording_named(entry: Entry, folder: Path, name: str) -> Known:
    """The recording `name` of a set that lies below the folder of all recordings.

    Raises
    ------
    UsageError
        The set is not there, holds no recordings, or none of that name.
    """
    if entry.name == "FOLDER":
        inside = folder / entry.folder / name
        return _own(inside if inside.exists() else Path(name))
    if not entry.files or entry.name == "MLPERF":
        raise UsageError(f"{entry.name} holds no recording to plot; tocsin datasets show {entry.name} says what it is")
    if not any((folder / entry.folder / file.name).is_file() for file in entry.files):
        raise UsageError(f"{folder / entry.folder} holds nothing of {entry.name}; tocsin datasets fetch {entry.name}")
    seen = []
    for known in _engines(folder / entry.folder) if entry.name == "CMAPSS" else _trials(entry, folder):
        if known.name == name:
            return known
        seen.append(known.name)
    some = ", ".join(seen[:_SHOWN]) + (f" and {len(seen) - _SHOWN} more" if len(seen) > _SHOWN else "")
    raise UsageError(f"{entry.name} has no recording {name!r} here; it has {some}")


def _trials(entry: Entry, folder: Path) -> Iterator[Known]:
    """What the protocol of a set judges; SMD and ASD share one, and a folder."""
    own = {Path(file.name).stem for file in entry.files}
    for trial in _TRIALS[entry.exam](folder):
        if entry.exam != "SMD" or trial.name in own:
            yield Known(trial.name, trial.recording, trial.healthy_rows, trial.labels)


def _engines(home: Path) -> Iterator[Known]:
    """Turbofans, ``engine 1`` and so on: a row a flight, until the engine fails; none is called healthy."""
    cells = np.loadtxt(home / "train_FD001.txt", dtype=np.float64, ndmin=2)
    for number in np.unique(cells[:, 0]).astype(int):
        own = cells[cells[:, 0] == number]
        names = tuple(["setting " + str(n) for n in (1, 2, 3)] + [f"sensor {n}" for n in range(1, cells.shape[1] - 4)])
        recording = replace(recording_of(own[:, 2:], 1.0, 0), names=names)
        yield Known(f"engine {number}", recording, 0, None, "a row a flight")


def _own(path: Path) -> Known:
    """Any recording; its truth is in a column named like one of `_TRUTH`, if it has one."""
    for column in _TRUTH:
        try:
            recording = read_recording(path, ignore=(column,))
        except UsageError:
            continue
        truth = recording.labels[column]
        if truth.dtype.kind == "f":
            return Known(path.name, recording, 0, np.asarray(truth, np.float64) > 0)
    return Known(path.name, read_recording(path), 0, None)

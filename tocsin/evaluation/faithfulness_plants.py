"""Healthy recordings that faults are put into: real ones where they are, and a simulated plant everywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.recordings import read_recording
from tocsin.evaluation.exams.smd import ASD_STEP_SECONDS
from tocsin.evaluation.exams.smd import STEP_SECONDS as SMD_STEP_SECONDS
from tocsin.evaluation.exams.tep import STEP_SECONDS as TEP_STEP_SECONDS


@dataclass(frozen=True, eq=False)
class Plant:
    """Healthy rows (n, channels), one every `step_seconds`; the detector is commissioned on the first
    `healthy_rows`."""

    name: str
    values: NDArray[np.float64]
    step_seconds: float
    healthy_rows: int


def simulated(name: str = "simulated", *, rows: int = 4000, channels: int = 8, seed: int = 5) -> Plant:
    """Channels that follow three slow hidden loads, each in its own mixture, unit and noise; a row a second."""
    random = np.random.default_rng(seed)
    drive = random.normal(size=(rows, 3))
    loads = np.zeros((rows, 3))
    for row in range(1, rows):
        loads[row] = 0.98 * loads[row - 1] + 0.2 * drive[row]
    values = loads @ random.normal(size=(3, channels)) + 0.3 * random.normal(size=(rows, channels))
    return Plant(name, 50.0 + values * random.uniform(0.1, 10.0, channels), 1.0, rows // 2)


def _skab(folder: Path) -> Plant:
    recording = read_recording(folder / "skab" / "data" / "anomaly-free" / "anomaly-free.csv", healthy_rows=2000)
    return Plant("SKAB", recording.values, 1.0, 6000)


def _tep(folder: Path) -> Plant:
    runs = (
        read_recording(folder / "tep" / "d00.dat", transpose=True).values,
        read_recording(folder / "tep" / "d00_te.dat").values,
    )
    return Plant("TEP", np.concatenate(runs), TEP_STEP_SECONDS, len(runs[0]))


def _servers(name: str, step_seconds: float) -> Callable[[Path], Plant]:
    def read(folder: Path) -> Plant:
        with np.load(folder / "smd" / f"{name}.npz", allow_pickle=False) as arrays:
            values = arrays["train"].astype(np.float64)
        return Plant(name, values, step_seconds, len(values) * 2 // 3)

    return read


#: Where each recording lies below the folder of all, and how it is read.
RECORDED: dict[str, tuple[str, Callable[[Path], Plant]]] = {
    "SKAB": ("skab/data/anomaly-free", _skab),
    "TEP": ("tep/d00.dat", _tep),
    **{
        name: (f"smd/{name}.npz", _servers(name, SMD_STEP_SECONDS if name.startswith("machine") else ASD_STEP_SECONDS))
        for name in ("omi-1", "omi-4", "machine-1-6", "machine-2-1")
    },
}


def plant_named(name: str, folder: Path) -> Plant:
    """The plant of a name that `present` gives."""
    return simulated() if name == "simulated" else RECORDED[name][1](folder)


def present(folder: Path) -> list[str]:
    """Plants that can be had here."""
    return ["simulated", *(name for name, (place, _) in RECORDED.items() if (folder / place).exists())]

"""Writing a simulation to a folder, for `read_recording` and for people."""

import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np

from shared.errors import TocsinError
from shared.recordings.simulator.machine import SAMPLE_RATE_HZ, SCALE_G
from shared.recordings.simulator.simulation import START_NS, Simulation

VIBRATION_FILE, PROCESS_FILE, TRUTH_FILE = "vibration.npz", "process.csv", "truth.json"


def write_simulation(simulation: Simulation, folder: str | Path) -> tuple[Path, Path, Path]:
    """Write ``vibration.npz`` (counts with their scale), ``process.csv`` and ``truth.json``; return their paths.

    Each file is written under another name and then renamed, so that none is ever half there. The same simulation
    gives the same bytes. TocsinError when the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = folder / VIBRATION_FILE, folder / PROCESS_FILE, folder / TRUTH_FILE
        _replace(paths[0], lambda file: _vibration(simulation, file))
        _replace(paths[1], lambda file: file.write(_process(simulation)))
        _replace(paths[2], lambda file: file.write((json.dumps(simulation.truth, indent=2) + "\n").encode()))
    except OSError as error:
        raise TocsinError(f"{folder} cannot be written ({error.strerror}); free space or choose another one") from error
    return paths


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _vibration(simulation: Simulation, file: IO[bytes]) -> None:
    recording = simulation.vibration
    np.savez(
        file,
        counts=simulation.vibration_counts,
        scale=np.full(len(recording.names), SCALE_G),
        names=np.array(recording.names),
        units=np.array(recording.units),
        sample_rate_hz=np.array(float(SAMPLE_RATE_HZ)),
        start_ns=np.array(START_NS),
        tocsin_recording=np.array(1),
    )


def _process(simulation: Simulation) -> bytes:
    recording = simulation.process
    text = io.StringIO()
    names = [f"{name} [{unit}]" for name, unit in zip(recording.names, recording.units, strict=True)]
    text.write(",".join(["time", *names]) + "\n")
    for stamp, row in zip(recording.times_ns.tolist(), recording.values.tolist(), strict=True):
        when = datetime.fromtimestamp(stamp // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text.write(",".join([when, *(f"{value:.10g}" for value in row)]) + "\n")
    return text.getvalue().encode()

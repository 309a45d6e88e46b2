"""A ceiling fan with and without a weight on a blade, clips of one second, three axes (Hymel, 2020)."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.recordings import read_recording
from tocsin.evaluation.exams.made import after, recording_of, settled
from tocsin.evaluation.trial import Exam, Published, Trial

SAMPLE_RATE_HZ = 200.0
CLIP_ROWS = 200
#: What a clip begins with is not counted: no window has closed by then.
SETTLE_ROWS = 64
#: Clips of a healthy folder that are judged instead of learned: the last quarter.
HEALTHY_SHARE = 0.75
#: Clips of another session that are told to be healthy.
RECALIBRATION_CLIPS = 30
SOURCE = "computed on these recordings, all speeds pooled, constant component removed"


def clips_of(folder: Path, name: str) -> NDArray[np.float64]:
    """Clips (clips, rows, 3) of one folder; a clip of another length is left out."""
    recording = read_recording(folder / "fan_esp32" / f"fan_0_{name}", sample_rate_hz=SAMPLE_RATE_HZ)
    borders = [*recording.clip_starts.tolist(), recording.rows]
    parts = [recording.values[begin:end] for begin, end in itertools.pairwise(borders)]
    return np.stack([part for part in parts if len(part) == CLIP_ROWS])


def trial_of(
    name: str, healthy: NDArray[np.float64], parts: list[tuple[NDArray[np.float64], bool]], told_part: int | None = None
) -> Trial:
    """Healthy clips, then `parts` with their truth; the first `RECALIBRATION_CLIPS` of one part are told to be
    normal."""
    clips = np.concatenate([healthy, *(part for part, _ in parts)])
    labels = np.concatenate([np.zeros(len(healthy), bool), *(np.full(len(part), sick) for part, sick in parts)])
    rows, healthy_rows = len(clips) * CLIP_ROWS, len(healthy) * CLIP_ROWS
    starts = np.arange(len(clips), dtype=np.int64) * CLIP_ROWS
    counted = after(rows, healthy_rows) & settled(rows, starts, SETTLE_ROWS)
    told = None
    if told_part is not None:
        begin = healthy_rows + sum(len(part) for part, _ in parts[:told_part]) * CLIP_ROWS
        told = (begin, begin + RECALIBRATION_CLIPS * CLIP_ROWS)
        counted[slice(*told)] = False
    return Trial(
        name,
        recording_of(clips.reshape(rows, 3), 1.0 / SAMPLE_RATE_HZ, healthy_rows, starts),
        healthy_rows,
        np.repeat(labels, CLIP_ROWS),
        counted,
        recalibration=told,
        group=name,
    )


def trials(folder: Path) -> Iterator[Trial]:
    """All speeds pooled, and each speed alone."""
    healthy = {speed: clips_of(folder, f"{speed}_0_weight") for speed in ("low", "med", "high")}
    weighted = {speed: clips_of(folder, f"{speed}_1_weight") for speed in ("low", "med")}
    split = {speed: int(len(clips) * HEALTHY_SHARE) for speed, clips in healthy.items()}
    learned = _interleaved([clips[: split[speed]] for speed, clips in healthy.items()])
    rest = [(clips[split[speed] :], False) for speed, clips in healthy.items()]
    yield trial_of("all speeds", learned, [*rest, *((clips, True) for clips in weighted.values())])
    for speed, clips in weighted.items():
        own = healthy[speed]
        yield trial_of(f"{speed} speed", own[: split[speed]], [(own[split[speed] :], False), (clips, True)])


def _interleaved(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Clips of all speeds in turn: a healthy part knows all of them from its beginning."""
    order = np.argsort(np.concatenate([np.arange(len(part)) / len(part) for part in parts]), kind="stable")
    return np.asarray(np.concatenate(parts)[order])


EXAM = Exam(
    "FAN",
    "ceiling fan",
    "Three quarters of the clips of each speed are healthy, the rest and the clips with a weight are judged; the "
    "constant component of each window is removed by the features. One trial pools all speeds, two are of one speed.",
    trials,
    (
        Published("nearest neighbours", SOURCE, {"roc_auc": 0.869}),
        Published("isolation forest", SOURCE, {"roc_auc": 0.891}),
        Published("autoencoder", SOURCE, {"roc_auc": 0.846}),
    ),
)

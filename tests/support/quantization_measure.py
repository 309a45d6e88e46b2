"""What int8 costs the sensor's score on recordings with known faults: areas under the curve before and after it.

A model is trained on the healthy part exactly as `tocsin score --tier sensor` trains it. Its float autoencoder and its
int8 image then judge the same scaled features of the rest with the same score weights; the constant component of
vibration is gone by then, as on a device.
"""

import hashlib
import importlib.metadata
import itertools
import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloud.training.autoencoder import as_inputs
from cloud.training.features import model_inputs, raw_features, scaled_counts, stretch_starts
from cloud.training.recipe import Recipe, recipe_for
from cloud.training.train import TrainedModel, train_image
from shared.identity import DeviceProfile
from shared.quantized import arrays
from shared.recordings import Recording, profile_of
from shared.signal.definition import FAST_UNITS_PER_DEVIATION, UNITS_PER_DEVIATION
from tocsin.evaluation.exams import cwru, fan, skab, smd, tep
from tocsin.evaluation.metrics.ranking import roc_auc
from tocsin.evaluation.trial import Exam, Trial

EXAMS: tuple[Exam, ...] = (skab.EXAM, fan.EXAM, cwru.EXAM, tep.EXAM, smd.EXAM)
#: Rows whose float score is computed together: bounds the memory.
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Row:
    """One recording judged by one model: areas under the curve of its float and of its int8 score.

    `healthy_flagged`, `faulty_flagged`: parts of its readings behind the healthy part that reach the threshold;
    `multiplications` and `image_bytes` of the model; `digest`: of the counts and labels, so that another version of a
    recording is noticed.
    """

    exam: str
    trial: str
    seed: int
    readings: int
    features: int
    steps: int
    float_auc: float
    int8_auc: float
    healthy_flagged: float
    faulty_flagged: float
    multiplications: int
    image_bytes: int
    digest: str
    input: str = "features"

    @property
    def loss(self) -> float:
        """What int8 costs; negative where the int8 score ranks better."""
        return self.float_auc - self.int8_auc


@dataclass(frozen=True, eq=False)
class Counted:
    """A trial as the device counts it: profile, counts int32 (rows, channels), recipe and stretches."""

    trial: Trial
    profile: DeviceProfile
    counts: NDArray[np.int32]
    recipe: Recipe
    starts: NDArray[np.bool_]

    @property
    def healthy(self) -> bytes:
        """What a training sees of it, as a key: trials with the same share one model."""
        part = self.counts[: self.trial.healthy_rows]
        return hashlib.sha256(np.ascontiguousarray(part).tobytes()).digest()

    @property
    def digest(self) -> str:
        """Short digest of counts and labels."""
        found = hashlib.sha256(np.ascontiguousarray(self.counts).tobytes())
        found.update(self.trial.labels.tobytes())
        return found.hexdigest()[:16]


def counted(trial: Trial, *, samples: bool = False) -> Counted:
    """Profile, counts and recipe from the healthy part alone, as `tocsin.provisioning.provision` makes them."""
    recording: Recording = trial.recording
    healthy = trial.healthy_rows
    profile, counts = profile_of(recording, healthy, "sensor", "plant/asset")
    clips = [*recording.clip_starts[recording.clip_starts < healthy].tolist(), healthy]
    shortest = min(end - begin for begin, end in itertools.pairwise(clips)) if len(clips) > 2 else None
    steps = np.diff(recording.times_ns[:healthy])
    recipe = recipe_for(profile, healthy, shortest_stretch=shortest, steps_ns=steps, samples=samples)
    declared = np.zeros(recording.rows, np.bool_)
    declared[recording.clip_starts] = True
    return Counted(trial, profile, counts, recipe, stretch_starts(recording.times_ns, declared, recipe.gap_ns))


def trained(case: Counted, seed: int) -> TrainedModel:
    """The model of the healthy part."""
    healthy = case.trial.healthy_rows
    times = case.trial.recording.times_ns[:healthy]
    return train_image(
        case.profile, case.recipe, times, case.starts[:healthy], case.counts[:healthy], seed=seed, version=1
    )


def judged(case: Counted, model: TrainedModel, seed: int) -> Row | None:
    """Both areas; None where healthy or faulty readings are missing from what counts."""
    content = model.content
    scaled = scaled_counts(case.counts, content.channels, case.starts)
    readings = raw_features(case.recipe, scaled, case.starts)
    counts = case.trial.counted[readings.rows]
    labels = case.trial.labels[readings.rows[counts]]
    if labels.all() or not labels.any():
        return None
    features = model_inputs(case.recipe, scaled, readings, content.features)[counts]
    int8 = arrays.score_sums(content, features)[0].astype(np.float64)
    flagged = int8 >= content.threshold
    return Row(
        "",
        case.trial.name,
        seed,
        model.metrics["healthy_readings"],
        features.shape[1],
        model.metrics["training_steps"],
        round(roc_auc(labels, float_sums(model, features)), 6),
        round(roc_auc(labels, int8), 6),
        round(float(flagged[~labels].mean()), 4),
        round(float(flagged[labels].mean()), 4),
        model.metrics["macs"],
        model.metrics["image_bytes"],
        case.digest,
        "samples" if case.recipe.samples else "features",
    )


def float_sums(model: TrainedModel, inputs: NDArray[np.int64]) -> NDArray[np.float64]:
    """The score's sum of each row of the model's inputs (rows, inputs) before any int8."""
    units = FAST_UNITS_PER_DEVIATION if model.content.samples and model.content.kind else UNITS_PER_DEVIATION
    weights = np.array(model.content.weights, np.float64)
    sums = []
    for begin in range(0, len(inputs), _CHUNK):
        part = inputs[begin : begin + _CHUNK]
        rebuilt = model.autoencoder.forward(as_inputs(part, model.input_limit, units)) * units
        sums.append(((part - rebuilt) ** 2 * weights).sum(axis=1, dtype=np.float64))
    return np.concatenate(sums)


def measured(folder: Path, exams: tuple[Exam, ...], seeds: tuple[int, ...], *, samples: bool = False) -> Iterator[Row]:
    """Rows of every trial of the exams that `folder` holds, exam by exam, trial by trial, seed by seed."""
    for exam in exams:
        models: dict[tuple[bytes, int], TrainedModel] = {}
        for trial in exam.trials(folder):
            if trial.recalibration is not None:
                continue  # in another session the sensor's own model is not the one that judges
            case = counted(trial, samples=samples)
            for seed in seeds:
                key = case.healthy, seed
                if key not in models:
                    models[key] = trained(case, seed)
                row = judged(case, models[key], seed)
                if row is not None:
                    yield replace(row, exam=exam.name)


def write_rows(rows: list[Row], path: Path) -> None:
    """Write a result file, with what it was measured with."""
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "ai-edge-litert")}
    found = {name for name in ("tensorflow-cpu", "tensorflow") if _is_installed(name)}
    versions |= {name: importlib.metadata.version(name) for name in sorted(found)}
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    head = json.dumps({"machine": platform.machine(), "versions": versions})[1:-1]
    path.write_text(f'{{{head}, "rows": [\n{lines}\n]}}\n', encoding="utf-8")


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def read_rows(path: Path) -> list[Row]:
    """Rows of a result file."""
    return [Row(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))["rows"]]

"""One training in a process of its own: ``python -m cloud.training.job FOLDER``.

Read from the folder:

- ``request.json``: ``device, asset, kind, sample_rate_hz, channels [[name, unit, offset, step], ...], version, seed,
  signing_key`` (path of a PEM file) and, if wanted, ``held_back`` (the part of the readings kept for the gate, 0.25);
- ``readings.npz``: ``times_ns`` int64[n], ``stretches`` int64[n] (readings of one number follow each other without a
  gap), ``counts`` int32[n, channels] (slow) or ``features`` int16[n, features] (fast, scaled by the current image), and
  possibly ``healthy`` bool[n] (all are, when it is missing);
- ``current.image``: what the device runs. A fast device needs it; a slow one keeps its recipe.

Written: ``result.json`` (``accepted, reason, metrics``) and, only if accepted, ``model.image``, signed. Progress goes
to standard output, one JSON object with ``stage, done, total`` a line. Exit status 0 also when the gate refuses; 1 with
one sentence on standard error when there is no verdict.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from numpy.typing import NDArray

from cloud.errors import CloudError
from cloud.registry.signing import sign_image
from cloud.training.gate import HeldBack, judge
from cloud.training.recipe import recipe_for
from cloud.training.train import TrainedModel, recipe_of, retrain_from_features, train_image
from shared import model_image
from shared.errors import TocsinError
from shared.identity import SLOW, Channel, DeviceProfile
from shared.model_image import ImageContent

REQUEST, READINGS, CURRENT = "request.json", "readings.npz", "current.image"
RESULT, IMAGE = "result.json", "model.image"
#: Part of the healthy readings, the newest, that the gate keeps for itself.
HELD_BACK = 0.25


def main(arguments: list[str]) -> int:
    """Run one request; see the module."""
    if len(arguments) != 1:
        _say("Give one argument: the folder with request.json and readings.npz.")
        return 2
    folder = Path(arguments[0])
    try:
        run(folder)
    except TocsinError as error:
        _say(str(error))
        return error.exit_status
    except OSError as error:
        _say(f"The training in {folder} failed: {error.strerror or error} ({error.filename or folder}).")
        return 1
    return 0


def run(folder: Path) -> bool:
    """Train, judge and write what the module says; whether the candidate was accepted.

    Raises
    ------
    CloudError
        The request is not complete, or there are too few healthy readings.
    ImageError
        The current image is none.
    """
    request = _request(folder)
    profile = _profile(request, folder)
    key = _signing_key(Path(str(request["signing_key"])))
    current = _current(folder)
    readings = _readings(folder, profile)
    train, held = _split(readings, float(request.get("held_back", HELD_BACK)))
    model = _train(profile, current, train, int(request["seed"]), int(request["version"]))
    _progress("gate", 0, 1)
    verdict = judge(model.content, current, HeldBack(**held))
    _progress("gate", 1, 1)
    metrics = {**model.metrics, "gate": verdict.metrics, "held_back_readings": len(held["times_ns"])}
    if verdict.accepted:
        _write(folder / IMAGE, sign_image(model.unsigned, key))
    else:
        (folder / IMAGE).unlink(missing_ok=True)
    result = {"accepted": verdict.accepted, "reason": verdict.reason, "metrics": metrics}
    _write(folder / RESULT, json.dumps(result, indent=1).encode())
    return verdict.accepted


def _train(
    profile: DeviceProfile, current: ImageContent | None, readings: dict[str, Any], seed: int, version: int
) -> TrainedModel:
    if "counts" in readings:
        steps = np.diff(readings["times_ns"])[~readings["starts"][1:]]
        recipe = recipe_of(current) if current else recipe_for(profile, len(readings["counts"]), steps_ns=steps)
        return train_image(profile, recipe, **readings, seed=seed, version=version, progress=_progress)
    if current is None:
        raise CloudError(
            f"Device {profile.device} sends features, and no image says how they were made: send its image along."
        )
    if readings["features"].shape[1] != len(current.features):
        raise CloudError(
            f"Device {profile.device} sent {readings['features'].shape[1]} features and its image makes "
            f"{len(current.features)}: train on readings of that image alone."
        )
    return retrain_from_features(current, readings["features"], seed=seed, version=version, progress=_progress)


def _request(folder: Path) -> dict[str, Any]:
    path = folder / REQUEST
    try:
        request = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CloudError(f"The training request {path} cannot be read ({error}): write it again.") from error
    needed = ("device", "asset", "kind", "sample_rate_hz", "channels", "version", "seed", "signing_key")
    missing = [name for name in needed if not isinstance(request, dict) or name not in request]
    if missing:
        raise CloudError(f"The training request {path} lacks {', '.join(missing)}: write it again.")
    return dict(request)


def _profile(request: dict[str, Any], folder: Path) -> DeviceProfile:
    try:
        channels = tuple(Channel(str(name), str(unit), float(o), float(s)) for name, unit, o, s in request["channels"])
        rate = float(request["sample_rate_hz"])
        return DeviceProfile(str(request["device"]), str(request["asset"]), str(request["kind"]), rate, channels)
    except (ValueError, TypeError) as error:
        raise CloudError(f"The training request {folder / REQUEST} describes no device ({error}).") from error


def _signing_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise CloudError(f"The signing key {path} cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CloudError(f"The signing key {path} is no key in PEM form: put back a copy of it.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CloudError(f"The signing key {path} is not an Ed25519 key: put back a copy of it.")
    return key


def _current(folder: Path) -> ImageContent | None:
    path = folder / CURRENT
    return model_image.read(path.read_bytes()) if path.exists() else None


def _readings(folder: Path, profile: DeviceProfile) -> dict[str, Any]:
    """The healthy ones: ``times_ns``, ``starts`` and ``counts`` or ``features``."""
    path = folder / READINGS
    payload = "counts" if profile.kind == SLOW else "features"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            times = arrays["times_ns"].astype(np.int64)
            stretches = arrays["stretches"].astype(np.int64)
            values = arrays[payload].astype(np.int32 if profile.kind == SLOW else np.int16)
            healthy = arrays["healthy"].astype(np.bool_) if "healthy" in arrays else np.ones(len(times), np.bool_)
    except (OSError, ValueError, KeyError) as error:
        raise CloudError(f"The readings {path} cannot be read ({error}): write them again.") from error
    fits = values.ndim == 2 and len(times) == len(stretches) == len(values) == len(healthy)
    if not fits or (profile.kind == SLOW and values.shape[1] != len(profile.channels)):
        raise CloudError(f"The readings {path} do not fit each other or the channels: write them again.")
    starts = np.ones(len(times), np.bool_)
    starts[1:] = (np.diff(stretches) != 0) | ~healthy[:-1]
    return {"times_ns": times[healthy], "starts": starts[healthy], payload: values[healthy]}


def _split(readings: dict[str, Any], part: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The older readings to train on, the newest `part` for the gate."""
    count = len(readings["times_ns"])
    border = count - round(count * part)
    if not 0 < part < 1 or not 0 < border < count:
        raise CloudError(f"{count} healthy readings cannot be split at {part:g}: wait for more of them.")
    train = {name: values[:border] for name, values in readings.items()}
    held: dict[str, NDArray[Any]] = {name: values[border:] for name, values in readings.items()}
    return train, held


def _progress(stage: str, done: int, total: int) -> None:
    sys.stdout.write(json.dumps({"stage": stage, "done": done, "total": total}) + "\n")
    sys.stdout.flush()


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a training gets and gives: the files of a request folder.

Written here, read by ``python -m cloud.training.job FOLDER``:

- ``request.json``: ``device, asset, kind, sample_rate_hz, channels [[name, unit, offset, step]], feature_names, window,
  hop, version, seed, signing_key`` (path of the PEM file);
- ``readings.npz``: ``times_ns, boots, sequences, stretches`` int64[n], ``flagged, alarm`` bool[n], and ``counts``
  int32[n, channels] (slow) or ``features`` int16[n, features] (fast). `stretches` is numbered anew: readings of one
  number follow each other without a gap, also none that was left out here;
- ``current.image``: the bytes of the image that the device runs, if they are known.

Written by the training, read here: ``result.json`` (``accepted, reason, metrics``) and, if accepted, ``model.image``.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.errors import CloudError
from cloud.storage.port import StoredReadings
from cloud.storage.relational import DeviceRow
from shared import model_image
from shared.errors import ImageError
from shared.identity import Channel, DeviceProfile

REQUEST, READINGS, CURRENT = "request.json", "readings.npz", "current.image"
RESULT, IMAGE, LOG = "result.json", "model.image", "training.log"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended; `image` is there if it was accepted."""

    accepted: bool
    reason: str
    metrics: dict[str, Any]
    image: bytes | None


def runs(readings: StoredReadings) -> NDArray[np.int64]:
    """A number per reading, the same for readings that follow each other without a gap, int64[n] from 0."""
    if len(readings) == 0:
        return np.zeros(0, np.int64)
    broken = (np.diff(readings.boots) != 0) | (np.diff(readings.stretches) != 0) | (np.diff(readings.sequences) != 1)
    return np.concatenate(([0], np.cumsum(broken))).astype(np.int64)


def profile_of(row: DeviceRow) -> DeviceProfile:
    """The profile of a device whose birth is known."""
    if not row.kind:
        raise CloudError(f"The birth of device {row.device} has not arrived yet: wait until its gateway sends it.")
    channels = tuple(Channel(*entry) for entry in row.channels)
    return DeviceProfile(row.device, row.asset, row.kind, row.sample_rate_hz, channels)


def write_request(
    folder: Path,
    row: DeviceRow,
    readings: StoredReadings,
    *,
    version: int,
    seed: int,
    signing_key: Path,
    current_image: bytes | None,
) -> None:
    """Write the files of a request into a new folder."""
    request = {
        "device": row.device,
        "asset": row.asset,
        "kind": row.kind,
        "sample_rate_hz": row.sample_rate_hz,
        "channels": row.channels,
        "feature_names": row.feature_names,
        "window": row.window,
        "hop": row.hop,
        "version": version,
        "seed": seed,
        "signing_key": str(signing_key.resolve()),
    }
    arrays: dict[str, Any] = {
        "times_ns": readings.times_ns,
        "boots": readings.boots,
        "sequences": readings.sequences,
        "stretches": runs(readings),
        "flagged": readings.flagged,
        "alarm": readings.alarm,
    }
    if readings.counts is not None:
        arrays["counts"] = readings.counts
    elif readings.features is not None:
        arrays["features"] = readings.features
    try:
        folder.mkdir(parents=True)
        np.savez(folder / READINGS, **arrays)
        if current_image is not None:
            (folder / CURRENT).write_bytes(current_image)
        (folder / REQUEST).write_text(json.dumps(request, indent=1))
    except OSError as error:
        raise CloudError(f"The training request {folder} cannot be written ({error.strerror}).") from error


def read_outcome(folder: Path, row: DeviceRow, version: int) -> Outcome:
    """What a training left behind; an image is only believed if it is one for this device and version.

    Raises
    ------
    CloudError
        No result, or one that contradicts itself.
    """
    try:
        result = json.loads((folder / RESULT).read_text())
        image = (folder / IMAGE).read_bytes() if result["accepted"] is True else None
        accepted, reason, metrics = bool(result["accepted"]), str(result["reason"] or ""), dict(result["metrics"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CloudError(f"The training left no readable result in {folder}: see {folder / LOG}.") from error
    if image is not None:
        try:
            content = model_image.read(image)
        except ImageError as error:
            raise CloudError(f"The training wrote an image that is none: {error}") from error
        if content.version != version or content.profile_digest != profile_of(row).digest():
            raise CloudError(f"The training wrote an image for another device or version than {row.device} {version}.")
    return Outcome(accepted, reason, metrics, image)

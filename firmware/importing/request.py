"""What a person asks of ``tocsin firmware import``."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """One import. None and empty mean: not said.

    Attributes
    ----------
    model, out
        The .tflite file, and where the image goes.
    device, provision
        Folder of the device that the image is for, or a new folder for a device made of this model; not both.
    name
        Id of the new device.
    window, hop, bands
        Samples of a window, samples from one window to the next, bands of a fast device's features.
    sample_rate_hz, gap_seconds
        Rows per second; a longer step in time ends a stretch.
    counts_per_unit
        Counts of the new device for 1.0 of what is measured.
    scaler
        JSON file with what was done to each channel before the model saw it.
    threshold
        Mean squared error, in units of the model's float input, at which the score is 1.
    healthy, healthy_rows, channels, time_column
        A healthy recording instead of a threshold, how many of its first rows are meant, which columns the model reads,
        in its order, and which one tells the time.
    version, key
        Version of the image, the one above the device's running one when left out; the cloud's private key (PEM) that
        signs it.
    round_once
        Round the sums of convolutions once, as packed kernels do, not twice as TensorFlow does.
    """

    model: Path
    out: Path
    device: Path | None = None
    provision: Path | None = None
    name: str = ""
    window: int | None = None
    hop: int | None = None
    bands: int | None = None
    sample_rate_hz: float | None = None
    gap_seconds: float | None = None
    counts_per_unit: float | None = None
    scaler: Path | None = None
    threshold: float | None = None
    healthy: str | None = None
    healthy_rows: int | None = None
    channels: tuple[str, ...] = ()
    time_column: str | None = None
    version: int | None = None
    key: Path | None = None
    round_once: bool = False

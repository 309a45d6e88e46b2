"""A healthy recording as the imported model's device would see it: inputs of the model, in the device's integers."""

import numpy as np
from numpy.typing import NDArray

from firmware.errors import FirmwareError
from firmware.importing.request import ImportRequest
from shared.errors import UsageError
from shared.identity import DeviceProfile
from shared.model_image import ImageContent
from shared.quantized.sample_arrays import sample_inputs
from shared.recordings.profile import to_counts
from shared.recordings.recording import Recording
from shared.signal import arrays
from shared.signal.definition import KIND_SLOW

Integers = NDArray[np.int64]

#: Windows that are judged together: bounds the memory.
WINDOWS_MAX = 4096


def read_healthy(request: ImportRequest, device: DeviceProfile | None) -> Recording | None:
    """The healthy recording of a request: its healthy rows, its channels in the model's order.

    That order is `request.channels`, else that of the `device`'s channels, else that of the recording's columns.
    None when no recording was given.
    """
    if request.healthy is None:
        return None
    from shared.recordings.reader import read_recording

    wanted = request.channels or (() if device is None else tuple(channel.name for channel in device.channels))
    recording = read_recording(
        request.healthy,
        healthy_rows=request.healthy_rows,
        channels=wanted or None,
        time_column=request.time_column,
        sample_rate_hz=request.sample_rate_hz,
    )
    order = [recording.names.index(name) for name in wanted] or list(range(len(recording.names)))
    rows = request.healthy_rows or recording.rows
    return Recording(
        recording.times_ns[:rows],
        recording.values[:rows, order],
        tuple(recording.names[index] for index in order),
        tuple(recording.units[index] for index in order),
        recording.sample_rate_hz,
        recording.clip_starts[recording.clip_starts < rows],
        rows,
        recording.notes,
    )


def check_columns(recording: Recording, channels: int) -> None:
    """UsageError unless a recording has one column for each channel of the model."""
    if len(recording.names) != channels:
        told = ", ".join(recording.names[:8]) + (", ..." if len(recording.names) > 8 else "")
        raise UsageError(
            f"the healthy recording has {len(recording.names)} channels ({told}) and the model reads {channels}; "
            "name those that it reads with --channels, in its order"
        )


def healthy_inputs(recording: Recording, profile: DeviceProfile, content: ImageContent) -> Integers:
    """What the model is given for every full window of a recording: (windows, inputs), int16 as int64.

    Windows follow each other as on the device; of very many, `WINDOWS_MAX` evenly spaced ones are taken.
    FirmwareError: no window is full.
    """
    counts = np.stack(
        [to_counts(recording.values[:, index], channel) for index, channel in enumerate(profile.channels)], axis=1
    )
    starts = np.zeros(recording.rows, np.bool_)
    starts[recording.clip_starts] = True
    steps = np.diff(recording.times_ns)
    starts[1:] |= (steps < 0) | (steps > content.gap_ns)
    starts[:1] = True
    centre, multiplier, shift = (
        np.array([getattr(scaling, name) for scaling in content.channels], np.int64)
        for name in ("centre", "multiplier", "shift")
    )
    scaled = arrays.hold_missing(counts, arrays.clamp16(arrays.scale(counts, centre, multiplier, shift)), starts)
    ends = _ends(starts, content)
    if not len(ends):
        raise FirmwareError(
            f"the healthy recording has {recording.rows} rows and not one full window of {content.window} without a "
            "gap; give a longer one, or a longer --gap"
        )
    chosen = ends[np.linspace(0, len(ends) - 1, min(len(ends), WINDOWS_MAX)).astype(np.int64)]
    return sample_inputs(content.kind, scaled, chosen, content.window)


def _ends(starts: NDArray[np.bool_], content: ImageContent) -> Integers:
    """The row that closes each full window: every row of a slow device, every hop of a fast one."""
    rows = np.arange(len(starts))
    within = rows - np.maximum.accumulate(np.where(starts, rows, 0))
    full = within >= content.window - 1
    if content.kind != KIND_SLOW:
        full &= (within - content.window + 1) % content.hop == 0
    ends: Integers = np.flatnonzero(full)
    return ends

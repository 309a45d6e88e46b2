"""A recording as a device would send it: a profile from its healthy part, and integer counts."""

import math

import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.identity import COUNT_LIMIT, MISSING, SLOW, Channel, DeviceProfile
from shared.recordings.recording import Recording

#: Counts per healthy deviation, as a power of two: a fast device keeps room for impulses.
SLOW_RESOLUTION_BITS = 16
FAST_RESOLUTION_BITS = 10
_BLOCK = 4096


def profile_of(
    recording: Recording, healthy_rows: int, device: str, asset: str
) -> tuple[DeviceProfile, NDArray[np.int32]]:
    """The profile of the device that would have recorded this, and its counts of shape (rows, channels).

    Offset and step of each channel come from the first `healthy_rows` rows ("Device profile" in docs/architecture.md);
    channels are ordered by their healthy counts, ties by name, so that the order of columns has no influence.

    Raises
    ------
    UsageError
        `healthy_rows` is not within the recording, or a channel has no value in it.
    ValueError
        `device` is no device id.
    """
    if not 1 <= healthy_rows <= recording.rows:
        raise UsageError(f"healthy rows must be 1 to {recording.rows} for this recording, not {healthy_rows}")
    bits = SLOW_RESOLUTION_BITS if recording.kind == SLOW else FAST_RESOLUTION_BITS
    found: list[tuple[bytes, str, Channel, NDArray[np.int32]]] = []
    for index, (name, unit) in enumerate(zip(recording.names, recording.units, strict=True)):
        values = np.ascontiguousarray(recording.values[:, index])
        offset, deviation = healthy_scale(values[:healthy_rows], name)
        channel = Channel(name, unit, offset, math.ldexp(deviation, -bits))
        counts = to_counts(values, channel)
        order = (counts[:healthy_rows].astype(np.int64) + 2**31).astype(">u4").tobytes()
        found.append((order, name, channel, counts))
    found.sort(key=lambda entry: entry[:2])
    profile = DeviceProfile(device, asset, recording.kind, recording.sample_rate_hz, tuple(entry[2] for entry in found))
    return profile, np.stack([entry[3] for entry in found], axis=1)


def to_counts(values: NDArray[np.float64], channel: Channel) -> NDArray[np.int32]:
    """Counts of shape (rows,): ``floor((x - offset) / step + 0.5)`` within int32, NaN and infinity as `MISSING`.

    >>> to_counts(np.array([1.0, 1.26, np.nan, 1e300]), Channel("x", "", 1.0, 0.5)).tolist()
    [0, 1, -2147483648, 2147483647]
    """
    finite = np.isfinite(values)
    with np.errstate(over="ignore"):
        scaled = np.floor((np.where(finite, values, channel.offset) - channel.offset) / channel.step + 0.5)
    counts = np.clip(scaled, -COUNT_LIMIT, COUNT_LIMIT).astype(np.int32)
    counts[~finite] = MISSING
    return counts


def healthy_scale(values: NDArray[np.float64], name: str = "") -> tuple[float, float]:
    """Mean and standard deviation of the finite values; a constant channel takes ``max(|mean| * 1e-3, 1e-9)``.

    Sums run in a fixed order (not in the order of the machine's vector unit), so that every machine gets the same.

    >>> healthy_scale(np.array([1.0, 3.0, np.nan])), healthy_scale(np.array([5.0, 5.0]))
    ((2.0, 1.0), (5.0, 0.005))
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise UsageError(f"channel {name!r} has no value in the healthy part; leave that channel out")
    if finite.min() == finite.max():
        mean = float(finite[0])
        return mean, max(abs(mean) * 1e-3, 1e-9)
    mean = _sum(finite) / len(finite)
    deviation = math.sqrt(_sum((finite - mean) ** 2) / len(finite))
    return mean, deviation if deviation > 0 else max(abs(mean) * 1e-3, 1e-9)


def _sum(values: NDArray[np.float64]) -> float:
    """Sequential sums of blocks, added exactly."""
    whole = len(values) // _BLOCK * _BLOCK
    blocks = np.cumsum(values[:whole].reshape(-1, _BLOCK), axis=1)[:, -1].tolist()
    rest = values[whole:]
    return math.fsum([*blocks, float(np.cumsum(rest)[-1]) if len(rest) else 0.0])

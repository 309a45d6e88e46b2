"""Blocks of readings for tests of stores: what is in one follows from its device, boot and sequence."""

import numpy as np

from cloud.storage.port import Block
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import ALARM, FLAGGED, Birth, Data, Judged, encode_data

SECOND_NS = 1_000_000_000
CHANNELS = 3


def make_block(
    device: str = "pump-1",
    sequence: int = 0,
    count: int = 16,
    *,
    boot: int = 1,
    kind: str = "slow",
    stretch: int = 0,
    scores: np.ndarray | None = None,
    scored: bool = True,
    step_ns: int = SECOND_NS,
    begin_ns: int | None = None,
) -> Block:
    """Readings whose values follow from device, boot and sequence, so that any two makings of one are equal."""
    numbers = np.arange(sequence, sequence + count, dtype=np.int64)
    if scores is None:
        scores = (numbers * 7919 % 1000) / 1000.0
    gateway = scores * 0.9
    if not scored:
        gateway = scores = np.full(count, np.nan)
    rows = numbers[:, None] * 1000 + np.arange(CHANNELS)
    flags = np.where(scores >= 1.0, FLAGGED, 0) | np.where(scores >= 2.0, ALARM, 0)
    data = Data(
        device=device,
        boot=boot,
        sequence=sequence,
        oldest=0,
        stretch=stretch,
        model_version=2,
        clipped=0,
        times_ns=(boot * 3600 * SECOND_NS if begin_ns is None else begin_ns) + numbers * step_ns,
        scores_q12=(numbers % 9000).astype(np.uint32),
        tops=np.zeros(count, np.uint16),
        counts=rows.astype(np.int32) if kind == "slow" else None,
        features=(rows % 30000).astype(np.int16) if kind == "fast" else None,
    )
    tops = (numbers % CHANNELS).astype(np.uint16)
    return Block(data, Judged(encode_data(data), gateway, scores, flags.astype(np.uint8), tops))


def make_birth(
    device: str = "pump-1",
    asset: str = "acme/north/pump-1",
    kind: str = "slow",
    names: tuple[str, ...] = ("temperature", "current", "pressure"),
) -> Birth:
    """A birth that fits the blocks: three channels (slow) or three features (fast)."""
    channels = tuple(Channel(name, "°C", 20.0, 0.01 * (index + 1)) for index, name in enumerate(names))
    profile = DeviceProfile(device, asset, kind, 1.0 if kind == "slow" else 3200.0, channels)
    return Birth(profile, 1, 2, names if kind == "fast" else ("value",), 16, 1)

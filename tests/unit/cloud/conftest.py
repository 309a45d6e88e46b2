import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cloud.settings import CloudSettings
from cloud.storage.embedded import EmbeddedStore
from cloud.storage.port import Block
from cloud.storage.relational import Relations
from cloud.tier import CloudTier
from shared.messages.codec import ALARM, FLAGGED, Data, Judged, encode_data

SECOND_NS = 1_000_000_000
CHANNELS = 3

BlockMaker = Callable[..., Block]


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
        times_ns=boot * 3600 * SECOND_NS + numbers * step_ns,
        scores_q12=(numbers % 9000).astype(np.uint32),
        tops=np.zeros(count, np.uint16),
        counts=rows.astype(np.int32) if kind == "slow" else None,
        features=(rows % 30000).astype(np.int16) if kind == "fast" else None,
    )
    tops = (numbers % CHANNELS).astype(np.uint16)
    return Block(data, Judged(encode_data(data), gateway, scores, flags.astype(np.uint8), tops))


@pytest.fixture
def block() -> BlockMaker:
    return make_block


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def relations(tmp_path: Path) -> Iterator[Relations]:
    opened = Relations(tmp_path / "facts")
    yield opened
    opened.close()


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[CloudTier]:
    opened = CloudTier(CloudSettings(data_folder=tmp_path / "cloud", silent_after_seconds=60.0))
    yield opened
    opened.close()


@pytest.fixture
def ticks() -> Iterator[int]:
    """Wall times for batches, one after another."""
    return itertools.count(1_700_000_000 * SECOND_NS, SECOND_NS)
